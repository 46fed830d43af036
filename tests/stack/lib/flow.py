"""A stream of numbered events with a truth of its own: per key 0, 1, 2 …, written by an idempotent producer that keeps the log."""

import base64
import random
import textwrap
import threading
import time
from pathlib import Path

import fastavro
from confluent_kafka import Producer

from judge import Arrival, Verdict, judge
from kafka import Cluster, Record, Tail, encode
from stack import wait_until

EVENT = {
    "type": "record",
    "name": "Event",
    "namespace": "stack.flow",
    "fields": [
        {"name": "key", "type": "string"},
        {"name": "sequence", "type": "long"},
        {"name": "amount", "type": "int"},
        {"name": "filler", "type": ["null", "string"], "default": None},
    ],
}
MAPPED = {
    "type": "record",
    "name": "Mapped",
    "namespace": "stack.flow",
    "fields": [
        {"name": "key", "type": "string"},
        {"name": "sequence", "type": "long"},
        {"name": "doubled", "type": "long"},
        {"name": "filler", "type": ["null", "string"], "default": None},
    ],
}


class Flow:
    """One source topic, one topology, one output topic, one dead letter topic; all named after the test."""

    def __init__(self, cluster: Cluster, folder: Path, name: str, partitions: int = 4, create: bool = True, dead_letters: bool = True):
        self.cluster = cluster
        self.name = name
        self.source, self.output, self.dead = f"{name}.in", f"{name}.out", f"{name}.dlq"
        self.partitions = partitions
        self.folder = folder
        self.event = fastavro.parse_schema(EVENT)
        self.written: dict[str, dict[int, str]] = {}
        if create:
            cluster.create(self.source, self.output, partitions=partitions)
            if dead_letters:
                cluster.create(self.dead, partitions=1)
        self.schema_id = cluster.register(f"{self.source}-value", EVENT)
        avro = folder / "avro"
        avro.mkdir(exist_ok=True)
        (avro / f"{self.source}-value.avsc").write_text(fastavro_json(EVENT))
        (avro / f"{self.output}-value.avsc").write_text(fastavro_json(MAPPED))
        self.topology = folder / f"{name}.yaml"
        self.write_topology()

    def write_topology(self, extra_steps: str = ""):
        self.topology.write_text(
            textwrap.dedent(f"""\
            id: {self.name}
            sources:
              - topic: {self.source}
                envelope: none
                key: string
                value: {{ avro: {self.source}-value }}
                start_from: earliest
            ordering: key
            delivery: at_least_once
            steps:
            """)
            + textwrap.indent(textwrap.dedent(extra_steps), "  ")
            + textwrap.dedent(f"""\
              - name: shape
                schema: {self.output}-value
                from: event
                except: [filler]
                set:
                  doubled: event.amount * 2
                  filler: event.filler
            match: first
            routes:
              - name: out
                kafka: {{ topic: {self.output}, key: event.key }}
            unmatched: drop
            dead_letter: {{ topic: {self.dead} }}
            """)
        )

    def arguments(self) -> list[str]:
        return ["--avro", str(self.folder / "avro")]

    def register_newer(self) -> tuple[int, dict]:
        """Registers a later version of the event's schema, with one more field; its id and itself."""
        newer = {**EVENT, "fields": [*EVENT["fields"], {"name": "added", "type": "string", "default": ""}]}
        newer_id = self.cluster.register(f"{self.source}-value", newer)
        assert newer_id != self.schema_id
        time.sleep(1.5)  # The registry writes its file a moment after the answer.
        return newer_id, fastavro.parse_schema(newer)

    def produce(self, **words) -> "Production":
        return Production(self, **words)

    def arrivals(self, records: list[Record] | None = None) -> list[Arrival]:
        """What the output topic holds, each datum decoded and held against what it was made of."""
        arrivals = []
        for record in records if records is not None else self.cluster.read(self.output):
            arrivals.append(self.arrival(record))
        return arrivals

    def arrival(self, record: Record) -> Arrival:
        value = self.cluster.decode(record.value)
        key = value["key"]
        assert record.key == key.encode(), f"key {record.key!r}, value says {key}"
        assert value["doubled"] == 2 * amount_of(key, value["sequence"]), value
        assert value["filler"] == filler_of(value["sequence"]), value
        return Arrival(key, value["sequence"], record.header("lockgate.source"))

    def verdict(self) -> Verdict:
        return judge(self.written, self.arrivals())

    def is_drained(self) -> bool:
        """Whether the group has committed everything that is in the source topic."""
        committed = self.cluster.committed(self.name, self.source)
        return all(committed.get(partition, 0) >= end for partition, end in self.cluster.ends(self.source).items())

    def wait_drained(self, seconds: float):
        wait_until(f"{self.name} has committed all of {self.source}", self.is_drained, seconds, pause=0.5)


