"""The shop: PostgreSQL rows that Debezium publishes, and topologies over them."""

import copy
import json
import urllib.error
import urllib.request
from pathlib import Path

from kafka import Cluster
from stack import HOST, port, wait_until
from worker import ROOT

CUSTOMERS, ORDERS = "shop.public.customers", "shop.public.orders"
TABLES = ["types", "large", "large_full", "evolving"]
HEARTBEATS, MESSAGES = "__debezium-heartbeat.shop", "shop.message"


def start_debezium(stack, cluster: Cluster):
    """Starts Connect and the connector, and waits until it streams."""
    stack.up("connect")
    # Without these two the connector would make its topics itself, at the first row: a worker may be there earlier.
    cluster.create(CUSTOMERS, ORDERS, partitions=4)
    cluster.create(*(f"shop.public.{table}" for table in TABLES), HEARTBEATS, MESSAGES, partitions=1)
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": HOST,
        "database.port": str(port(15432)),
        "database.user": "shop",
        "database.password": "shop",
        "database.dbname": "shop",
        "topic.prefix": "shop",
        "plugin.name": "pgoutput",
        "schema.include.list": "public",
        "slot.name": "shop",
        "publication.name": "shop",
        "tombstones.on.delete": "true",
        # Without it, TRUNCATE is left out.
        "skipped.operations": "none",
        "heartbeat.interval.ms": "500",
        "field.name.adjustment.mode": "avro",
        "schema.name.adjustment.mode": "avro",
    }
    url = f"{stack.connect_url}/connectors/shop"
    request = urllib.request.Request(f"{url}/config", json.dumps(config).encode(), {"content-type": "application/json"}, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()

    def runs():
        try:
            with urllib.request.urlopen(f"{url}/status", timeout=10) as reply:
                status = json.load(reply)
        except urllib.error.HTTPError:
            return False
        failed = [task["trace"] for task in status["tasks"] if task["state"] == "FAILED"]
        assert not failed, failed
        return [task["state"] for task in status["tasks"]] == ["RUNNING"]

    wait_until("the connector runs", runs, 60)
    slot = "select count(*) from pg_replication_slots where slot_name = 'shop' and active"
    wait_until("Debezium streams from its slot", lambda: stack.psql(slot) == "1", 60)


def ends(cluster: Cluster, *topics: str) -> int:
    """How many records the topics have had."""
    return sum(sum(cluster.ends(topic).values()) for topic in topics)


def caught_up(cluster: Cluster, group: str, topic: str) -> bool:
    committed = cluster.committed(group, topic)
    return all(committed.get(partition, 0) >= end for partition, end in cluster.ends(topic).items())


def write_schemas(cluster: Cluster, avro: Path, *topics: str):
    """The schemas of keys and values as Debezium has registered them, into a folder of schemas."""
    avro.mkdir(exist_ok=True)
    for topic in topics:
        for side in ("key", "value"):
            url = f"{cluster.registry_url}/subjects/{topic}-{side}/versions/latest"
            with urllib.request.urlopen(url, timeout=20) as reply:
                (avro / f"{topic}-{side}.avsc").write_text(json.load(reply)["schema"])


def row_schema(avro: Path, topic: str, name: str) -> dict:
    """The schema of a table's row, under another name."""
    fields = json.loads((avro / f"{topic}-value.avsc").read_text())["fields"]
    row = copy.deepcopy(next(field["type"][1] for field in fields if field["name"] == "before"))
    return {**row, "name": name, "namespace": "stack", "connect.name": f"stack.{name}"}


def value_schema(table: str) -> dict:
    return json.loads((ROOT / "avro" / f"shop.public.{table}-value.avsc").read_text())


def write_copies(folder: Path) -> Path:
    """Topologies that copy every column of both tables: what goes in must come out, whatever its type."""
    avro = folder / "avro"
    avro.mkdir()
    topologies = folder / "copies"
    topologies.mkdir()
    for table, identity in (("customers", "full"), ("orders", "default")):
        for side in ("key", "value"):
            name = f"shop.public.{table}-{side}.avsc"
            (avro / name).write_text((ROOT / "avro" / name).read_text())
        row = copy.deepcopy(next(f["type"][1] for f in value_schema(table)["fields"] if f["name"] == "before"))
        row["name"], row["namespace"] = "Copy", f"stack.{table}"
        (avro / f"{table}.copy-value.avsc").write_text(json.dumps(row, indent=2))
        (topologies / f"{table}.yaml").write_text(
            f"""\
id: {table}-copy
sources:
  - topic: shop.public.{table}
    envelope: debezium
    key: {{ avro: shop.public.{table}-key }}
    value: {{ avro: shop.public.{table}-value }}
    replica_identity: {identity}
    tombstones: forward
    unavailable: keep
steps:
  - name: live
    keep: event.op in ["c", "u", "r"]
  - name: copy
    schema: {table}.copy-value
    from: event.after
match: first
routes:
  - name: copy
    kafka: {{ topic: {table}.copy, key: string(meta.key.id) }}
dead_letter: {{ topic: {table}.copy.dlq }}
"""
        )
    return topologies
