"""Random calls of every method of every API, as google-api-python-client makes them: one JSON object a line."""

import copy
import json
import pathlib
import random
import re
import sys
import types
import urllib.parse

import googleapiclient
from googleapiclient import discovery, http, schema
from googleapiclient.model import JsonModel

# Nobody reads what methods say of themselves here, and it takes long to write.
schema.Schemas.prettyPrintSchema = lambda *_: ""
schema.Schemas.prettyPrintByName = lambda *_: ""

LETTERS = "abcXYZ019-._~"
ODD = " /?&=+%:@!$'()*,;[]#\u00fc\u0416"
OPEN = " &=+:@!$'()*,;\u00fc/"
GUESSES = [
    "a1", "my-project-1", "12345678", "3", "projects/p1", "folders/12", "organizations/12", "2026-01-02", "europe-west1",
    "global/images/a1", "a1/b2", "-", "true", "users/me", "properties/1", "AB", "locations/global", "2026-01-02T03:04:05Z",
]
rand = random.Random(int(sys.argv[1]))


def text(more):
    letters = LETTERS + (more if rand.random() < 0.5 else "")
    return "".join(rand.choice(letters) for _ in range(rand.randint(1, 12)))


def fitting(pattern, is_open):
    """A text that a pattern takes, or nothing."""
    for _ in range(4):
        inside = text("" if "[^/]" in pattern else OPEN if is_open else ODD).replace("/", "s")
        guess = pattern.removeprefix("^").removesuffix("$").replace("[^/]+", inside).replace(".*", inside)
        if re.match(pattern, guess) and not set(guess) & set("?#%[]\\"):
            return guess
    return next((it for it in rand.sample(GUESSES, len(GUESSES)) if re.match(pattern, it)), None)


def value(about, is_open):
    if about.get("enum"):
        return rand.choice(about["enum"])
    kind = about.get("type", "string")
    if about.get("pattern") and kind == "integer":
        return next((it for it in ("3", "12345678") if re.match(about["pattern"], it)), None)
    if about.get("pattern"):
        return fitting(about["pattern"], is_open)
    if kind == "integer":
        return rand.randint(-5, 10**6)
    if kind == "number":
        return rand.choice([1.5, -2.25, 100.125])
    if kind == "boolean":
        return rand.random() < 0.5
    return text(OPEN if is_open else ODD)


def of_schema(schemas, about, depth):
    if "$ref" in about:
        return of_schema(schemas, schemas[about["$ref"]], depth)
    kind = about.get("type", "string")
    if kind == "string":
        return 7 if about.get("format") == "int64" and rand.random() < 0.3 else text(ODD)
    if kind in ("integer", "number", "boolean"):
        return value({"type": kind}, False)
    if depth > 3:
        return [] if kind == "array" else {}
    if kind == "array":
        return [of_schema(schemas, about["items"], depth + 1) for _ in range(rand.randint(0, 2))]
    if kind == "any":
        return rand.choice([1, "x", [True], {"y": None}])
    known = about.get("properties", {})
    sent = {it: of_schema(schemas, known[it], depth + 1) for it in rand.sample(list(known), min(len(known), 4))}
    if isinstance(about.get("additionalProperties"), dict):
        sent[text("")] = of_schema(schemas, about["additionalProperties"], depth + 1)
    return sent


def arguments(method, common):
    given = {}
    all_of_it = {**{it: about for it, about in common.items() if it == "fields"}, **method.get("parameters", {})}
    for name, about in all_of_it.items():
        required = about.get("required") or about.get("location") == "path"
        if not required and rand.random() < 0.5:
            continue
        is_open = "{+" + name + "}" in method["path"]
        if about.get("repeated") and rand.random() < 0.7 and about.get("location") != "path":
            found = [value(about, is_open) for _ in range(rand.randint(1, 3))]
            found = None if None in found else found
        else:
            found = value(about, is_open)
        if found is None:
            if required:
                return None
            continue
        given[name] = found
    if rand.random() < 0.02:
        given["fields"] = "x" * 3000
    return given


def call(method, name, document, schemas, media):
    given = arguments(method, document.get("parameters", {}))
    if given is None:
        return None
    words = {discovery.key2param(it): value for it, value in given.items()}
    body = None
    if "request" in method and method["httpMethod"] in discovery.HTTP_PAYLOAD_METHODS and rand.random() < 0.8:
        body = of_schema(document.get("schemas", {}), method["request"], 0)
        words["body"] = body
    sends = "mediaUpload" in method and media is None and rand.random() < 0.7
    if sends:
        # Google's client cannot have both, media and a parameter that is there twice.
        given = {it: value[0] if isinstance(value, list) else value for it, value in given.items()}
        words.update({discovery.key2param(it): value for it, value in given.items()})
        kind = method["mediaUpload"]["accept"][0].replace("*", "x") if method["mediaUpload"].get("accept") else "a/b"
        resumable = "resumable" in method["mediaUpload"]["protocols"] and rand.random() < 0.5
        words["media_body"] = http.MediaInMemoryUpload(b"xyz", mimetype=kind, resumable=resumable)
        media = "resumable" if resumable else "media" if body is None else "multipart"
    base = urllib.parse.urljoin(document["rootUrl"], document["servicePath"])
    caller = types.SimpleNamespace(
        _validate_credentials=lambda: True, _baseUrl=base, _developerKey=None, _model=JsonModel(False), _http=None,
        _requestBuilder=http.HttpRequest,
    )
    made_as = name.split(".")[-1] + ("_media" if media == "download" else "")
    _, function = discovery.createMethod(made_as, copy.deepcopy(method), document, schemas)
    made = function(caller, **words)
    sent = made.body
    if len(made.uri) > http.MAX_URI_LENGTH and made.method == "GET":
        # As `execute` does it, which would call somebody.
        made.uri, _, sent = made.uri.partition("?")
        made.method = "POST"
    headers = {it: made.headers[it] for it in ("content-type", "x-goog-api-version") if it in made.headers}
    return {
        "api": document["name"], "version": document["version"], "method": name, "args": given, "body": body,
        "media": media, "verb": made.method, "uri": made.uri, "headers": headers,
        "sent": None if sends or sent is None else sent,
    }


def walk(resource, prefix=""):
    for name, method in resource.get("methods", {}).items():
        yield prefix + name, method
    for name, inner in resource.get("resources", {}).items():
        yield from walk(inner, prefix + name + ".")


def main():
    folder = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache/documents"
    seen = set()
    skipped = 0
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        if "rootUrl" not in document or (document["name"], document["version"]) in seen:
            continue
        seen.add((document["name"], document["version"]))
        schemas = schema.Schemas(document)
        for name, method in walk(document):
            kinds = [None, "download"] if method.get("supportsMediaDownload") else [None]
            for kind in kinds:
                made = call(method, name, document, schemas, kind)
                skipped += made is None
                if made:
                    print(json.dumps(made))
    print(json.dumps({"apis": len(seen), "skipped": skipped}))


main()
