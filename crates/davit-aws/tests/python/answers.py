"""Makes up answers of every operation of a service and says what botocore reads in them.

{"service": ..., "seed": ...} is answered with cases; {"service": ..., "operation": ..., "frames": ...}
with the events that botocore reads in the operation's input stream.
"""

import base64
import datetime
import email.utils
import gc
import json
import random
import struct
import sys
import zlib
from xml.sax.saxutils import escape, quoteattr

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser
from urllib3 import HTTPHeaderDict

UTC = datetime.timezone.utc
TEXTS = ["", "plain", "h\u00e9 \u4e16 \U0001f600", "<a>&\"'</a>", " spaces ", "a\nb\tc", "true", "0", "x" * 300]
WORDS = ["a", "b-2", "us-east-1", "0", "true", "some words", "x;y=z"]
INTS = [0, 1, -1, 200, 2**31 - 1, -(2**31)]
FLOATS = [0.0, 1.0, -2.5, 1e300, 1.1, 3e-7, 12345.678]
STATUSES = [400, 403, 404, 409, 429, 500, 503]
LOCATED = ("header", "headers", "statusCode")


class Bytes:
    """A body that is not read as a whole."""

    def __init__(self, content):
        self.content = content

    def stream(self):
        yield from (self.content[at : at + 50] for at in range(0, len(self.content), 50))


def tagged(value):
    """The value as JSON that tells all types apart."""
    if isinstance(value, dict):
        return {key: tagged(it) for key, it in value.items()}
    if isinstance(value, list):
        return [tagged(it) for it in value]
    if isinstance(value, Bytes):
        return tagged(value.content)
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, float):
        return {"$float": "nan" if value != value else struct.pack(">d", value).hex()}
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        since = aware - datetime.datetime(1970, 1, 1, tzinfo=UTC)
        return {"$time": since // datetime.timedelta(microseconds=1)}
    return value


class Maker:
    """Makes up values of shapes, no more than there is room for."""

    def __init__(self, rng, room):
        self.rng = rng
        self.room = room

    def value(self, shape, depth=0):
        self.room -= 1
        kind, rng = shape.type_name, self.rng
        if kind == "structure":
            return self.document(2) if shape.is_document_type else self.members(shape, depth)
        if kind == "list":
            return [self.value(shape.member, depth + 1) for _ in range(self.count(depth))]
        if kind == "map":
            keys = rng.sample(["k", "key two", "\u00e9", "a.b"], self.count(depth))
            return {key: self.value(shape.value, depth + 1) for key in keys}
        if kind in ("integer", "long"):
            return rng.choice(INTS + [2**53 + 1, -(2**63)] * (kind == "long"))
        if kind == "timestamp":
            micros = rng.choice([0, 0, 123000, 123456, 999999])
            return datetime.datetime.fromtimestamp(rng.randrange(-(10**8), 4 * 10**9), UTC).replace(microsecond=micros)
        return rng.choice({
            "float": FLOATS, "double": FLOATS, "boolean": [True, False], "blob": [b"", b"a", b"\x00\xff\xfe", b"text"],
        }.get(kind, TEXTS))

    def count(self, depth):
        return 0 if self.room < 0 or depth > 12 else self.rng.choice([0, 1, 1, 2, 3])

    def members(self, shape, depth):
        names = list(shape.members)
        if shape.is_tagged_union:
            return {name: self.value(shape.members[name], depth + 1) for name in names and [self.rng.choice(names)]}
        chosen = [it for it in names if self.rng.random() < 0.75 and depth < 14]
        made = {}
        for name in chosen:
            if self.room > 0:
                made[name] = self.value(shape.members[name], depth + 1)
        return made

    def document(self, depth):
        rng = self.rng
        if depth and rng.random() < 0.6:
            return rng.choice([
                {"x": self.document(depth - 1), "y": None}, [self.document(depth - 1), 1], {},
            ])
        return rng.choice(["text", 1, 1.5, True, {"a": None}])


def moment(rng, value):
    whole = value.replace(microsecond=0)
    texts = [
        value.isoformat().replace("+00:00", "Z"), value.isoformat(),
        value.astimezone(datetime.timezone(datetime.timedelta(hours=-7))).isoformat(),
        value.isoformat().replace("+00:00", ""), whole.strftime("%Y%m%dT%H%M%SZ"),
        whole.isoformat().replace("+00:00", ".123456789Z"), value.isoformat().replace("+00:00", "+0000"),
        email.utils.format_datetime(whole, usegmt=True), repr(value.timestamp()), str(int(whole.timestamp())),
    ]
    return rng.choice(texts)


class Json:
    """Writes values as JSON, with what a reader should not mind."""

    def __init__(self, rng, converts):
        self.rng = rng
        self.converts = converts

    def of(self, shape, value):
        rng, kind = self.rng, shape.type_name
        if kind == "structure" and not shape.is_document_type:
            return self.structure(shape, value)
        if kind == "list":
            items = [self.of(shape.member, it) for it in value]
            return items + [None] * (rng.random() < 0.05)
        if kind == "map":
            return {key: self.of(shape.value, it) for key, it in value.items()}
        if kind == "blob":
            return base64.b64encode(value).decode() + "\n" * (rng.random() < 0.1)
        if kind == "timestamp":
            return rng.choice([value.timestamp(), int(value.timestamp()), moment(rng, value)])
        if self.converts and kind != "string" and not isinstance(value, dict) and rng.random() < 0.1:
            return json.dumps(value)
        if kind in ("float", "double") and rng.random() < 0.1:
            return rng.choice(["NaN", "Infinity", 3])
        return value

    def structure(self, shape, value):
        rng, out = self.rng, {}
        for name, it in value.items():
            member = shape.members[name]
            if member.serialization.get("location") in LOCATED or member.serialization.get("eventheader"):
                continue
            out[member.serialization.get("name", name)] = self.of(member, it)
        if shape.is_tagged_union:
            if rng.random() < 0.1:
                out = {"newerThanTheModel": {"a": 1}}
            return {**out, "__type": "x"} if rng.random() < 0.1 else {**out}
        for name, member in shape.members.items():
            if name not in value and rng.random() < 0.1:
                out.setdefault(member.serialization.get("name", name), None)
        if rng.random() < 0.2:
            out["unknownToTheModel"] = rng.choice([1, None, {"a": [1]}, "x"])
        items = list(out.items())
        rng.random() < 0.3 and rng.shuffle(items)
        return dict(items)

    def dump(self, value):
        rng = self.rng
        return json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=1 if rng.random() < 0.05 else None).encode()


