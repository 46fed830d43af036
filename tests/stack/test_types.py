"""Every type that Debezium's PostgreSQL connector has a form for, through Lockgate to Avro and to JSON, held against PostgreSQL's own JSON."""

import base64
import datetime
import json
import math
import re
import struct
from decimal import Decimal
from pathlib import Path

import pytest

from shop import HEARTBEATS, MESSAGES, caught_up, ends, row_schema, write_schemas
from stack import wait_until
from worker import Worker

TYPES, LARGE, LARGE_FULL = "shop.public.types", "shop.public.large", "shop.public.large_full"
ROWS = 6

# What is computed of a row: field, Avro type, expression over `row`. A value beyond what the Avro type has is null.
CLEAN = [
    ("numeric", "string", "row.c_numeric == null ? null : string(row.c_numeric)"),
    ("numeric_ps", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 6}, "row.c_numeric_ps"),
    ("doubled", {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 6}, "row.c_numeric_ps == null ? null : row.c_numeric_ps * 2"),
    ("money", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}, "row.c_money"),
    (
        "date",
        {"type": "int", "logicalType": "date"},
        "row.c_date == null || row.c_date > date('9999-12-31') || row.c_date < date('0001-01-01') ? null : row.c_date",
    ),
    ("time", {"type": "long", "logicalType": "time-micros"}, "row.c_time == null || row.c_time > time('23:59:59.999999') ? null : row.c_time"),
    ("timestamp", {"type": "long", "logicalType": "local-timestamp-micros"}, "try(row.c_timestamp, null)"),
    ("timestamp3", {"type": "long", "logicalType": "local-timestamp-micros"}, "row.c_timestamp3"),
    ("timestamptz", {"type": "long", "logicalType": "timestamp-micros"}, "try(row.c_timestamptz, null)"),
    ("uuid", {"type": "string", "logicalType": "uuid"}, "row.c_uuid"),
    ("mood", {"type": "enum", "name": "Mood", "symbols": ["sad", "ok", "happy"]}, "row.c_mood"),
    ("bits", {"type": "array", "items": "boolean"}, "row.c_bit == null ? null : [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(i, bits.test(row.c_bit, i))"),
    ("x", "double", "row.c_point == null ? null : row.c_point.x"),
    ("y", "double", "row.c_point == null ? null : row.c_point.y"),
    ("int4s", {"type": "array", "items": ["null", "long"]}, "row.c_int4s"),
    ("numerics", {"type": "array", "items": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}]}, "row.c_numerics"),
    ("first_text", "string", "row.c_texts == null ? null : default(row.c_texts[?0], null)"),
    ("largest", "long", "row.c_int8s == null || row.c_int8s == [] ? null : default(row.c_int8s.filter(n, n != null)[?0], null)"),
    ("tags", "string", "row.c_texts == null ? null : row.c_texts.filter(t, t != null).map(t, default(t, '')).join('/')"),
]


def clean_schema() -> dict:
    fields = [{"name": name, "type": ["null", ty]} for name, ty, _ in CLEAN]
    return {"type": "record", "name": "Clean", "namespace": "stack", "fields": [{"name": "id", "type": "int"}, *fields]}


def write(folder: Path, topic: str, rest: str, *, source: str = "", more: str = "", name: str):
    """A topology over one of the tables."""
    (folder / f"{name}.yaml").write_text(
        f"id: {name}\nsources:\n  - topic: {topic}\n    envelope: debezium\n    key: {{ avro: {topic}-key }}\n"
        f"    value: {{ avro: {topic}-value }}\n{source}{more}steps:\n  - name: live\n    keep: event.op in [\"c\", \"u\", \"r\"]\n"
        f"{rest}dead_letter: {{ topic: {name}.dlq }}\n"
    )


def large_columns(avro: Path) -> list[str]:
    return [field["name"] for field in row_schema(avro, LARGE, "Large")["fields"] if field["name"].startswith("c_")]


