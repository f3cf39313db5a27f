"""Signs and sums up as botocore does, at a time that it is told."""

import base64, datetime, hashlib, hmac, io, json, sys, time, types

import awscrt.auth
import awscrt.http
import botocore.auth
import botocore.crt.auth
import botocore.handlers
import botocore.httpchecksum
import botocore.session
import botocore.signers
import botocore.utils
from awscrt import checksums as crt
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.timezone.utc)


def current(remove_tzinfo=True):
    return NOW.replace(tzinfo=None) if remove_tzinfo else NOW


for module in (botocore.auth, botocore.crt.auth, botocore.signers):
    module.get_current_datetime = current
botocore.auth.time = types.SimpleNamespace(
    strftime=time.strftime, gmtime=lambda: NOW.timetuple(), time=lambda: NOW.timestamp()
)

SIGNERS = {
    "v4": botocore.auth.SigV4Auth,
    "s3v4": botocore.auth.S3SigV4Auth,
    "v4-query": botocore.auth.SigV4QueryAuth,
    "s3v4-query": botocore.auth.S3SigV4QueryAuth,
    "v4-s3express": botocore.auth.S3ExpressAuth,
    "v4-s3express-query": botocore.auth.S3ExpressQueryAuth,
}


# Clients are to sign as they do where the C runtime is not installed, which is where most are.
botocore.auth.AUTH_TYPE_MAPS.update({name: SIGNERS[name] for name in SIGNERS if "express" not in name})


def credentials(q):
    it = q["credentials"]
    return Credentials(it["id"], it["secret"], it.get("token"))


def aws_request(q):
    url = f"{q['scheme']}://{q['host']}{q['path']}"
    if q["query"]:
        url += "?" + botocore.utils.percent_encode_sequence([tuple(it) for it in q["query"]])
    request = AWSRequest(method=q["method"], url=url, data=base64.b64decode(q["body"]))
    for name, value in q["headers"]:
        request.headers[name] = value
    config = types.SimpleNamespace(s3={"payload_signing_enabled": q.get("always_signed")})
    request.context.update(client_config=config, has_streaming_input=q.get("streaming", False))
    if q.get("algorithm"):
        request.context["checksum"] = {"request_algorithm": q["algorithm"]}
    if q.get("unsigned"):
        request.context["payload_signing_enabled"] = False
    return request


def sign(q):
    request = aws_request(q)
    cls = SIGNERS[q["signer"]]
    extra = {"identity_cache": None} if "s3express" in q["signer"] else {}
    if "expires" in q:
        extra["expires"] = q["expires"]
    cls(credentials(q), q["service"], q["region"], **extra).add_auth(request)
    return {"url": request.url, "headers": list(request.headers.items())}


def form(q):
    """Presigned, with the input of a query service in the body."""
    request = aws_request(q)
    request.data = q["fields"]
    cls = SIGNERS[q["signer"]]
    cls(credentials(q), q["service"], q["region"], q["expires"]).add_auth(request)
    return {"url": request.url}


def v2(q):
    request = aws_request(q)
    request.data = q["fields"]
    botocore.auth.SigV2Auth(credentials(q)).add_auth(request)
    return {"fields": request.data}


def crt_sign(q):
    """The C runtime's own signing, which knows settings that botocore never uses."""
    it = q["credentials"]
    path = q["path"]
    if q["query"]:
        path += "?" + botocore.utils.percent_encode_sequence([tuple(it) for it in q["query"]])
    request = awscrt.http.HttpRequest(
        q["method"],
        path,
        awscrt.http.HttpHeaders([("host", q["host"])] + [tuple(it) for it in q["headers"]]),
        io.BytesIO(base64.b64decode(q["body"])),
    )
    auth = awscrt.auth
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC if q["v4a"] else auth.AwsSigningAlgorithm.V4,
        signature_type=auth.AwsSignatureType(1 if "expires" in q else 0),
        credentials_provider=auth.AwsCredentialsProvider.new_static(it["id"], it["secret"], it.get("token")),
        region=q["region"],
        service=q["service"],
        date=NOW,
        use_double_uri_encode=q["double_encode"],
        should_normalize_uri_path=q["normalize"],
        signed_body_value="UNSIGNED-PAYLOAD" if q["unsigned"] else None,
        signed_body_header_type=auth.AwsSignedBodyHeaderType(int(q["content_sha256"])),
        expiration_in_seconds=q.get("expires"),
        omit_session_token=q["token_after"],
    )
    auth.aws_sign_request(request, config).result()
    answer = {"url": f"{q['scheme']}://{q['host']}{request.path}", "headers": list(request.headers)}
    if q["v4a"]:
        # The signatures differ each time: both must be of the same text by the same key.
        key = derived(it["id"], it["secret"]).public_key()
        text = q["string_to_sign"].encode()
        text_of = lambda headers: dict((n.lower(), v) for n, v in headers)
        theirs = text_of(request.headers).get("authorization", request.path)
        theirs = theirs.split("Signature=")[1].split("&")[0]
        for signature in (q["signature"], theirs):
            key.verify(bytes.fromhex(signature), text, ec.ECDSA(hashes.SHA256()))
        answer["signature"] = theirs
    return answer