class Xml:
    """Writes values as XML, with what a reader should not mind."""

    def __init__(self, rng):
        self.rng = rng

    def text(self, value):
        rng, way = self.rng, self.rng.random()
        if way < 0.1:
            return f"<![CDATA[{value}]]>"
        if way < 0.2:
            return "".join(it if it.isalnum() else f"&#{ord(it)};" for it in value)
        if way < 0.25 and value:
            return escape(value[:1]) + "<!-- <x> -->" + escape(value[1:])
        return escape(value, {'"': "&quot;"} if rng.random() < 0.5 else {})

    def element(self, name, inner, attributes=""):
        if not inner and self.rng.random() < 0.5:
            return f"<{name}{attributes}/>"
        return f"<{name}{attributes}>{inner}</{name}>"

    def one(self, name, shape, value):
        kind = shape.type_name
        if kind == "structure":
            inner, attributes = self.structure(shape, value)
            return self.element(name, inner, attributes)
        if kind == "list":
            item = shape.member.serialization.get("name", "member")
            return self.element(name, self.space([self.one(item, shape.member, it) for it in value]))
        if kind == "map":
            return self.element(name, self.space([self.pair("entry", shape, *it) for it in value.items()]))
        return self.element(name, self.scalar(kind, value))

    def scalar(self, kind, value):
        rng = self.rng
        if kind == "boolean":
            return str(value).lower()
        if kind == "blob":
            return base64.b64encode(value).decode()
        if kind == "timestamp":
            return moment(rng, value)
        if kind in ("integer", "long"):
            return rng.choice(["", "", " "]) + str(value)
        if kind in ("float", "double"):
            return rng.choice([repr(value), repr(value), "NaN", "-Infinity", "3"])
        return self.text(value)

    def pair(self, name, shape, key, value):
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        return self.element(name, self.space([self.one(key_name, shape.key, key), self.one(value_name, shape.value, value)]))

    def space(self, elements):
        between = self.rng.choice(["", "", "\n  "])
        return between + between.join(elements) + between if elements else ""

    def structure(self, shape, value, skip=()):
        rng, out, attributes, used = self.rng, [], "", set()
        for name, it in value.items():
            member = shape.members[name]
            traits = member.serialization
            if traits.get("location") in LOCATED or traits.get("eventheader") or traits.get("name", name) in skip:
                continue
            name = traits.get("name", name)
            if traits.get("xmlAttribute"):
                attributes += f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {name}={quoteattr(it)}'
            elif traits.get("flattened") and member.type_name == "list":
                name = member.member.serialization.get("name") or name
                # Two members of S3's share a name. botocore gives elements of its tree where there are several.
                shared = any(other.serialization.get("name", key) == name for key, other in shape.members.items() if other is not member)
                out += [self.one(name, member.member, one) for one in (it[: name not in used] if shared else it)]
            elif traits.get("flattened") and member.type_name == "map":
                out += [self.pair(name, member, *one) for one in it.items()]
            elif name not in used:
                out.append(self.one(name, member, it))
            used.add(name)
        if shape.is_tagged_union:
            return self.space(["<newer>1</newer>"] if rng.random() < 0.1 else out), attributes
        if rng.random() < 0.15:
            out.append("<unknownToTheModel>1<a/>2</unknownToTheModel>")
        rng.random() < 0.3 and rng.shuffle(out)
        return self.space(out), attributes

    def document(self, name, inner, attributes=""):
        rng = self.rng
        head = rng.choice(["", '<?xml version="1.0" encoding="UTF-8"?>\n', "\ufeff", "<!-- x -->\r\n"])
        if rng.random() < 0.5:
            attributes += ' xmlns="http://example.amazonaws.com/doc/2020-01-01/"'
        return (head + self.element(name, inner, attributes)).encode()


