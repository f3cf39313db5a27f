#!/bin/sh
echo "args: $# $1 $2 env=$E"
echo err >&2
