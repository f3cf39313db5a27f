"""Asks the AWS CLI what arguments its operations have, what it makes of a command line, and how it
prints an answer. Its models are those of the botocore beside it, which are newer than its own."""

import importlib.util
import io
import json
import os
import sys
import types
from unicodedata import category

OUT = sys.stdout
sys.stdout = sys.stderr
os.environ.update(AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")

import awscli  # noqa: E402  (it puts its own botocore in place)
import botocore  # noqa: E402
import colorama  # noqa: E402
from awscli import argprocess, clidriver, text  # noqa: E402
from awscli.customizations import sessionmanager, waiters  # noqa: E402
from awscli.customizations.ecs import executecommand  # noqa: E402
from awscli.customizations.ec2 import addcount, protocolarg, runinstances  # noqa: E402
from awscli.formatter import JSONFormatter, TableFormatter  # noqa: E402
from awscli.table import get_text_length  # noqa: E402

SITE = os.path.dirname(os.path.dirname(awscli.__file__))
spec = importlib.util.spec_from_file_location("newer", SITE + "/botocore/__init__.py")
newer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(newer)
botocore._xform_cache.update(newer._xform_cache)

LOADER = None
CALLED = {}
BEFORE = {
    "RunInstances": [addcount.set_default_count, runinstances._fix_args],
    "CreateNetworkAclEntry": [protocolarg._fix_args],
    "ReplaceNetworkAclEntry": [protocolarg._fix_args],
}


def record(self, service, operation, parameters, parsed_globals):
    paging = parameters.pop("PaginationConfig", {})
    for change in BEFORE.get(operation, []):
        change(parameters)
    CALLED.update(
        service=service,
        operation=operation,
        params=plain(parameters),
        paging={name: str(value) for name, value in paging.items()},
        paginate=parsed_globals.paginate,
        globals={
            name: plain(getattr(parsed_globals, name))
            for name in ("region", "profile", "output", "endpoint_url")
        },
    )
    return 0


# Each colourful table wraps the standard output once more.
colorama.init = lambda **settings: None
clidriver.CLIOperationCaller.invoke = record
clidriver.create_nested_client = None
waiters.WaiterCaller.invoke = record
executecommand.ExecuteCommandCaller.invoke = record
sessionmanager.StartSessionCaller.invoke = record


def plain(value):
    if isinstance(value, dict):
        return {name: plain(it) for name, it in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(it) for it in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, io.IOBase):
        return {"file": value.name}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return float(value)


def driver():
    global LOADER
    made = clidriver.create_clidriver()
    if LOADER is None:
        LOADER = made.session.get_component("data_loader")
        LOADER._search_paths = [SITE + "/awscli/data", SITE + "/botocore/data"]
    made.session.register_component("data_loader", LOADER)
    return made


def operations(command):
    table = command._get_command_table()
    return {name: it for name, it in table.items() if isinstance(it, clidriver.ServiceOperation)}


def services(ask):
    table = driver()._get_command_table()
    return sorted(name for name, it in table.items() if hasattr(it, "_get_service_model"))


def arguments(ask):
    command = driver()._get_command_table()[ask["service"]]
    answer = {}
    for name, operation in operations(command).items():
        answer[name] = {
            argument: [
                bool(it.required or getattr(it, "_DOCUMENT_AS_REQUIRED", False)),
                bool(getattr(it, "_UNDOCUMENTED", False)),
            ]
            for argument, it in operation.arg_table.items()
        }
    model = command._get_service_model()
    return {
        "commands": answer,
        "operations": sorted(botocore.xform_name(it, "-") for it in model.operation_names),
    }


def commands(ask):
    return sorted(operations(driver()._get_command_table()[ask["service"]]))


def params(ask):
    CALLED.clear()
    made = driver()
    try:
        table = made._get_command_table()
        parsed, rest = made._create_parser(table).parse_known_args(ask["words"])
        made._handle_top_level_args(parsed, rest)
        made._emit_session_event(parsed)
        written = io.StringIO()
        sys.stdout, before = written, sys.stdout
        try:
            table[parsed.command](rest, parsed)
        finally:
            sys.stdout = before
        return dict(CALLED, written=written.getvalue())
    except (Exception, SystemExit) as error:
        return {"error": repr(error)}


def shorthand(ask):
    operation = operations(driver()._get_command_table()[ask["service"]])[ask["operation"]]
    made = argprocess.ParamShorthandDocGen()
    answer = {}
    for name, argument in operation.arg_table.items():
        model = argument.argument_model
        if type(argument).__name__ in ("CLIArgument", "ListArgument") and made.supports_shorthand(model):
            answer[name] = made.generate_shorthand_example(argument, "none", ask["operation"])
    return answer


def show(ask):
    stream = io.StringIO()
    value = ask["value"]
    try:
        if ask["format"] == "text":
            text.format_text(value, stream)
        else:
            made = {"json": JSONFormatter, "table": TableFormatter}[ask["format"]]
            query = types.SimpleNamespace(search=lambda it: it["value"])
            args = types.SimpleNamespace(query=query, color=ask["color"])
            made(args)(ask["title"], {"value": value}, stream)
    except (ValueError, AttributeError) as error:
        return {"error": repr(error)}
    return {"text": stream.getvalue()}


def yaml(ask):
    import yaml as reader

    return reader.load(ask["text"], Loader=reader.BaseLoader if ask.get("base") else reader.SafeLoader)


def widths(ask):
    return [get_text_length(it) if category(it) != "Cn" else None for it in ask["texts"]]


for line in sys.stdin:
    ask = json.loads(line)
    print(json.dumps(globals()[ask["ask"]](ask)), file=OUT, flush=True)
