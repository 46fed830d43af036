"""From a row in PostgreSQL to the output topics: Debezium captures, Lockgate maps, `fastavro` reads; every type of shop.sql."""

import datetime
import json
from decimal import Decimal

import pytest

from shop import CUSTOMERS, ORDERS, caught_up, ends, write_copies
from stack import wait_until
from worker import ROOT, Worker

GROUPS = {"customers-copy": CUSTOMERS, "orders-copy": ORDERS, "customers": CUSTOMERS, "orders": ORDERS}

CHANGES = """
insert into customers(id, email, full_name, vip, tags, address) values
  (1, 'käthe@example.org', 'Käthe "K" Bauer', true, '{}', null),
  (2, 'jón@example.org', null, false, array['a', null, 'żółć'], '{"zip": 1010, "city": "Wien"}'),
  (3, '', E'tab\\tnew\\nline', false, array[''], '[]');
insert into orders(id, customer_id, currency, price, quantity, weight_kg, discount, note, placed_on, ship_after, updated_at, payload) values
  ('00000000-0000-4000-8000-000000000001', 1, 'EUR', 0.01, 1, null, null, null, '2026-11-22', null, '2026-11-22 12:34:56.123456', null),
  ('00000000-0000-4000-8000-000000000002', 1, 'USD', 9999999999.99, 2147483647, 1.5, 0.1, 'Größe', '1969-12-31', '23:59:59.999999', '1969-12-31 23:59:59.999999', '\\x00ff10'),
  ('00000000-0000-4000-8000-000000000003', 2, 'CHF', -12.80, 3, 3.4e38, -1.7976931348623157e308, '', '0044-03-15', '00:00', '9999-12-31 23:59:59', '\\x'),
  ('00000000-0000-4000-8000-000000000004', 2, 'EUR', 500.00, 2, 'NaN', 'Infinity', E'\\U0001F600', '9999-12-31', '12:00:00.5', '0001-01-01 00:00:00', '\\xdeadbeef'),
  ('00000000-0000-4000-8000-000000000005', 3, 'GBP', 1.28, 10, -0.0, 5e-324, 'to be deleted', '2026-02-28', null, '2026-11-22 00:00:00', null);
update customers set full_name = 'Jón', vip = true where id = 2;
update customers set email = 'kaethe@example.org' where id = 1;
update orders set status = 'paid', note = null where id = '00000000-0000-4000-8000-000000000002';
update orders set price = 128.00 where id = '00000000-0000-4000-8000-000000000001';
delete from orders where id = '00000000-0000-4000-8000-000000000005';
delete from customers where id = 3;
"""


@pytest.fixture(scope="module")
def flowed(stack, cluster, debezium, tmp_path_factory):
    """The changes have gone all the way; every topic as lists of (record, key, value), decoded by `fastavro`."""
    folder = tmp_path_factory.mktemp("shop")
    copies = write_copies(folder)
    outputs = ["customers.copy", "orders.copy", "customers.clean", "customers.vip", "orders.clean", "orders.big"]
    dead = ["customers.copy.dlq", "orders.copy.dlq", "customers.dlq", "orders.dlq"]
    cluster.create(*outputs, partitions=3)
    cluster.create(*dead, partitions=1)
    stack.psql(CHANGES)
    captured = 3 + 2 + 2 + 5 + 2 + 2
    wait_until(f"Debezium captured {captured} records", lambda: ends(cluster, CUSTOMERS, ORDERS) == captured, 60)
    shipped = Worker(stack, ROOT / "topologies", name="shop", arguments=["--avro", str(ROOT / "avro")])
    copying = Worker(stack, copies, name="copies", arguments=["--avro", str(folder / "avro")])
    with shipped, copying:
        for group, topic in GROUPS.items():
            wait_until(f"{group} has committed all of {topic}", lambda: caught_up(cluster, group, topic), 60, pause=0.5)
        for worker in (shipped, copying):
            assert worker.sum("lockgate_balance_records") == 0
            assert worker.terminate() == 0
    return {topic: decoded(cluster, topic) for topic in [CUSTOMERS, ORDERS, *outputs]} | {"dead": cluster.read(*dead)}


def decoded(cluster, topic):
    is_source = topic in (CUSTOMERS, ORDERS)
    return [(record, cluster.decode(record.key) if is_source else record.key, cluster.decode(record.value)) for record in cluster.read(topic)]


def by_position(flowed, topic):
    return {f"{record.topic}/{record.partition}/{record.offset}": (key, value) for record, key, value in flowed[topic]}


def same(left, right) -> bool:
    """Equal, and NaN equals itself."""
    return left == right or (left != left and right != right)


