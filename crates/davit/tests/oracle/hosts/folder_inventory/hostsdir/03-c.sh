#!/bin/sh
cat <<X
{"three": {"hosts": ["x1", "x4"], "vars": {"who": "script"}}, "four": ["x3"], "_meta": {"hostvars": {"x4": {"deep": {"a": [1]}}}}}
X