class Production(threading.Thread):
    """Writes `count` events at a fixed rate. `flow.written` is its log: only what the broker acknowledged."""

    def __init__(self, flow: Flow, count: int, rate: float, keys: int = 500, seed: int = 1, start: dict[str, int] | None = None):
        super().__init__(daemon=True)
        self.flow, self.count, self.rate = flow, count, rate
        self.random = random.Random(seed)
        self.names = [f"key-{index}" for index in range(keys)]
        self.sequences = {name: len(flow.written.get(name, {})) for name in self.names} if start is None else start
        self.acknowledged = 0
        self.errors: list[str] = []
        self.started_at = 0.0
        self.stopping = threading.Event()

    def run(self):
        try:
            self._run()
        except Exception as error:  # noqa: BLE001: told by finish()
            self.errors.append(repr(error))

    def _run(self):
        producer = Producer(
            {
                **self.flow.cluster.properties,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                # A broker that is down for a while must not end the run: the log would have holes.
                "message.timeout.ms": 0,
                "linger.ms": 5,
            }
        )
        self.started_at = time.monotonic()
        for index in range(self.count):
            if self.stopping.is_set():
                self.count = index
                break
            due = self.started_at + index / self.rate
            while (left := due - time.monotonic()) > 0:
                producer.poll(min(left, 0.05))
            # A few keys are busy, most are not.
            name = self.names[int(len(self.names) * self.random.random() ** 2)]
            self._write(producer, name)
            if index % 50 == 0:
                producer.poll(0)
        left = producer.flush(120)
        assert left == 0, f"{left} records were not acknowledged"

    def _write(self, producer, name: str):
        sequence = self.sequences[name]
        self.sequences[name] = sequence + 1
        value = {"key": name, "sequence": sequence, "amount": amount_of(name, sequence), "filler": filler_of(sequence)}
        framed = encode(self.flow.schema_id, self.flow.event, value)

        def acknowledged(error, message):
            if error is not None:
                self.errors.append(str(error))
                return
            position = f"{message.topic()}/{message.partition()}/{message.offset()}"
            self.flow.written.setdefault(name, {})[sequence] = position
            self.acknowledged += 1

        while True:
            try:
                producer.produce(self.flow.source, framed, name.encode(), on_delivery=acknowledged)
                return
            except BufferError:
                producer.poll(0.05)

    def stop(self):
        """No more events; what has been written stays."""
        self.stopping.set()

    def finish(self, seconds: float):
        """Waits for the last acknowledgement."""
        self.join(seconds)
        assert not self.is_alive(), f"{self.acknowledged} of {self.count} events were written within {seconds} s"
        assert not self.errors, self.errors[:3]
        assert self.acknowledged == self.count


class Watch(threading.Thread):
    """Follows an output topic, so that faults begin and end only between observed progress."""

    def __init__(self, flow: Flow):
        super().__init__(daemon=True)
        self.flow = flow
        self.records: list[Record] = []
        self.stopped = threading.Event()
        self.start()

    def run(self):
        tail = Tail(self.flow.cluster, self.flow.output)
        while not self.stopped.is_set():
            self.records += tail.poll(0.2)
        tail.close()

    def wait_progress(self, records: int = 500, seconds: float = 60.0):
        """Waits until this many further outputs have been seen, from at least half of the source partitions."""
        start = len(self.records)

        def progressed():
            new = self.records[start:]
            sources = {record.header("lockgate.source").rsplit("/", 2)[1] for record in new}
            return len(new) >= records and len(sources) * 2 >= self.flow.partitions

        wait_until(f"{records} further outputs after {start}", progressed, seconds)

    def stop(self) -> list[Record]:
        self.stopped.set()
        self.join()
        return self.records


def amount_of(key: str, sequence: int) -> int:
    return (len(key) * 7919 + sequence * 31) % 100_000


def noise(length: int) -> str:
    """Text that no compression makes much smaller: brokers measure what is compressed."""
    return base64.b64encode(random.Random(length).randbytes(length)).decode()[:length]


def filler_of(sequence: int) -> str | None:
    return None if sequence % 3 == 0 else "näßig " * (sequence % 5)


def fastavro_json(schema: dict) -> str:
    import json

    return json.dumps(schema, indent=2)