@pytest.mark.parametrize("topic, output", [(CUSTOMERS, "customers.copy"), (ORDERS, "orders.copy")])
def test_every_column_of_every_type_arrives_as_it_was_captured(flowed, topic, output):
    sources = by_position(flowed, topic)
    seen = set()
    for record, key, value in flowed[output]:
        position = record.header("lockgate.source")
        source_key, source = sources[position]
        assert key == str(source_key["id"]).encode()
        assert position not in seen, f"{position} arrived twice"
        seen.add(position)
        if source is None:
            assert value is None, "a tombstone stays a tombstone"
            continue
        assert value.keys() == source["after"].keys()
        for column, captured in source["after"].items():
            assert same(value[column], captured), f"{position} {column}: {value[column]!r} is not {captured!r}"
    wanted = {position for position, (_, value) in sources.items() if value is None or value["op"] != "d"}
    assert seen == wanted


def test_the_last_state_of_each_key_is_the_row_in_the_database(stack, flowed):
    columns = (
        "id, customer_id, status, currency, price::text, quantity, note, placed_on - date '1970-01-01' as placed_on,"
        " (extract(epoch from ship_after) * 1000000)::bigint as ship_after,"
        " (extract(epoch from updated_at) * 1000000)::bigint as updated_at, encode(payload, 'hex') as payload"
    )
    rows = stack.psql(f"select row_to_json(r) from (select {columns} from orders) r").splitlines()
    rows = {row["id"]: row for row in map(json.loads, rows)}
    last = {}
    for record, key, value in flowed["orders.copy"]:
        last[key.decode()] = value
    assert {key for key, value in last.items() if value is None} == {"00000000-0000-4000-8000-000000000005"}
    alive = {key: value for key, value in last.items() if value is not None}
    assert alive.keys() == rows.keys()
    for key, value in alive.items():
        plain = {**value, "price": str(value["price"]), "payload": None if value["payload"] is None else value["payload"].hex()}
        for column, expected in rows[key].items():
            assert plain[column] == expected, f"{key} {column}"


def test_the_shipped_orders_are_mapped_right(flowed):
    sources = by_position(flowed, ORDERS)
    arrived = {record.header("lockgate.source"): (key, value) for record, key, value in flowed["orders.clean"]}
    broken = {record.header("lockgate.dlq.offset") for record in flowed["dead"] if record.topic == "orders.dlq"}
    assert not broken
    epoch = datetime.date(1970, 1, 1)
    for position, (key, value) in arrived.items():
        source_key, source = sources[position]
        if source is None:
            assert value is None
            continue
        after = source["after"]
        assert value["total"] == after["price"] * after["quantity"] and isinstance(value["total"], Decimal)
        assert str(value["order_id"]) == after["id"] == source_key["id"]
        assert same(value["weight_kg"], after["weight_kg"]) and same(value["discount"], after["discount"])
        assert (value["status"], value["note"], value["currency"]) == (after["status"], after["note"], after["currency"])
        assert (value["placed_on"] - epoch).days == after["placed_on"]
        assert value["source_lsn"] == source["source"]["lsn"]
        assert value["snapshot"] is (source["op"] == "r")
    assert arrived.keys() == {position for position, (_, value) in sources.items() if value is None or value["op"] != "d"}
    big = {record.header("lockgate.source"): value for record, _, value in flowed["orders.big"]}
    assert big.keys() == {position for position, (_, value) in arrived.items() if value is not None and value["total"] >= 1000}
    assert all(value["channel"] == "shop" and value["total"] == arrived[position][1]["total"] for position, value in big.items())
    currencies = {record.header("currency") for record, _, _ in flowed["orders.big"]}
    assert currencies == {value["currency"] for value in big.values()}


def test_the_shipped_customers_are_mapped_right(flowed):
    sources = by_position(flowed, CUSTOMERS)
    clean = {record.header("lockgate.source"): value for record, _, value in flowed["customers.clean"]}
    became = set()
    for position, value in clean.items():
        _, source = sources[position]
        if source is None:
            assert value is None
            continue
        after, before = source["after"], source["before"]
        full_name = after["full_name"]
        assert value["display_name"] == (after["email"] if full_name is None else full_name)
        assert value["full_name"] == full_name and value["email"] == after["email"] and value["vip"] is after["vip"]
        assert value["tags"] == after["tags"] and value["address"] == after["address"]
        assert value["created_at"] == datetime.datetime.fromisoformat(after["created_at"])
        assert value["became_vip"] is (after["vip"] and not (before and before["vip"]))
        became |= {position} if value["became_vip"] else set()
    assert clean.keys() == {position for position, (_, value) in sources.items() if value is None or value["op"] != "d"}
    vip = {record.header("lockgate.source"): value for record, _, value in flowed["customers.vip"]}
    assert vip.keys() == became and became
    assert all(value == clean[position] for position, value in vip.items())


def test_nothing_was_dead_lettered(flowed):
    assert flowed["dead"] == []