def derived(access_key, secret):
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for counter in range(1, 255):
        text = b"\0\0\0\1AWS4-ECDSA-P256-SHA256\0" + access_key.encode() + bytes([counter]) + b"\0\0\1\0"
        number = int.from_bytes(hmac.digest(b"AWS4A" + secret.encode(), text, "sha256"), "big")
        if number <= order - 2:
            return ec.derive_private_key(number + 1, ec.SECP256R1())


CLIENTS = {}


def client(q, service, **config):
    it = q["credentials"]
    key = (service, q["region"], *it.values())
    if key not in CLIENTS:
        session = botocore.session.get_session()
        session.set_credentials(it["id"], it["secret"], it.get("token"))
        config = botocore.config.Config(**config)
        CLIENTS[key] = session.create_client(service, q["region"], config=config)
    return CLIENTS[key]


def post(q):
    s3 = client(q, "s3", signature_version="s3v4")
    made = s3.generate_presigned_post(
        q["bucket"], q["key"], dict(q["fields"]), q["conditions"], q["expires"]
    )
    return {"fields": list(made["fields"].items())}


def tokens(q):
    rds = client(q, "rds").generate_db_auth_token(q["db"], q["port"], q["user"])
    dsql = client(q, "dsql")
    from awscli.customizations.eks.get_token import STSClientFactory, TokenGenerator

    session = botocore.session.get_session()
    it = q["credentials"]
    session.set_credentials(it["id"], it["secret"], it.get("token"))
    sts = STSClientFactory(session).get_sts_client(q["region"])
    return {
        "rds": rds,
        "connect": dsql.generate_db_connect_auth_token(q["db"], ExpiresIn=q["expires"]),
        "admin": dsql.generate_db_connect_admin_auth_token(q["db"], ExpiresIn=q["expires"]),
        "eks": TokenGenerator(sts).get_token(q["cluster"]),
    }


def sums(q):
    body = base64.b64decode(q["body"])
    made = {
        name: cls().handle(body) for name, cls in botocore.httpchecksum._CHECKSUM_CLS.items()
    }
    first, second = body[: len(body) // 3], body[len(body) // 3 :]
    combined = {}
    for name in ("crc32", "crc32c", "crc64nvme"):
        one = getattr(crt, name)
        value = getattr(crt, f"combine_{name}")(one(first), one(second), len(second))
        combined[name] = base64.b64encode(value.to_bytes(8 if "64" in name else 4, "big")).decode()
    tree = botocore.utils.calculate_tree_hash(io.BytesIO(body))
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    return {"sums": made, "combined": combined, "tree": tree, "md5": md5}


MODELS = {}


def operation(q):
    if q["service"] not in MODELS:
        MODELS[q["service"]] = botocore.session.get_session().get_service_model(q["service"])
    return MODELS[q["service"]].operation_model(q["operation"])


def resolve(q):
    """The checksum of a request, decided on and put in."""
    model = operation(q)
    config = types.SimpleNamespace(
        request_checksum_calculation=q["calculation"],
        response_checksum_validation=q["validation"],
        signature_version="s3v4" if q["trailers"] else "s3",
    )
    request = {
        "headers": dict(q["headers"]),
        "url": f"{q['scheme']}://host/",
        "context": {"client_config": config},
        "body": base64.b64decode(q["body"]),
    }
    params = dict(q["params"])
    botocore.handlers._handle_request_validation_mode_member(
        params, model, context={"client_config": config}
    )
    try:
        botocore.httpchecksum.resolve_checksum_context(request, model, params)
    except botocore.exceptions.FlexibleChecksumError:
        return {"error": True, "streaming": model.has_streaming_input}
    context = request["context"].get("checksum", {})
    botocore.httpchecksum.apply_request_checksum(request)
    body = request["body"]
    body = body.read() if hasattr(body, "read") else body
    answer = {"headers": q["answer"], "context": {}}
    raw = types.SimpleNamespace(raw=io.BytesIO(b""), content=b"")
    botocore.httpchecksum._handle_bytes_response = lambda *them: b""
    botocore.httpchecksum._handle_streaming_response = lambda *them: b""
    botocore.httpchecksum.handle_checksum_body(raw, answer, request["context"], model)
    return {
        "plan": context.get("request_algorithm"),
        "headers": list(request["headers"].items()),
        "body": base64.b64encode(body).decode(),
        "params": params,
        "streaming": model.has_streaming_input,
        "looked_at": answer["context"].get("checksum", {}).get("response_algorithm"),
    }


for line in sys.stdin:
    question = json.loads(line)
    if "time" in question:
        NOW = datetime.datetime.fromtimestamp(question["time"], datetime.timezone.utc)
    print(json.dumps(globals()[question["do"]](question)), flush=True)
