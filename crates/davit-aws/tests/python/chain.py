"""Answers what botocore reads from files and variables, and which credentials it finds."""

import http.server
import json
import os
import sys
import threading
import urllib.parse
from datetime import datetime, timedelta, timezone

import botocore.configloader
import botocore.configprovider
import botocore.credentials
import botocore.loaders
import botocore.session
import botocore.tokens
import botocore.utils
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOG = []
LOADER = botocore.loaders.create_loader(None)
LATER = datetime.now(timezone.utc) + timedelta(hours=1)
XML = (
    '<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>'
    "<AccessKeyId>{1}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
    "<SessionToken>token</SessionToken><Expiration>{2}</Expiration></Credentials>"
    "<AssumedRoleUser><AssumedRoleId>x</AssumedRoleId><Arn>{3}</Arn></AssumedRoleUser>"
    "</{0}Result></{0}Response>"
)


class Stub(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        text = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def metadata(self, name):
        return {
            "Code": "Success", "AccessKeyId": name, "SecretAccessKey": "secret", "Token": "token",
            "Expiration": LATER.strftime("%Y-%m-%dT%H:%M:%SZ"), "AccountId": "999999999999",
        }

    def do_PUT(self):
        self.body()
        self.answer(200, "metadata-token")

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/federation/credentials":
            query = dict(urllib.parse.parse_qsl(url.query))
            token = self.headers["x-amz-sso_bearer_token"]
            parameters = {"roleName": query["role_name"], "accountId": query["account_id"], "accessToken": token}
            LOG.append(["GetRoleCredentials", parameters])
            role = {
                "accessKeyId": f"sso>{query['role_name']}", "secretAccessKey": "secret",
                "sessionToken": "token", "expiration": int(LATER.timestamp()) * 1000,
            }
            self.answer(200, {"roleCredentials": role})
        elif url.path == "/container":
            allowed = self.headers["Authorization"] == "container-token"
            self.answer(200 if allowed else 403, self.metadata("container"))
        elif url.path == "/latest/meta-data/iam/security-credentials/":
            self.answer(200, "the-role")
        elif url.path == "/latest/meta-data/iam/security-credentials/the-role":
            self.answer(200, self.metadata("instance"))
        else:
            self.answer(404, "")

    def do_POST(self):
        body = self.body()
        if self.path == "/token":
            parameters = json.loads(body)
            LOG.append(["CreateToken", parameters])
            if parameters["refreshToken"] == "bad":
                self.answer(400, {"error": "invalid_grant"})
            else:
                self.answer(200, {"accessToken": "fresh", "expiresIn": 3600, "refreshToken": "next"})
        elif self.path == "/v1/token":
            LOG.append(["CreateOAuth2Token", {"tokenInput": json.loads(body)}])
            token = {"accessKeyId": "login>fresh", "secretAccessKey": "secret", "sessionToken": "token"}
            self.answer(200, {"accessToken": token, "expiresIn": 3600, "refreshToken": "next",
                              "tokenType": "aws_sigv4"})
        else:
            parameters = dict(urllib.parse.parse_qsl(body))
            operation = parameters.pop("Action")
            parameters.pop("Version")
            LOG.append([operation, parameters])
            key = self.headers.get("Authorization", "Credential=/").split("Credential=")[1].split("/")[0]
            role = parameters["RoleArn"]
            arn = f"arn:aws:sts::{role.split(':')[4]}:assumed-role/x/y"
            name = f"{key}>{role.split('/')[-1]}"
            self.answer(200, XML.format(operation, name, LATER.strftime("%Y-%m-%dT%H:%M:%SZ"), arn))

    def log_message(self, *arguments):
        pass


def session(question):
    home = question["home"]
    os.environ.clear()
    os.environ.update(question["env"])
    os.environ["HOME"] = home
    for cls in (botocore.credentials.SSOProvider, botocore.tokens.SSOTokenProvider):
        cls._SSO_TOKEN_CACHE_DIR = os.path.join(home, ".aws/sso/cache")
    found = botocore.session.Session(profile=question.get("profile"))
    found.register_component("data_loader", LOADER)
    return found


def credentials(question):
    LOG.clear()
    found = session(question)
    cache = botocore.utils.JSONFileCache(os.path.join(question["home"], ".aws/cli/cache"))
    resolver = botocore.credentials.create_credential_resolver(found, cache=cache)
    resolver.get_provider("assume-role")._prompter = lambda prompt: "123456"
    found.register_component("credential_provider", resolver)
    answer = found.get_credentials()
    if answer is None:
        return {"nothing": True, "log": LOG}
    keys = answer.get_frozen_credentials()
    keys = {"key": keys.access_key, "secret": keys.secret_key, "token": keys.token, "account": keys.account_id}
    return {"method": answer.method, "log": LOG, **keys}


def settings(question):
    found = session(question)
    names = question["names"]
    answer = {name: found.get_config_variable(name) for name in names}
    answer["mode"] = botocore.utils.resolve_imds_endpoint_mode(found)
    client = found.create_client("s3", region_name=found.get_config_variable("region") or "eu-west-1")
    config = client.meta.config
    answer["connect_timeout"] = config.connect_timeout
    answer["retries"] = config.retries
    answer["s3"] = config.s3 or {}
    for name in ("request_checksum_calculation", "response_checksum_validation", "account_id_endpoint_mode",
                 "request_min_compression_size_bytes"):
        answer[name] = getattr(config, name)
    urls = {}
    for service in ("s3", "dynamodb", "secretsmanager", "sts"):
        provider = botocore.configprovider.ConfiguredEndpointProvider(
            full_config=found.full_config, scoped_config=found.get_scoped_config(), client_name=service)
        ignored = found.get_config_variable("ignore_configured_endpoint_urls")
        urls[service] = None if ignored else provider.provide()
    answer["urls"] = urls
    return answer


def parse(question):
    path = question["path"]
    found = botocore.configloader.load_config(path)
    return {name: found[name] for name in ("profiles", "sso_sessions", "services")}


def key(question):
    made = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answers = {"credentials": credentials, "settings": settings, "parse": parse, "key": key,
               "port": lambda _: server.server_port}
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = answers[question["ask"]](question)
        except Exception as error:  # noqa: BLE001 (whatever goes wrong is the answer)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