def write_topologies(cluster, folder: Path) -> Path:
    avro = folder / "avro"
    write_schemas(cluster, avro, TYPES, LARGE, LARGE_FULL)
    for topic, name in ((TYPES, "types"), (LARGE, "large"), (LARGE_FULL, "large-full")):
        (avro / f"{name}.copy-value.avsc").write_text(json.dumps(row_schema(avro, topic, name.title().replace("-", ""))))
    (avro / "types.clean-value.avsc").write_text(json.dumps(clean_schema()))
    there = [{"name": column, "type": "boolean"} for column in large_columns(avro)]
    seen = {"type": "record", "name": "Seen", "namespace": "stack", "fields": [{"name": "n", "type": "int"}, *there]}
    (avro / "large.seen-value.avsc").write_text(json.dumps(seen))
    topologies = folder / "topologies"
    topologies.mkdir()
    full = "    replica_identity: full\n    unavailable: keep\n"
    others = "".join(
        f"  - topic: {topic}\n    envelope: debezium\n    value: {{ avro: {TYPES}-value }}\n    heartbeats: drop\n    messages: drop\n{full}"
        for topic in (HEARTBEATS, MESSAGES)
    )
    copy = "  - name: copy\n    schema: {0}.copy-value\n    from: event.after\nroutes:\n  - name: avro\n    kafka: {{ topic: {0}.copy, key: string(out.id) }}\n"
    as_json = "  - name: json\n    kafka: { topic: types.json, format: json, key: string(out.id) }\nmatch: all\n"
    write(topologies, TYPES, copy.format("types") + as_json, source=full, more=others, name="types")
    sets = "".join(f"      {name}: {json.dumps(expression.replace('row.', 'event.after.'))}\n" for name, _, expression in CLEAN)
    clean = f"  - name: clean\n    schema: types.clean-value\n    set:\n      id: event.after.id\n{sets}routes:\n  - name: clean\n    kafka: {{ topic: types.clean }}\n"
    write(topologies, TYPES, clean, source=full, name="types-clean")
    # By its default a row with a column that was left out is a dead letter; so is the TRUNCATE.
    write(topologies, LARGE, copy.format("large"), name="large")
    write(topologies, LARGE_FULL, copy.format("large-full"), source="    replica_identity: full\n    truncate: drop\n", name="large-full")
    sets = "".join(f"      {column}: event.after.{column}.hasValue()\n" for column in large_columns(avro))
    seen = f"  - name: seen\n    schema: large.seen-value\n    set:\n      n: event.after.n\n{sets}routes:\n  - name: seen\n    kafka: {{ topic: large.seen }}\n"
    write(topologies, LARGE, seen, source="    unavailable: optional\n    truncate: drop\n", name="large-seen")
    return topologies


def fill(stack, cluster):
    stack.psql((Path(__file__).parent / "types_rows.sql").read_text())
    text, data = "repeat('x', 5000)", "decode(repeat('00ff', 3000), 'hex')"
    series = "array_agg(i), array_agg(i::bigint), array_agg(date '2024-01-01' + i), array_agg(gen_random_uuid())"
    for table in ("large", "large_full"):
        stack.psql(
            f"insert into {table} select 1, 1, {text}, {text}, ('\"' || {text} || '\"')::json, ('\"' || {text} || '\"')::jsonb, {data},"
            f" xmlparse(content {text}), hstore('k', {text}), array[{text}], {series}, array[{data}] from generate_series(1, 2000) i;"
            f" update {table} set n = 2;"
        )
    stack.psql("truncate large; select pg_logical_emit_message(true, 'stack', 'a message')")
    wanted = {TYPES: ROWS, LARGE: 3, LARGE_FULL: 2, MESSAGES: 1}
    wait_until("Debezium captured the rows", lambda: all(ends(cluster, topic) >= count for topic, count in wanted.items()), 60)
    wait_until("a heartbeat was written", lambda: ends(cluster, HEARTBEATS) > 0, 20)


@pytest.fixture(scope="module")
def flowed(stack, cluster, debezium, tmp_path_factory):
    """All rows have gone through; what the topics hold, decoded."""
    folder = tmp_path_factory.mktemp("types")
    fill(stack, cluster)
    topologies = write_topologies(cluster, folder)
    groups = {"types": TYPES, "types-clean": TYPES, "large": LARGE, "large-full": LARGE_FULL, "large-seen": LARGE}
    outputs = ["types.copy", "types.json", "types.clean", "large.copy", "large-full.copy", "large.seen"]
    dead = [f"{group}.dlq" for group in groups]
    cluster.create(*outputs, *dead, partitions=1)
    with Worker(stack, topologies, name="types", arguments=["--avro", str(folder / "avro")]) as worker:
        for group, topic in groups.items():
            wait_until(f"{group} has committed all of {topic}", lambda: caught_up(cluster, group, topic), 60, pause=0.5)
        for topic in (HEARTBEATS, MESSAGES):
            wait_until(f"{topic} was read", lambda: worker.sum("lockgate_disposed_records_total", topic=topic, disposition="filtered") > 0, 30, pause=0.5)
        assert worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0
    read = {topic: [cluster.decode(record.value) for record in cluster.read(topic)] for topic in [TYPES, LARGE, LARGE_FULL, *outputs] if topic != "types.json"}
    read["types.json"] = [json.loads(record.value) for record in cluster.read("types.json")]
    return read | {"dead": {topic: cluster.read(topic) for topic in dead}}


