"""Makes up answers of every operation of a service and says what botocore reads in them.

{"service": ..., "seed": ...} is answered with cases; {"service": ..., "operation": ..., "frames": ...}
with the events that botocore reads in the operation's input stream.
"""

import base64
import gc
import json
import random
import struct
import sys
import zlib
from xml.sax.saxutils import escape

import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser
from urllib3 import HTTPHeaderDict

from answers_wire import WORDS, Bytes, Cbor, Json, Maker, Xml, tagged

STATUSES = [400, 403, 404, 409, 429, 500, 503]


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
                old = rng.choice([code + ";Sender", "Old.Code;Receiver", "odd", ";Sender"])
                headers.append(["x-amzn-query-error", old])
            if self.protocol == "smithy-rpc-v2-cbor":
                known = self.cbor.structure(shape, value) if shape else []
                items = [self.cbor.text(it) for it in ("__type", long, "message", message)]
                return headers, self.cbor.many(5, items + known)
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
        own = ("Code", "Message", "Type", "RequestId", "HostId")
        inner, _ = self.xml.structure(shape, value, own) if shape else ("", "")
        kind = rng.choice(["<Type>Sender</Type>", "<Type>Receiver</Type>", ""])
        parts = [f"<Code>{code}</Code>", f"<Message>{escape(message)}</Message>", kind, inner]
        inner = self.xml.space(parts)
        if self.protocol == "ec2":
            inner = f"<Errors><Error>{inner}</Error></Errors><RequestID>e-2</RequestID>"
            return headers, self.xml.document("Response", inner)
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
            content[: rng.randrange(len(content) + 1)],
            b"<html><body>Sign in</body></html>", b"<!DOCTYPE html><html><br></html>", b"Service Unavailable",
            b"\xff\xfe\x00", b"[]", b'"x"', b"{", b"<a><b></a>", b"", content + b"<x>", b"\xa1",
        ])

    def frame(self, headers, payload):
        out = b""
        for name, (kind, value) in headers.items():
            out += bytes([len(name)]) + name.encode() + bytes([kind])
            sized = value.encode() if isinstance(value, str) else value
            form = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}.get(kind)
            if kind in (6, 7):
                out += struct.pack(">H", len(sized))
            out += struct.pack(form, value) if form else sized
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
        value = Maker(self.rng, 20).members(output, 0)
        value.pop(output.event_stream_name, None)
        headers = {":message-type": (7, "event"), ":event-type": (7, "initial-response")}
        return self.frame(headers, self.json.dump(self.json.structure(output, value)))

    def judge_events(self, operation):
        def judge(status, headers, body):
            parsed = self.parse(status, headers, body, operation.output_shape, operation)
            stream = parsed.pop(operation.output_shape.event_stream_name)
            parsed.pop("ResponseMetadata")
            return {"values": tagged(parsed), "events": read_events(stream)}

        return judge

    def input_event(self, shape):
        """A payload that is not there and one that is empty are the same on the wire."""
        value = Maker(self.rng, 30).members(shape, 1)
        for name, member in shape.members.items():
            if member.serialization.get("eventpayload") and name not in value:
                value[name] = Maker(self.rng, 30).value(member)
        return value

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
                    judge = self.judge_output(operation)
                    cases.append(self.case("garbage", operation, 200, headers, self.garbage(body), judge))
            status, headers, body = self.error(operation)
            cases.append(self.case("error", operation, status, headers, body, self.judge_error(operation)))
            if rng.random() < 0.2:
                judge = self.judge_error(operation)
                cases.append(self.case("odd error", operation, status, headers, self.garbage(body), judge))
            if operation.has_event_stream_input:
                shape = operation.get_event_stream_input()
                events = {it: one for it, one in shape.members.items() if not one.metadata.get("exception")}
                values = [{it: self.input_event(one)} for it, one in events.items()]
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
