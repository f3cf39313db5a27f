"""Says where botocore sends requests: {"rules": service, "cases": [parameters]} by the rules alone,
{"calls": service, ...} by whole clients that are stopped just before they sign."""

import json
import os
import random
import sys

for name in [it for it in os.environ if it.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = "/nowhere"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointResolutionError

SESSION = botocore.session.Session()
LOADER = SESSION.get_component("data_loader")
PARTITIONS = LOADER.load_data("partitions")


def rules(question):
    data = LOADER.load_service_model(question["rules"], "endpoint-rule-set-1")
    provider = EndpointProvider(data, PARTITIONS)
    answers = []
    for case in question["cases"]:
        case = {name: tuple(it) if isinstance(it, list) else it for name, it in case.items()}
        try:
            found = provider.resolve_endpoint(**case)
        except EndpointResolutionError as error:
            answers.append({"error": str(error)})
        except Exception as error:
            answers.append({"error": repr(error)})
        else:
            answers.append({"url": found.url, "headers": found.headers, "properties": found.properties})
    return answers


class Stop(Exception):
    pass


def stop(request, signing_name, region_name, signature_version, **_):
    signing = request.context.get("signing", {})
    unsigned = signature_version is UNSIGNED
    raise Stop({
        "url": request.url,
        "scheme": None if unsigned else signature_version,
        "region": signing.get("region") or region_name,
        "name": signing.get("signing_name") or signing_name,
        "sign_body": request.context.get("payload_signing_enabled", True),
    })


def sample(shape, depth=0):
    """The least that the shape takes."""
    kind = shape.type_name
    if kind == "structure":
        names = list(shape.required_members)
        if getattr(shape, "is_tagged_union", False):
            names = list(shape.members)[:1]
        return {name: sample(shape.members[name], depth + 1) for name in names} if depth < 5 else {}
    if kind == "list":
        return []
    if kind == "map":
        return {}
    if kind == "boolean":
        return True
    if kind in ("integer", "long", "float", "double", "timestamp"):
        return 1
    return shape.enum[0] if getattr(shape, "enum", None) else "abcdefghijkl"


def client_of(service, config):
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    if config.get("sts"):
        os.environ["AWS_STS_REGIONAL_ENDPOINTS"] = config["sts"]
    try:
        session.set_credentials("key", "secret", account_id=config.get("account_id"))
        extra = {}
        if config.get("unsigned"):
            extra["signature_version"] = UNSIGNED
        for name in ("account_id_endpoint_mode", "auth_scheme_preference"):
            if config.get(name):
                extra[name] = config[name]
        settings = Config(
            use_fips_endpoint=config.get("use_fips"),
            use_dualstack_endpoint=config.get("use_dual_stack"),
            s3=config.get("s3"),
            parameter_validation=False,
            **extra,
        )
        client = session.create_client(
            service,
            region_name=config.get("region"),
            endpoint_url=config.get("endpoint_url"),
            use_ssl=not config.get("plain_http"),
            config=settings,
        )
    finally:
        os.environ.pop("AWS_STS_REGIONAL_ENDPOINTS", None)
    seen = {}

    def note(params, **_):
        seen["path"] = params["url_path"]
        seen["headers"] = {name: str(it) for name, it in params["headers"].items()}

    client.meta.events.register_first("before-call", note)
    client.meta.events.register_first("before-sign", stop)
    return client, seen


def calls(question):
    answers = []
    for config in question["configs"]:
        try:
            client, seen = client_of(question["calls"], config)
        except Exception as error:
            answers.append({"client": repr(error)})
            continue
        model = client.meta.service_model
        wanted = question.get("inputs")
        if wanted is None:
            names = [name for name in model.operation_names if name in client.meta.method_to_api_mapping.values()]
            chosen = random.Random(question["calls"]).sample(names, min(question["count"], len(names)))
            wanted = []
            for name in chosen:
                shape = model.operation_model(name).input_shape
                wanted.append([name, sample(shape) if shape else {}])
        done = []
        for name, given in wanted:
            seen.clear()
            answer = {"operation": name, "input": json.loads(json.dumps(given))}
            try:
                client._make_api_call(name, given)
            except Stop as stopped:
                answer.update(stopped.args[0], **seen)
            except Exception as error:
                answer["error"] = repr(error)
            done.append(answer)
        answers.append({"done": done})
    return answers


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(rules(question) if "rules" in question else calls(question)), flush=True)