def database(stack) -> list[dict]:
    """The rows as PostgreSQL itself writes them as JSON; numbers keep their digits."""
    rows = stack.psql("set timezone = 'UTC'; select row_to_json(t) from types t order by id").splitlines()
    return [json.loads(row, parse_float=Decimal) for row in rows]


# === what one value is in the other's JSON ===


def number(pg):
    """A double: PostgreSQL writes what is no number as text, as Lockgate does."""
    return pg if isinstance(pg, str) else float(pg)


def single(pg):
    return pg if isinstance(pg, str) else struct.unpack("f", struct.pack("f", float(pg)))[0]


def money(pg):
    return Decimal(re.sub("[$,]", "", pg))


def bits(text):
    return int(text or "0", 2)


def bits_of(sent):
    return int.from_bytes(base64.b64decode(sent), "little")


def moment(text):
    """Without the zeros at its end; years that `datetime` has not stay text."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text


def point(pg):
    return [number(json.loads(part) if part.lstrip("-")[0].isdigit() else part) for part in pg.strip("()").split(",")]


def each(convert):
    return lambda values: [None if value is None else convert(value) for value in values]


def plain(value):
    return value


def exact(value):
    return Decimal(value)


def micros(text) -> int:
    """The microseconds of an ISO 8601 duration of hours, minutes and seconds."""
    sign, hours, minutes, seconds = re.fullmatch(r"(-?)PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", text).groups()
    whole = (int(hours or 0) * 3600 + int(minutes or 0) * 60 + Decimal(seconds or 0)) * 1_000_000
    return int(-whole if sign else whole)


# By the column: how PostgreSQL's JSON and how ours is read, so that both are equal.
READ = {
    "c_oid": (int, int),
    "c_float4": (single, lambda sent: sent if isinstance(sent, str) else single(sent)),
    "c_float8": (number, number),
    "c_numeric": (exact, exact),
    "c_numeric_p": (exact, exact),
    "c_numeric_ps": (exact, exact),
    "c_positive": (exact, exact),
    "c_money": (money, exact),
    "c_bytea": (lambda pg: bytes.fromhex(pg[2:]), base64.b64decode),
    "c_bit1": (lambda pg: pg == "1", plain),
    "c_bit": (bits, bits_of),
    "c_varbit": (bits, bits_of),
    "c_time": (lambda pg: datetime.time.fromisoformat(pg), lambda sent: datetime.time.fromisoformat(sent)),
    "c_time3": (lambda pg: datetime.time.fromisoformat(pg), lambda sent: datetime.time.fromisoformat(sent)),
    "c_timestamp": (moment, moment),
    "c_timestamp3": (moment, moment),
    "c_timestamptz": (moment, moment),
    "c_json": (plain, lambda sent: json.loads(sent, parse_float=Decimal)),
    "c_jsonb": (plain, lambda sent: json.loads(sent, parse_float=Decimal)),
    "c_hstore": (plain, json.loads),
    "c_point": (point, lambda sent: [number(sent["x"]), number(sent["y"])]),
    "c_float8s": (each(number), each(number)),
    "c_numerics": (each(exact), each(exact)),
    "c_timestamptzs": (each(moment), each(moment)),
}

# Debezium itself has another value than the row, or none that is comparable: what it captured is what must arrive.
AS_CAPTURED = {
    # Through an average month; written as a duration.
    "c_interval": {1, 2, 3},
    # In UTC, without the row's zone.
    "c_timetz": {1, 2, 3},
    # The plain number: years before 1 and beyond 9999, 24:00, infinity; the timestamp of the year 294276 overflows in Debezium.
    "c_date": {2, 3, 5, 6},
    "c_time": {3},
    "c_time3": {3},
    "c_timestamp": {2, 3, 5, 6},
    "c_timestamptz": {2, 5, 6},
}


def same(left, right) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return left == right


def test_every_type_arrives_in_json_as_postgresql_writes_it(stack, flowed):
    rows, captured = database(stack), {value["after"]["id"]: value["after"] for value in flowed[TYPES]}
    sent = {row["id"]: row for row in flowed["types.json"]}
    assert sent.keys() == {row["id"] for row in rows} == set(range(1, ROWS + 1))
    wrong, compared = [], 0
    for row in rows:
        ours = sent[row["id"]]
        assert ours.keys() == row.keys(), "every column is captured"
        for column, pg in row.items():
            read_pg, read_ours = READ.get(column, (plain, plain))
            if row["id"] in AS_CAPTURED.get(column, ()):
                found = micros(ours[column]) if column == "c_interval" else ours[column]
                if not same(found, captured[row["id"]][column]):
                    wrong.append(f"row {row['id']} {column}: {ours[column]!r}, captured was {captured[row['id']][column]!r}")
                continue
            compared += 1
            expected = None if pg is None else read_pg(pg)
            found = None if ours[column] is None else read_ours(ours[column])
            if not same(found, expected):
                wrong.append(f"row {row['id']} {column}: {ours[column]!r} is {found!r}, PostgreSQL has {pg!r}")
    assert not wrong, "\n".join(wrong)
    assert compared > 340


def test_every_type_is_copied_to_avro_as_it_was_captured(flowed):
    captured = [value["after"] for value in flowed[TYPES]]
    assert len(flowed["types.copy"]) == len(captured) == ROWS
    for sent, after in zip(flowed["types.copy"], captured):
        # `repr`, so that NaN is itself.
        assert {column: repr(value) for column, value in sent.items()} == {column: repr(value) for column, value in after.items()}


def test_what_is_computed_into_avros_own_types_is_what_the_row_holds(stack, flowed):
    clean = {row["id"]: row for row in flowed["types.clean"]}
    assert clean.keys() == set(range(1, ROWS + 1)) and not flowed["dead"]["types-clean.dlq"]
    utc = datetime.timezone.utc
    for row in database(stack):
        sent = clean[row["id"]]
        for column in ("numeric_ps", "numerics"):
            pg = row[f"c_{column}"]
            assert sent[column] == (each(exact)(pg) if isinstance(pg, list) else None if pg is None else exact(pg)), column
        assert (None if sent["numeric"] is None else Decimal(sent["numeric"])) == (None if row["c_numeric"] is None else exact(row["c_numeric"]))
        if row["c_numeric_ps"] is not None:
            assert sent["doubled"] == 2 * exact(row["c_numeric_ps"])
            assert sent["money"] == money(row["c_money"])
            assert sent["bits"] == [bit == "1" for bit in row["c_bit"]]
            assert [number(sent["x"]), number(sent["y"])] == point(row["c_point"]) or row["id"] == 2
            assert (str(sent["uuid"]), sent["mood"]) == (row["c_uuid"], row["c_mood"])
            assert sent["int4s"] == row["c_int4s"]
            assert sent["first_text"] == (row["c_texts"] or [None])[0]
            assert sent["largest"] == (row["c_int8s"] or [None])[0]
            assert sent["tags"] == "/".join(text for text in row["c_texts"] if text is not None)
            assert sent["timestamp3"] == moment(row["c_timestamp3"])
        known = {"date": datetime.date.fromisoformat, "time": datetime.time.fromisoformat, "timestamp": moment, "timestamptz": moment}
        for column, read in known.items():
            pg = row[f"c_{column}"]
            beyond = row["id"] in AS_CAPTURED.get(f"c_{column}", ()) and not (column == "timestamptz" and row["id"] == 2)
            expected = None if pg is None or beyond else read(pg)
            assert sent[column] == expected, f"row {row['id']} {column}"
        assert sent["timestamptz"] is None or sent["timestamptz"].tzinfo is not None and sent["timestamptz"].astimezone(utc) == sent["timestamptz"]


def test_what_debezium_left_out_is_never_data(flowed):
    update = flowed[LARGE][1]["after"]
    columns = [column for column in update if column.startswith("c_")]
    assert len(columns) == 13 and update["c_text"] == "__debezium_unavailable_value"
    # By default the update, and the TRUNCATE after it, are dead letters; the insert is not.
    assert [row["n"] for row in flowed["large.copy"]] == [1]
    reasons = [record.header("lockgate.dlq.reason") for record in flowed["dead"]["large.dlq"]]
    assert sorted(reasons) == ["truncate", "unavailable_value"]
    # As optional values every one of them is known to be missing.
    first, second = flowed["large.seen"]
    assert [first[column] for column in columns] == [True] * 13
    assert [second[column] for column in columns] == [False] * 13 and second["n"] == 2
    assert not flowed["dead"]["large-seen.dlq"]


def test_under_full_replica_identity_nothing_is_left_out(flowed):
    before, after = (value["after"] for value in flowed[LARGE_FULL])
    assert after == {**before, "n": 2} and len(after["c_text"]) == 5000
    assert flowed["large-full.copy"] == [before, after]
    assert not flowed["dead"]["large-full.dlq"]


def test_heartbeats_and_messages_are_no_events(flowed):
    assert not flowed["dead"]["types.dlq"], [record.headers for record in flowed["dead"]["types.dlq"]]
