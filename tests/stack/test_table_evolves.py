"""A table changes while Lockgate runs: columns are added, dropped, widened, made nullable. Nothing stops, and no value is wrong."""

import json
from decimal import Decimal
from pathlib import Path

from shop import caught_up, ends, write_schemas
from stack import wait_until
from worker import Worker

EVOLVING = "shop.public.evolving"

MAPPED = {
    "type": "record",
    "name": "Mapped",
    "namespace": "stack",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "count", "type": "int"},
        {"name": "twice", "type": "long"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "ratio", "type": "float"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}},
    ],
}

# What is done to the table, the row that follows, and whether it has a place in what was checked.
CHANGES = [
    ("", "(count, note, ratio, amount, gone) values (1, 'one', 0.5, 1.25, 'x')", True),
    # Added, with a default that older rows have, and without.
    ("add column extra text not null default 'e', add column more integer", "(count, note, ratio, amount, gone, more) values (2, null, 1.5, -2.50, 'x', 7)", True),
    # Widened.
    ("alter count type bigint", "(count, note, ratio, amount, gone) values (2147483647, 'three', 2.5, 3, 'x')", True),
    ("", "(count, note, ratio, amount, gone) values (2147483648, 'beyond int', 2.5, 3, 'x')", False),
    ("alter note type text", "(count, note, ratio, amount, gone) values (-5, repeat('long ', 100), 3.5, 4, 'x')", True),
    ("alter ratio type double precision", "(count, note, ratio, amount, gone) values (6, 'six', 0.25, 5, 'x')", True),
    ("", "(count, note, ratio, amount, gone) values (7, 'no float is 0.1', 0.1, 5, 'x')", False),
    ("alter amount type numeric(14, 2)", "(count, note, ratio, amount, gone) values (8, 'eight', 0.5, 999999.99, 'x')", True),
    ("", "(count, note, ratio, amount, gone) values (9, 'more digits', 0.5, 1000000.00, 'x')", False),
    # Made nullable.
    ("alter amount drop not null, alter gone drop not null", "(count, note, ratio, amount, gone) values (10, 'ten', 0.5, 10, null)", True),
    ("", "(count, note, ratio, amount, gone) values (11, 'null', 0.5, null, 'x')", False),
    # Dropped: one that nobody reads and that has no default, then one that is read and was nullable.
    ("drop column gone", "(count, note, ratio, amount) values (12, 'twelve', 0.5, 12)", True),
    ("drop column note", "(count, ratio, amount) values (13, 0.5, 13)", True),
    # Columns in another order.
    ("add column note text", "(count, note, ratio, amount) values (14, 'again', 0.5, 14)", True),
]


def topology(folder: Path) -> Path:
    (folder / "avro" / "evolving.mapped-value.avsc").write_text(json.dumps(MAPPED))
    path = folder / "evolving.yaml"
    path.write_text(
        f"""\
id: evolving
sources:
  - topic: {EVOLVING}
    envelope: debezium
    key: {{ avro: {EVOLVING}-key }}
    value: {{ avro: {EVOLVING}-value }}
    unavailable: keep
steps:
  - name: live
    keep: event.op in ["c", "r"] && event.after.count != 0
  - name: map
    schema: evolving.mapped-value
    from: event.after
    set: {{ twice: event.after.count * 2 }}
routes:
  - name: mapped
    kafka: {{ topic: evolving.mapped, key: string(out.id) }}
dead_letter: {{ topic: evolving.dlq }}
"""
    )
    return path


def test_a_table_that_changes_stops_nothing_and_no_value_is_wrong(stack, cluster, debezium, tmp_path):
    cluster.create("evolving.mapped", "evolving.dlq", partitions=1)
    insert = lambda row: stack.psql(f"insert into evolving{row}")  # noqa: E731
    insert(CHANGES[0][1])
    wait_until("Debezium captured the first row", lambda: ends(cluster, EVOLVING) == 1, 60)
    # The schema of the table as it was: the topology is checked against it, and never changed.
    write_schemas(cluster, tmp_path / "avro", EVOLVING)
    with Worker(stack, topology(tmp_path), name="evolving", arguments=["--avro", str(tmp_path / "avro")]) as worker:
        for count, (change, row, _) in enumerate(CHANGES[1:], 2):
            if change:
                stack.psql(f"alter table evolving {change}")
            insert(row)
            # One by one, so that each meets a running worker.
            wait_until(f"row {count} was captured after: {change or row}", lambda: ends(cluster, EVOLVING) == count, 60)
            done = lambda: ends(cluster, "evolving.mapped", "evolving.dlq") == count  # noqa: E731
            wait_until(f"row {count} has its end after: {change or row}\n{worker.tail()}", done, 30)
        wait_until("all is committed", lambda: caught_up(cluster, "evolving", EVOLVING), 30)
        assert worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0
    fits = [number for number, (_, _, fits) in enumerate(CHANGES, 1) if fits]
    mapped = {value["id"]: value for value in (cluster.decode(record.value) for record in cluster.read("evolving.mapped"))}
    assert list(mapped) == fits
    captured = {value["after"]["id"]: value["after"] for value in (cluster.decode(record.value) for record in cluster.read(EVOLVING))}
    for number, value in mapped.items():
        after = captured[number]
        assert (value["count"], value["twice"], value["ratio"]) == (after["count"], 2 * after["count"], after["ratio"])
        assert value["note"] == after.get("note") and value["amount"] == after["amount"]
    # And the database agrees, as far as it still has the columns.
    for line in stack.psql("select row_to_json(e) from evolving e order by id").splitlines():
        row = json.loads(line, parse_float=Decimal)
        if row["id"] in mapped:
            assert mapped[row["id"]]["count"] == row["count"] and mapped[row["id"]]["amount"] == row["amount"]
    letters = cluster.read("evolving.dlq")
    assert [cluster.decode(letter.value)["after"]["id"] for letter in letters] == [number for number in range(1, len(CHANGES) + 1) if number not in fits]
    assert {letter.header("lockgate.dlq.reason") for letter in letters} == {"outgrown"}
