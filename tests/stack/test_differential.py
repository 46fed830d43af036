"""Random schemas and values: what `fastavro` writes `lockgate tail` reads, and what `lockgate produce` writes `fastavro` reads."""

import base64
import datetime
import json
import math
import os
import random
import struct
from decimal import Decimal

import fastavro
from confluent_kafka import Producer

from kafka import encode
from worker import lockgate

SCHEMAS, VALUES = 60, 6
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
INT, LONG = 2**31, 2**63


class Draw:
    """Random schemas of Avro with values for them. One seed, one sequence."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.names = 0

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def record(self, depth: int) -> dict:
        fields = [{"name": f"f{i}", "type": self.type(depth - 1)} for i in range(self.random.randint(1, 5))]
        return {"type": "record", "name": self.name("R"), "fields": fields}

    def type(self, depth: int):
        leaves = [
            *("boolean", "int", "long", "float", "double", "bytes", "string"),
            {"type": "fixed", "name": self.name("F"), "size": self.random.randint(1, 9)},
            {"type": "enum", "name": self.name("E"), "symbols": ["A", "B", "C"][: self.random.randint(1, 3)]},
            {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": self.random.randint(0, 6)},
            {"type": "fixed", "name": self.name("D"), "size": 8, "logicalType": "decimal", "precision": 18, "scale": 4},
            {"type": "int", "logicalType": "date"},
            {"type": "int", "logicalType": "time-millis"},
            {"type": "long", "logicalType": "time-micros"},
            {"type": "long", "logicalType": "timestamp-millis"},
            {"type": "long", "logicalType": "timestamp-micros"},
            {"type": "long", "logicalType": "local-timestamp-micros"},
            {"type": "string", "logicalType": "uuid"},
        ]
        if depth <= 0 or self.random.random() < 0.5:
            return self.random.choice(leaves)
        inner = lambda: self.type(depth - 1)  # noqa: E731
        return self.random.choice(
            [
                lambda: ["null", self.no_union(depth - 1)],
                lambda: [self.no_union(depth - 1), "null"],
                lambda: {"type": "array", "items": inner()},
                lambda: {"type": "map", "values": inner()},
                lambda: ["null", "long", "string", {"type": "array", "items": "double"}],
                lambda: self.record(depth),
            ]
        )()

    def no_union(self, depth: int):
        """A union cannot hold another."""
        while isinstance(ty := self.type(depth), list):
            pass
        return ty

    def value(self, ty):
        pick = self.random
        if isinstance(ty, list):
            return self.value(pick.choice(ty))
        kind = ty if isinstance(ty, str) else ty["type"]
        logical = None if isinstance(ty, str) else ty.get("logicalType")
        if logical == "decimal":
            digits = pick.choice([1, 5, ty["precision"]])
            return Decimal(pick.randint(-(10**digits) + 1, 10**digits - 1)).scaleb(-ty["scale"])
        if logical == "date":
            return datetime.date.fromordinal(pick.choice([1, 719163, 3652059, pick.randint(1, 3652059)]))
        if logical in ("time-millis", "time-micros"):
            unit = 1000 if logical == "time-millis" else 1
            micros = pick.choice([0, 86_399_999_999 // unit * unit, pick.randrange(86_400_000_000) // unit * unit])
            return (datetime.datetime(2000, 1, 1) + datetime.timedelta(microseconds=micros)).time()
        if logical and logical.endswith(("timestamp-millis", "timestamp-micros")):
            unit = 1000 if logical.endswith("millis") else 1
            micros = pick.choice([0, -1 * unit, pick.randrange(-62_135_596_800_000_000, 253_402_300_800_000_000) // unit * unit])
            moment = EPOCH + datetime.timedelta(microseconds=micros)
            return moment.replace(tzinfo=None) if logical.startswith("local") else moment
        if logical == "uuid":
            return f"{pick.getrandbits(32):08x}-{pick.getrandbits(16):04x}-4000-8000-{pick.getrandbits(48):012x}"
        return {
            "null": lambda: None,
            "boolean": lambda: pick.random() < 0.5,
            "int": lambda: pick.choice([0, -1, INT - 1, -INT, pick.randrange(-INT, INT)]),
            "long": lambda: pick.choice([0, -1, LONG - 1, -LONG, pick.randrange(-LONG, LONG)]),
            "float": lambda: pick.choice([0.0, math.nan, math.inf, struct.unpack("f", struct.pack("f", pick.uniform(-1e30, 1e30)))[0]]),
            "double": lambda: pick.choice([-0.0, math.nan, -math.inf, 5e-324, pick.uniform(-1e300, 1e300), 0.1]),
            "bytes": lambda: pick.randbytes(pick.choice([0, 1, 40])),
            "string": lambda: pick.choice(["", "a", "Größe \U0001f600\u2028", '"\\\n\t\x01/', "x" * 300]),
            "fixed": lambda: pick.randbytes(ty["size"]),
            "enum": lambda: pick.choice(ty["symbols"]),
            "array": lambda: [self.value(ty["items"]) for _ in range(pick.choice([0, 1, 3]))],
            "map": lambda: {f"k{i}": self.value(ty["values"]) for i in range(pick.choice([0, 1, 3]))},
            "record": lambda: {field["name"]: self.value(field["type"]) for field in ty["fields"]},
        }[kind]()


def same(ty, value, found) -> bool:
    """Whether JSON as Lockgate writes it is this value of `fastavro`."""
    if isinstance(ty, list):
        return any(same(branch, value, found) for branch in ty)
    kind = ty if isinstance(ty, str) else ty["type"]
    logical = None if isinstance(ty, str) else ty.get("logicalType")
    if kind == "null" or value is None:
        return kind == "null" and value is None and found is None
    if logical == "decimal":
        return isinstance(value, Decimal) and isinstance(found, str) and Decimal(found) == value
    if logical in ("date", "time-millis", "time-micros", "local-timestamp-micros", "timestamp-millis", "timestamp-micros"):
        read = {datetime.date: datetime.date, datetime.time: datetime.time}.get(type(value), datetime.datetime)
        text = found.replace("Z", "+00:00") if isinstance(found, str) else ""
        zoned = found.endswith("Z") if isinstance(found, str) else None
        return read.fromisoformat(text) == value and zoned is logical.startswith("timestamp")
    if logical == "uuid":
        return str(value) == found
    if kind in ("float", "double"):
        if not isinstance(value, float):
            return False
        if not math.isfinite(value):
            return found == ("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")
        if isinstance(found, (str, bool, list)) or found is None:
            return False
        single = struct.unpack("f", struct.pack("f", float(found)))[0]
        return (single if kind == "float" else float(found)) == value
    if kind in ("bytes", "fixed"):
        return isinstance(value, bytes) and isinstance(found, str) and base64.b64decode(found) == value
    if kind == "array":
        return isinstance(value, list) and isinstance(found, list) and len(value) == len(found) and all(same(ty["items"], v, f) for v, f in zip(value, found))
    if kind == "map":
        return isinstance(value, dict) and isinstance(found, dict) and value.keys() == found.keys() and all(same(ty["values"], v, found[k]) for k, v in value.items())
    if kind == "record":
        names = [field["name"] for field in ty["fields"]]
        return isinstance(value, dict) and list(found) == names and all(same(f["type"], value[f["name"]], found[f["name"]]) for f in ty["fields"])
    if kind == "boolean":
        return isinstance(value, bool) and found is value
    if kind in ("int", "long"):
        return type(value) is int and type(found) is int and value == found
    return isinstance(value, str) and value == found


def produce(stack, topic: str, values: list[bytes]):
    producer = Producer({"bootstrap.servers": stack.brokers})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


def tail(stack, topic: str, count: int) -> list:
    env = {"LOCKGATE__KAFKA__BROKERS": stack.brokers, "LOCKGATE__REGISTRY__URL": stack.registry_url}
    done = lockgate("tail", "--topic", topic, "--from", "earliest", "--count", str(count), "--json", env=env)
    assert done.code == 0, done.err
    return [json.loads(line)["value"] for line in done.out.rstrip("\n").split("\n")]


def test_what_fastavro_writes_and_what_lockgate_writes_is_the_same(stack, cluster, name):
    seed = int(os.environ.get("STACK_SEED", "1"))
    print(f"seed {seed}")
    draw = Draw(seed)
    cluster.create(name, partitions=1)
    drawn, framed = [], []
    for number in range(SCHEMAS):
        schema = draw.record(4)
        schema_id = cluster.register(f"{name}.{number}-value", schema)
        parsed = fastavro.parse_schema(schema)
        for _ in range(VALUES):
            value = draw.value(schema)
            framed.append(encode(schema_id, parsed, value))
            # As `fastavro` itself reads it back: a float is one of 32 bits, a union the branch that it chose.
            drawn.append((schema, cluster.decode(framed[-1])))
    produce(stack, name, framed)
    found = tail(stack, name, len(framed))
    for (schema, value), ours in zip(drawn, found, strict=True):
        assert same(schema, value, ours), f"seed {seed}\n{json.dumps(schema)}\n{value!r}\n{json.dumps(ours)}"

    # The other way: the JSON of one schema after the other becomes Avro again.
    for number in range(0, SCHEMAS, 12):
        schema, back = drawn[number * VALUES][0], f"{name}.back-{number}"
        cluster.create(back, partitions=1)
        cluster.register(f"{back}-value", schema)
        mine = range(number * VALUES, (number + 1) * VALUES)
        lines = stack.dir / f"{back}.jsonl"
        lines.write_text("".join(json.dumps(found[at]) + "\n" for at in mine))
        env = {"LOCKGATE__KAFKA__BROKERS": stack.brokers, "LOCKGATE__REGISTRY__URL": stack.registry_url}
        done = lockgate("produce", "--topic", back, str(lines), env=env)
        assert done.code == 0, f"seed {seed}\n{done.err}\n{json.dumps(schema)}"
        read = [cluster.decode(record.value) for record in cluster.read(back)]
        assert [repr(value) for value in read] == [repr(drawn[at][1]) for at in mine], f"seed {seed}\n{json.dumps(schema)}"
