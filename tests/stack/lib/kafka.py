"""Kafka through `confluent-kafka` and Avro through `fastavro`: clients that nobody here wrote. Topics, schemas, reading a topic."""

import io
import json
import struct
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from stack import wait_until


@dataclass
class Record:
    """A record of a topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

    def header(self, name: str) -> str | None:
        for header, value in self.headers:
            if header == name:
                return None if value is None else value.decode()
        return None


class Cluster:
    """A cluster and its registry, seen from outside."""

    def __init__(self, brokers: str, registry_url: str, properties: dict[str, object] | None = None):
        # Parts of the stack go away on purpose: the clients need not say so.
        self.properties = {"bootstrap.servers": brokers, "log_level": 0, **(properties or {})}
        self.registry_url = registry_url
        self.admin = AdminClient(self.properties)
        self.schemas: dict[int, dict] = {}

    # === topics ===

    def create(self, *topics: str, partitions: int = 4, **config: str):
        """Creates topics, and waits until the broker lists them."""
        new = [NewTopic(topic, partitions, 1, config=config) for topic in topics]
        for future in self.admin.create_topics(new).values():
            future.result(30)
        wait_until(f"topics {topics} exist", lambda: set(topics) <= self.admin.list_topics(timeout=10).topics.keys(), 20)

    def alter(self, topic: str, **config: str):
        """Changes settings of a topic, and waits until the broker tells the new ones."""
        entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()]
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(30)

        def told():
            asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
            answer = self.admin.describe_configs([asked])[asked].result(30)
            return all(answer[name].value == value for name, value in config.items())

        wait_until(f"{topic} has {config}", told, 20)

    def delete(self, *topics: str):
        for future in self.admin.delete_topics(list(topics)).values():
            future.result(30)
        wait_until(f"topics {topics} are gone", lambda: not set(topics) & self.admin.list_topics(timeout=10).topics.keys(), 20)

    def ends(self, topic: str) -> dict[int, int]:
        """End offset of each partition."""
        consumer = Consumer({**self.properties, "group.id": "stack-ends"})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            return {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1] for partition in partitions}
        finally:
            consumer.close()

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The offsets that a group has committed; partitions without a commit are missing."""
        consumer = Consumer({**self.properties, "group.id": group})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            wanted = [TopicPartition(topic, partition) for partition in partitions]
            deadline = time.monotonic() + 30
            while True:
                try:
                    rows = consumer.committed(wanted, timeout=10)
                    break
                except KafkaException as error:
                    # A group that is just being founded has no coordinator yet.
                    if error.args[0].code() != KafkaError.NOT_COORDINATOR or time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
            return {row.partition: row.offset for row in rows if row.offset >= 0}
        finally:
            consumer.close()

    def read(self, *topics: str) -> list[Record]:
        """Everything that is in the topics now, in the order of each partition."""
        records: list[Record] = []
        reader = Tail(self, *topics)
        try:
            ends = {(topic, partition): end for topic in topics for partition, end in self.ends(topic).items() if end > 0}
            position: dict[tuple[str, int], int] = {}
            deadline = time.monotonic() + 120
            while any(position.get(place, 0) < end for place, end in ends.items()):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"reading {topics}: at {position}, the ends are {ends}")
                for record in reader.poll(0.5):
                    records.append(record)
                    position[record.topic, record.partition] = record.offset + 1
        finally:
            reader.close()
        return records

    # === schemas ===

    def register(self, subject: str, schema: dict) -> int:
        body = json.dumps({"schema": json.dumps(schema)}).encode()
        url = f"{self.registry_url}/subjects/{subject}/versions"
        request = urllib.request.Request(url, body, {"content-type": "application/vnd.schemaregistry.v1+json"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)["id"]

    def has_subject(self, subject: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.registry_url}/subjects/{subject}/versions/latest", timeout=10) as reply:
                return reply.status == 200
        except urllib.error.HTTPError:
            return False

    def decode(self, framed: bytes | None):
        """A framed Avro datum as `fastavro` reads it with the schema of its id; every byte of it."""
        if framed is None:
            return None
        magic, schema_id = struct.unpack(">bI", framed[:5])
        assert magic == 0, f"not the Confluent wire format: {framed[:20]!r}"
        if schema_id not in self.schemas:
            with urllib.request.urlopen(f"{self.registry_url}/schemas/ids/{schema_id}", timeout=20) as reply:
                self.schemas[schema_id] = fastavro.parse_schema(json.loads(json.load(reply)["schema"]))
        rest = io.BytesIO(framed[5:])
        value = fastavro.schemaless_reader(rest, self.schemas[schema_id])
        assert not rest.read(), "bytes are left after the datum"
        return value


def encode(schema_id: int, parsed_schema, value) -> bytes:
    """Frames a datum that `fastavro` writes."""
    buffer = io.BytesIO()
    buffer.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(buffer, parsed_schema, value)
    return buffer.getvalue()


class Tail:
    """Reads topics from their beginning, on and on."""

    def __init__(self, cluster: Cluster, *topics: str):
        self.consumer = Consumer(
            {
                **cluster.properties,
                "group.id": "stack-tail",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        known = cluster.admin.list_topics(timeout=10).topics
        self.consumer.assign([TopicPartition(topic, partition, 0) for topic in topics for partition in known[topic].partitions])

    def poll(self, seconds: float) -> list[Record]:
        records = []
        for message in self.consumer.consume(5000, seconds):
            if message.error():
                if message.error().retriable() or message.error().code() < 0:
                    continue
                raise KafkaException(message.error())
            records.append(
                Record(
                    message.topic(),
                    message.partition(),
                    message.offset(),
                    message.timestamp()[1],
                    message.key(),
                    message.value(),
                    message.headers() or [],
                )
            )
        return records

    def close(self):
        self.consumer.close()
