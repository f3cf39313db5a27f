"""What examples/measure.rs of davit-aws does, with boto3. Prints JSON."""

import json
import os
import sys
import time


def calls(service, operation, params, count, at_once):
    import concurrent.futures

    import boto3
    from botocore.config import Config
    from botocore import xform_name

    config = Config(max_pool_connections=max(10, at_once))
    call = getattr(boto3.client(service, config=config), xform_name(operation))
    call(**params)
    began, used = time.perf_counter(), time.process_time()
    if at_once == 1:
        for _ in range(count):
            call(**params)
    else:
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            for future in [pool.submit(call, **params) for _ in range(count)]:
                future.result()
    return count, began, used


def copy(source, target):
    import boto3

    client = boto3.client("s3")
    began, used = time.perf_counter(), time.process_time()
    if target.startswith("s3://"):
        client.upload_file(source, *target[5:].split("/", 1))
    else:
        client.download_file(*source[5:].split("/", 1), target)
    return 1, began, used


def told(count, began, used):
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return {"per_second": count / seconds, "cpu_ms": cpu / count * 1000}


def model(service):
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    began = time.perf_counter()
    ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return {"ms": (time.perf_counter() - began) * 1000}


def sizes():
    import botocore

    data = os.path.join(os.path.dirname(botocore.__file__), "data")
    files = (os.path.join(folder, name) for folder, _, names in os.walk(data) for name in names)
    return {"bytes": sum(os.path.getsize(it) for it in files)}


def main(what, *args):
    if what == "once":
        import boto3

        print(json.dumps(boto3.client("ec2").describe_instances(), default=str))
        return
    if what == "calls":
        service, operation, params, count, at_once = args
        out = told(*calls(service, operation, json.loads(params), int(count), int(at_once)))
    else:
        out = {"copy": lambda: told(*copy(*args)), "model": lambda: model(*args), "sizes": sizes}[what]()
    print(json.dumps(out))


main(*sys.argv[1:])