class Cbor:
    """Writes values as CBOR, with what a reader should not mind."""

    def __init__(self, rng):
        self.rng = rng

    def structure(self, shape, value):
        items = [[self.text(name), self.write(shape.members[name], it)] for name, it in value.items()]
        if not shape.is_tagged_union:
            items += [[self.text("unknown"), b"\x83\x01\xf6\xf5"], [self.text("nothing"), b"\xf7"]]
        return sum(items, [])

    def head(self, major, number):
        for info, form, end in [(None, "", 24), (24, ">B", 2**8), (25, ">H", 2**16), (26, ">I", 2**32), (27, ">Q", 2**64)]:
            if number < end and not (form and self.rng.random() < 0.1 and info < 27):
                rest = struct.pack(form, number) if form else b""
                return bytes([major << 5 | (number if info is None else info)]) + rest

    def many(self, major, items):
        if self.rng.random() < 0.3:
            return bytes([major << 5 | 31]) + b"".join(items) + b"\xff"
        return self.head(major, len(items) // (2 if major == 5 else 1)) + b"".join(items)

    def string(self, major, value):
        if self.rng.random() < 0.2:
            middle = len(value) // 2
            return bytes([major << 5 | 31]) + self.plain(major, value[:middle]) + self.plain(major, value[middle:]) + b"\xff"
        return self.plain(major, value)

    def plain(self, major, value):
        return self.head(major, len(value)) + value

    def write(self, shape, value):
        kind = shape.type_name if shape else "string"
        if kind == "structure":
            return self.many(5, self.structure(shape, value))
        if kind == "list":
            return self.many(4, [self.write(shape.member, it) for it in value])
        if kind == "map":
            return self.many(5, sum([[self.text(key), self.write(shape.value, it)] for key, it in value.items()], []))
        if kind == "timestamp":
            return b"\xc1" + self.rng.choice([self.number(int(value.timestamp())), self.float(value.timestamp())])
        if kind == "blob":
            return self.string(2, value)
        if isinstance(value, bool):
            return b"\xf5" if value else b"\xf4"
        if isinstance(value, int):
            return self.number(value)
        return self.float(value) if isinstance(value, float) else self.text(value)

    def text(self, value):
        return self.plain(3, value.encode())

    def number(self, value):
        return self.head(0, value) if value >= 0 else self.head(1, -1 - value)

    def float(self, value):
        forms = [(b"\xfb", ">d")] + [(b"\xfa", ">f"), (b"\xf9", ">e")] * (abs(value) < 60000)
        first, form = self.rng.choice(forms)
        return first + struct.pack(form, value)


class Service:
    """Makes up answers of one service."""

    def __init__(self, session, name, seed):
        self.rng = random.Random(f"{name} {seed}")
        self.model = session.get_service_model(name)
        self.protocol = self.model.resolved_protocol
        self.parser = create_parser(self.protocol)
        self.json = Json(self.rng, self.protocol == "rest-json")
        self.xml = Xml(self.rng)
        self.cbor = Cbor(self.rng)

    def headers(self, shape, value):
        rng, out = self.rng, [["Content-Type", "application/x"], ["X-Amzn-RequestId", "from-header"]]
        if rng.random() < 0.3:
            out = [["x-amz-request-id", "other-header"], ["x-amz-id-2", "host"]]
        for name, it in value.items() if self.protocol.startswith("rest") else []:
            member = shape.members[name]
            place, header = member.serialization.get("location"), member.serialization.get("name", name)
            if place == "headers":
                out += [[header + key, rng.choice(WORDS)] for key in ("one", "Two")[: len(it)]]
            elif place == "header":
                header = rng.choice([header, header.lower()])
                out.append([header, self.header(member, it)])
        return out

    def header(self, shape, value):
        if shape.serialization.get("jsonvalue"):
            return base64.b64encode(json.dumps({"a": [1, None]}).encode()).decode()
        if shape.type_name == "list":
            return self.rng.choice([", ", ","]).join(self.rng.sample(WORDS[:5], 3))
        if shape.type_name in ("boolean", "timestamp", "integer", "long"):
            return self.xml.scalar(shape.type_name, value).strip()
        return self.rng.choice(WORDS)

    def body(self, shape, value, operation):
        traits = shape.serialization if shape else {}
        if self.protocol.startswith("rest") and "payload" in traits:
            name = traits["payload"]
            shape = shape.members[name]
            if shape.type_name in ("string", "blob"):
                content = value.get(name, b"")
                return Bytes(content) if shape.type_name == "blob" else (content or "").encode()
            if name not in value:
                return b""
            value = value[name]
        if self.protocol in ("json", "rest-json"):
            return self.json.dump(self.json.of(shape, value)) if shape else b"{}"
        if self.protocol == "smithy-rpc-v2-cbor":
            return self.cbor.write(shape, value) if shape else b""
        inner, attributes = self.xml.structure(shape, value) if shape else ("", "")
        if self.protocol == "rest-xml":
            return self.xml.document("Root", inner, attributes)
        if self.protocol == "ec2":
            return self.xml.document("Response", inner + "<requestId>r-1</requestId>", attributes)
        wrapped = self.xml.element(traits.get("resultWrapper", "Result"), inner)
        return self.xml.document("Answer", wrapped + "<ResponseMetadata><RequestId>r-2</RequestId></ResponseMetadata>")

    def parse(self, status, headers, body, shape, operation):
        joined = HTTPHeaderDict()
        for header in headers:
            joined.add(*header)
        response = {"status_code": status, "headers": HeadersDict(joined), "body": body}
        return self.parser.parse({**response, "context": {"operation_name": operation.name}}, shape)

    def case(self, kind, operation, status, headers, body, judge):
        content = body.content if isinstance(body, Bytes) else body
        case = {"kind": kind, "operation": operation.name, "status": status, "headers": headers}
        case["body"] = base64.b64encode(content).decode()
        try:
            case["want"] = judge(status, headers, body)
        except Exception as error:
            case["raises"] = repr(error)
        return case

    def output(self, operation):
        shape = operation.output_shape
        value = Maker(self.rng, 100).members(shape, 0) if shape else {}
        return self.headers(shape, value), self.body(shape, value, operation)

    def judge_output(self, operation):
        def judge(status, headers, body):
            parsed = self.parse(status, headers, body, operation.output_shape, operation)
            metadata = parsed.pop("ResponseMetadata")
            return {"values": tagged(parsed), "metadata": metadata}

        return judge

    def error_body(self, code, shape, status):
        rng = self.rng
        value = Maker(rng, 30).members(shape, 1) if shape else {}
        headers = self.headers(shape, value) if shape else [["x-amzn-requestid", "e-1"]]
        message = rng.choice(["it went wrong", "<&>", ""])
        if self.protocol in ("json", "rest-json", "smithy-rpc-v2-cbor"):
            long = rng.choice(["", "com.amazon#"]) + code + rng.choice(["", ":http://x/y#z"])
            if rng.random() < 0.2 and self.protocol != "rest-json":
                headers.append(["x-amzn-query-error", rng.choice([code + ";Sender", "Old.Code;Receiver", "odd", ";Sender"])])
            if self.protocol == "smithy-rpc-v2-cbor":
                known = self.cbor.structure(shape, value) if shape else []
                items = [[self.cbor.text("__type"), self.cbor.text(long)], [self.cbor.text("message"), self.cbor.text(message)]]
                return headers, self.cbor.many(5, sum(items, []) + known)
            out = self.json.structure(shape, value) if shape else {}
            out.pop("code", None), out.pop("Code", None)
            out[rng.choice(["message", "Message"])] = message
            way = rng.random()
            if way < 0.4 or self.protocol == "json":
                out["__type"] = long
            elif way < 0.7:
                headers.append(["X-Amzn-ErrorType", long])
            elif way < 0.9:
                out[rng.choice(["code", "Code"])] = long
            return headers, self.json.dump(out)
        inner, _ = self.xml.structure(shape, value, ("Code", "Message", "Type", "RequestId", "HostId")) if shape else ("", "")
        kind = rng.choice(["<Type>Sender</Type>", "<Type>Receiver</Type>", ""])
        parts = [f"<Code>{code}</Code>", f"<Message>{escape(message)}</Message>", kind, inner]
        inner = self.xml.space(parts)
        if self.protocol == "ec2":
            return headers, self.xml.document("Response", f"<Errors><Error>{inner}</Error></Errors><RequestID>e-2</RequestID>")
        if self.protocol == "rest-xml" and rng.random() < 0.5:
            return headers, f"<Error>{inner}<RequestId>e-3</RequestId><HostId>e-4</HostId></Error>".encode()
        return headers, self.xml.document("ErrorResponse", f"<Error>{inner}</Error><RequestId>e-5</RequestId>")

    def error(self, operation):
        known = operation.error_shapes
        shape = self.rng.choice(known) if known and self.rng.random() < 0.8 else None
        code = shape.error_code if shape else self.rng.choice(["Throttling", "AccessDenied", "Own.Code"])
        status = shape and shape.metadata.get("error", {}).get("httpStatusCode") or self.rng.choice(STATUSES)
        headers, body = self.error_body(code, shape, status)
        if self.rng.random() < 0.05:
            body = b""
        return status, headers, body

    def judge_error(self, operation):
        def judge(status, headers, body):
            parsed = self.parse(status, headers, body, operation.output_shape, operation)
            error = dict(parsed.get("Error", {}))
            want = {key: error.pop(key, None) for key in ("Code", "Message", "Type", "QueryErrorCode")}
            shape = self.model.shape_for_error_code(want["Code"])
            want["fields"] = {}
            if shape:
                fields = self.parse(status, headers, body, shape, operation)
                fields.pop("ResponseMetadata", None), fields.pop("Error", None)
                want["fields"] = tagged(fields)
            want["shape"] = shape and shape.name
            want["details"] = error
            want["metadata"] = parsed["ResponseMetadata"]
            return want

        return judge

    def garbage(self, body):
        rng = self.rng
        content = body.content if isinstance(body, Bytes) else body
        return rng.choice([
            content[: rng.randrange(len(content) + 1)], b"<html><body>Sign in</body></html>", b"<!DOCTYPE html><html><br></html>",
            b"Service Unavailable", b"\xff\xfe\x00", b"[]", b'"x"', b"{", b"<a><b></a>", b"", content + b"<x>", b"\xa1",
        ])

    def frame(self, headers, payload):
        out = b""
        for name, (kind, value) in headers.items():
            out += bytes([len(name)]) + name.encode() + bytes([kind])
            sized = value.encode() if isinstance(value, str) else value
            form = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}.get(kind)
            out += struct.pack(form, value) if form else struct.pack(">H", len(sized)) + sized if kind in (6, 7) else sized
        frame = struct.pack(">II", len(out) + len(payload) + 16, len(out))
        frame += struct.pack(">I", zlib.crc32(frame)) + out + payload
        return frame + struct.pack(">I", zlib.crc32(frame))

    def event(self, shape, name):
        member = shape.members.get(name)
        value = Maker(self.rng, 40).members(member, 1) if member else {}
        failed = member and member.metadata.get("exception")
        headers = {":message-type": (7, "exception" if failed else "event")}
        headers[":exception-type" if failed else ":event-type"] = (7, name)
        body_shape, body = member, value
        for key in list(member.members if member else []):
            one = member.members[key]
            if one.serialization.get("eventheader") and key in value:
                headers[key] = self.event_header(one.type_name, value[key])
            if one.serialization.get("eventpayload"):
                body_shape, body = one, value.get(key, {} if one.type_name == "structure" else b"")
        if isinstance(body, (bytes, str)):
            payload = body.encode() if isinstance(body, str) else body
        elif self.protocol == "rest-xml":
            payload = self.xml.document("Event", *(self.xml.structure(body_shape, body) if body_shape else ("",)))
        else:
            payload = self.json.dump(self.json.structure(body_shape, body) if body_shape else {})
        return self.frame(headers, payload)

    def event_header(self, kind, value):
        if kind == "boolean":
            return (0 if value else 1, b"")
        if kind == "timestamp":
            return (8, int(value.timestamp()) * 1000 + value.microsecond // 1000)
        return ({"integer": 4, "long": 5, "blob": 6}.get(kind, 7), value)

    def events(self, operation):
        output = operation.output_shape
        shape = operation.get_event_stream_output()
        names = list(shape.members)
        failing = [it for it in names if shape.members[it].metadata.get("exception")]
        frames = [] if self.protocol.startswith("rest") else [self.first(output)]
        frames += [self.event(shape, it) for it in [*names, "newer"] if it not in failing]
        error = self.frame({":message-type": (7, "error"), ":error-code": (7, "Odd"), ":error-message": (7, "m")}, b"")
        frames.append(self.rng.choice([self.event(shape, it) for it in failing] + [error]))
        value = Maker(self.rng, 20).members(output, 0)
        return self.headers(output, value), Bytes(b"".join(frames))

    def first(self, output):
        value = {key: it for key, it in Maker(self.rng, 20).members(output, 0).items() if key != output.event_stream_name}
        headers = {":message-type": (7, "event"), ":event-type": (7, "initial-response")}
        return self.frame(headers, self.json.dump(self.json.structure(output, value)))

    def judge_events(self, operation):
        def judge(status, headers, body):
            parsed = self.parse(status, headers, body, operation.output_shape, operation)
            stream = parsed.pop(operation.output_shape.event_stream_name)
            parsed.pop("ResponseMetadata")
            return {"values": tagged(parsed), "events": read_events(stream)}

        return judge

    def cases(self):
        rng, cases = self.rng, []
        for name in self.model.operation_names:
            operation = self.model.operation_model(name)
            if operation.has_event_stream_output:
                cases.append(self.case("events", operation, 200, *self.events(operation), self.judge_events(operation)))
            else:
                headers, body = self.output(operation)
                status = rng.choice([200, 200, 201, 204])
                cases.append(self.case("output", operation, status, headers, body, self.judge_output(operation)))
                if rng.random() < 0.2 and not isinstance(body, Bytes):
                    case = self.case("garbage", operation, 200, headers, self.garbage(body), self.judge_output(operation))
                    cases.append(case)
            status, headers, body = self.error(operation)
            cases.append(self.case("error", operation, status, headers, body, self.judge_error(operation)))
            if rng.random() < 0.2:
                case = self.case("odd error", operation, status, headers, self.garbage(body), self.judge_error(operation))
                cases.append(case)
            if operation.has_event_stream_input:
                shape = operation.get_event_stream_input()
                values = [{it: Maker(rng, 30).members(shape.members[it], 1)} for it in shape.members if not shape.members[it].metadata.get("exception")]
                cases.append({"kind": "input", "operation": name, "values": tagged(values)})
        return cases


def read_events(stream):
    events = []
    try:
        events.extend(tagged(it) for it in stream)
    except EventStreamError as error:
        events.append({"$error": error.response["Error"]})
    return events


def main():
    gc.set_threshold(200_000)
    session = botocore.session.get_session()
    for line in sys.stdin:
        session.get_component("data_loader")._cache.clear()
        question = json.loads(line)
        if "frames" in question:
            service = Service(session, question["service"], 0)
            shape = service.model.operation_model(question["operation"]).get_event_stream_input()
            body = Bytes(base64.b64decode(question["frames"]))
            answer = read_events(EventStream(body, shape, service.parser._event_stream_parser, "x"))
        elif "service" in question:
            service = Service(session, question["service"], question["seed"])
            answer = {"operations": len(service.model.operation_names), "cases": service.cases()}
        else:
            answer = session.get_available_services()
        print(json.dumps(answer), flush=True)


main()
