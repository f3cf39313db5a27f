"""Makes the calls that it is told with boto3, and answers what came."""

import datetime
import json
import sys

import boto3
import botocore.config
import botocore.exceptions
from botocore import xform_name


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "read"):
        return value.read().decode()
    raise TypeError(type(value))


for line in sys.stdin:
    asked = json.loads(line)
    answers = []
    for service, operation, params in asked["calls"]:
        client = boto3.client(
            service,
            endpoint_url=asked["url"],
            region_name=asked["region"],
            aws_access_key_id=asked["key"],
            aws_secret_access_key=asked["secret"],
            config=botocore.config.Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        method = xform_name(operation)
        try:
            if asked.get("all"):
                answer = client.get_paginator(method).paginate(**params).build_full_result()
            else:
                answer = getattr(client, method)(**params)
                answer.pop("ResponseMetadata")
        except botocore.exceptions.ClientError as error:
            answer = {"error": error.response["Error"]["Code"]}
        answers.append(answer)
    print(json.dumps(answers, default=plain), flush=True)
