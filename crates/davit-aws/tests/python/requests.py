"""Random inputs of every operation of a service, with what botocore makes of them.

Asked {"service", "seed"}; answers for each operation its parameters with the request that botocore sends
before it is signed, and parameters that are wrong with what botocore finds wrong with them. Bytes, times
and numbers that JSON cannot carry are objects with one key: $blob, $time, $float.
"""

import base64
import datetime
import json
import random
import sys

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

UTC = datetime.timezone.utc
TOKEN = '11111111-2222-4333-8444-555555555555'
LETTERS = 'abcXYZ019 -_.~/+%&=?#:;,@!$\'()*"<>[]{}\\|^`'
ODD = 'é', 'ß', '漢', '🦀', '\n', '\t', '\r', '\x7f', '\x01', '\u2028'
FLOATS = (0.0, -0.0, 1.0, 0.1, -2.5, 1e-5, 1e16, 123456789.125, 1e22, 3.0e-7, 1e15)
SPECIAL = (float('nan'), float('inf'), float('-inf'))
NUMBERS = (0, 1, -1, 7, 42, 65536, 2**31 - 1)
# Whatever is deeper than this has only what it must have.
DEEP = 7


class Inputs:
    def __init__(self, seed, wrong=0.0):
        self.random = random.Random(seed)
        self.wrong = wrong

    def chance(self, share):
        return self.random.random() < share

    def text(self, least=0, place=None):
        if place == 'host':
            return ''.join(self.random.choices('abcXYZ019-.', k=max(1, least, self.random.randint(1, 8))))
        size = max(least, self.random.choice((0, 1, 3, 5, 8, 12)))
        text = ''.join(self.random.choices(LETTERS, k=size))
        if text and self.chance(0.3):
            at = self.random.randrange(size)
            odd = self.random.choice(ODD)
            # Line breaks and the like cannot stand in a header.
            if place != 'header' or odd.isprintable():
                text = text[:at] + odd + text[at + 1 :]
        return text

    def json(self, depth=0):
        kind = self.random.randrange(5 if depth > 2 else 7)
        if kind == 0:
            return None
        if kind == 1:
            return self.chance(0.5)
        if kind == 2:
            return self.random.choice(NUMBERS)
        if kind == 3:
            return self.random.choice(FLOATS)
        if kind == 4:
            return self.text()
        if kind == 5:
            return [self.json(depth + 1) for _ in range(self.random.randrange(3))]
        return {self.text(1): self.json(depth + 1) for _ in range(self.random.randrange(3))}

    def of(self, shape, depth=0, place=None):
        if depth and self.chance(self.wrong):
            return self.wrong_for(shape)
        return getattr(self, shape.type_name)(shape, depth, place)

    def wrong_for(self, shape):
        if shape.type_name == 'structure' and shape.is_document_type:
            return self.random.choice((b'x', {'a': b'x'}, [1, datetime.datetime(2020, 1, 1, tzinfo=UTC)]))
        if shape.serialization.get('jsonvalue') and shape.serialization.get('location') == 'header':
            return {'a': b'x'}
        fits = {
            'string': 'text', 'integer': 'number', 'long': 'number', 'float': 'number fraction',
            'double': 'number fraction', 'boolean': 'flag', 'blob': 'text bytes', 'timestamp':
            'number fraction flag bytes', 'list': 'list', 'structure': 'map', 'map': 'map',
        }[shape.type_name]
        values = {
            'text': 'soon', 'number': 5, 'fraction': 1.5, 'list': [], 'map': {}, 'bytes': b'x', 'flag': True,
        }
        if shape.type_name in ('integer', 'long', 'float', 'double'):
            # For Python, a boolean is a number.
            fits += ' flag'
        return values[self.random.choice([it for it in values if it not in fits.split()])]

    def structure(self, shape, depth, place):
        if shape.is_document_type:
            return self.json()
        events = shape.event_stream_name
        names = [it for it in shape.members if it != events]
        required = set(shape.required_members)
        if shape.is_tagged_union:
            count = 1
            if self.wrong and self.chance(0.1):
                count = self.random.choice((0, 2))
            if depth > DEEP:
                flat = [it for it in names if shape.members[it].type_name not in ('structure', 'list', 'map')]
                names = flat or names
            chosen = self.random.sample(names, min(count, len(names)))
        else:
            share = 0.6 if depth == 0 else 0.5 if len(names) < 8 else 3 / len(names)
            if depth > DEEP:
                share = 0
            chosen = [it for it in names if it in required or self.chance(share)]
            self.random.shuffle(chosen)
        if self.wrong:
            chosen = [it for it in chosen if not self.chance(0.03)]
        made = {}
        for name in chosen:
            member = shape.members[name]
            if depth == 0 and member.metadata.get('idempotencyToken') and self.chance(0.5):
                continue
            where = 'host' if member.serialization.get('hostLabel') else member.serialization.get('location')
            if where == 'header' and member.serialization.get('jsonvalue'):
                made[name] = self.wrong_for(member) if self.chance(self.wrong) else self.json()
            else:
                made[name] = self.of(member, depth + 1, where)
        if self.wrong and self.chance(0.03):
            made['Unheard'] = 1
        return made

    def list(self, shape, depth, place):
        least = shape.metadata.get('min', 0)
        if self.wrong and self.chance(0.2):
            least = 0
        more = 0 if depth > DEEP else self.random.choice((0, 1, 2, 2, 3))
        return [self.of(shape.member, depth + 1, place) for _ in range(max(least, more))]

    def map(self, shape, depth, place):
        least = shape.key.metadata.get('min', 0)
        size = 0 if depth > DEEP else self.random.choice((0, 1, 2))
        made = {}
        for _ in range(size):
            if place in ('headers', 'querystring'):
                key = ''.join(self.random.choices('abcXYZ019-_', k=5))
            else:
                key = self.string(shape.key, depth, None)
            inner = 'header' if place == 'headers' else place
            made[key] = self.of(shape.value, depth + 1, inner)
        return made

    def string(self, shape, depth, place):
        if shape.enum and self.chance(0.8):
            return self.random.choice(shape.enum)
        least = shape.metadata.get('min', 0)
        if self.wrong and self.chance(0.2):
            least = 0
        return self.text(least, 'header' if place == 'headers' else place)

    def integer(self, shape, depth, place):
        number = self.random.choice(NUMBERS)
        least = shape.metadata.get('min')
        if least is not None and number < least:
            number = int(least) - (1 if self.wrong and self.chance(0.2) else -self.random.randrange(3))
        return number

    def long(self, shape, depth, place):
        number = self.random.choice((2**63 - 1, 2**53 + 1, -(2**63)))
        least = shape.metadata.get('min')
        if self.chance(0.3) and (least is None or number >= least):
            return number
        return self.integer(shape, depth, place)

    def double(self, shape, depth, place):
        least = shape.metadata.get('min')
        number = self.random.choice(SPECIAL if self.chance(0.1) else FLOATS + NUMBERS)
        if least is not None and number < least:
            number = least - 0.5 if self.wrong and self.chance(0.2) else least + 0.25
        return number

    float = double

    def boolean(self, shape, depth, place):
        return self.chance(0.5)

    def blob(self, shape, depth, place):
        if self.chance(0.3):
            return self.text()
        return self.random.randbytes(self.random.choice((0, 1, 2, 3, 17)))

    def timestamp(self, shape, depth, place):
        second = self.random.choice((0, 1, 86400, 951782400, 1767323045, 4102444799, -1, 253402207199))
        micro = self.random.choice((0, 0, 500000, 3691, 999999, 120))
        time = datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=second, microseconds=micro)
        kind = self.random.randrange(8)
        if kind == 0:
            return time.isoformat()
        if kind == 1:
            return second
        if kind == 2:
            return time.strftime('%Y-%m-%dT%H:%M:%SZ')
        if kind == 3:
            return time.strftime('%a, %d %b %Y %H:%M:%S GMT')
        if kind == 4:
            return str(second)
        if kind == 5:
            return time.strftime('%Y-%m-%d')
        return time


