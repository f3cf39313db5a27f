"""Makes up values of shapes and writes them as JSON, XML or CBOR, with what a reader should not mind."""

import base64
import datetime
import email.utils
import json
import struct
from xml.sax.saxutils import escape, quoteattr

UTC = datetime.timezone.utc
TEXTS = ["", "plain", "h\u00e9 \u4e16 \U0001f600", "<a>&\"'</a>", " spaces ", "a\nb\tc", "true", "0", "x" * 300]
WORDS = ["a", "b-2", "us-east-1", "0", "true", "some words", "x;y=z"]
INTS = [0, 1, -1, 200, 2**31 - 1, -(2**31)]
FLOATS = [0.0, 1.0, -2.5, 1e300, 1.1, 3e-7, 12345.678]
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
            nothing = shape.value.type_name == "string" and rng.random() < 0.1
            return {**{key: self.of(shape.value, it) for key, it in value.items()}, **({"n": None} if nothing else {})}
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
        both = [self.one(key_name, shape.key, key), self.one(value_name, shape.value, value)]
        return self.element(name, self.space(both))

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
                # Some members of S3's share a name. botocore gives elements of its tree where there are several.
                others = [(key, other) for key, other in shape.members.items() if other is not member]
                shared = any(other.serialization.get("name", key) == name for key, other in others)
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
        forms = [(None, "", 24), (24, ">B", 2**8), (25, ">H", 2**16), (26, ">I", 2**32), (27, ">Q", 2**64)]
        for info, form, end in forms:
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
            pieces = self.plain(major, value[:middle]) + self.plain(major, value[middle:])
            return bytes([major << 5 | 31]) + pieces + b"\xff"
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
            items = [[self.text(key), self.write(shape.value, it)] for key, it in value.items()]
            return self.many(5, sum(items + [[self.text("nothing"), b"\xf6"]], []))
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