def portable(value):
    if isinstance(value, dict):
        return {key: portable(it) for key, it in value.items()}
    if isinstance(value, list):
        return [portable(it) for it in value]
    if isinstance(value, bytes):
        return {'$blob': base64.b64encode(value).decode()}
    if isinstance(value, float):
        return {'$float': repr(value)}
    if isinstance(value, datetime.datetime):
        return {'$time': value.isoformat()}
    return value


def with_tokens(operation, params):
    for name in operation.idempotent_members:
        params.setdefault(name, TOKEN)
    return params


def problems(operation, params):
    found = []
    for reason, name, more in ParamValidator().validate(params, operation.input_shape)._errors:
        extra = more.get('required_name') or more.get('unknown_param')
        found.append([reason, (f'{name}.{extra}' if extra else name).lstrip('.')])
    return found


def request(serializer, operation, params):
    made = serializer.serialize_to_request(params, operation)
    prefix = made.get('host_prefix')
    prepare_request_dict(made, 'https://host')
    prepared = create_request_object(made).prepare()
    body = prepared.body or b''
    return {
        'method': prepared.method,
        'host_prefix': prefix,
        'url': prepared.url.removeprefix(f'https://{prefix or ""}host'),
        # The length is the connection's to tell, where the model has no member for it.
        'headers': [[k, v] for k, v in prepared.headers.items() if k != 'Content-Length' or k in made['headers']],
        'body': base64.b64encode(body.encode() if isinstance(body, str) else body).decode(),
    }


def answer(question):
    name, seed = question['service'], question['seed']
    # A loader keeps all that it has loaded.
    model = ServiceModel(Loader().load_service_model(name, 'service-2'), name)
    serializer = create_serializer(model.resolved_protocol, include_validation=False)
    operations = []
    for operation_name in model.operation_names:
        operation = model.operation_model(operation_name)
        shape = operation.input_shape
        made = {'name': operation_name, 'params': {}, 'wrong': []}
        params = {}
        if shape is not None:
            inputs = Inputs(f'{seed} {name} {operation_name}')
            params = inputs.of(shape)
            made['params'] = portable(params)
            made['problems'] = problems(operation, with_tokens(operation, dict(params)))
            inputs.wrong = 0.06
            wrong = inputs.of(shape)
            made['wrong'] = portable(wrong)
            made['wrong_problems'] = problems(operation, with_tokens(operation, dict(wrong)))
        made['request'] = request(serializer, operation, with_tokens(operation, params))
        operations.append(made)
    return operations


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
