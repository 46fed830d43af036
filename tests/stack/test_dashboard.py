"""Every panel of the dashboard is answered by a real Prometheus that scrapes real workers, after every state has been provoked.

Nothing here writes a metric: workers are driven into each state by what happens around them, and Prometheus is asked for what it saw.
"""

import json
import re
import time
from urllib.parse import urlencode

import pytest
from confluent_kafka import Producer

from flow import EVENT, Flow, noise
from kafka import encode
from stack import wait_until
from test_prometheus import get, query
from worker import QUICK_SESSION, ROOT, Worker

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "lockgate.json"
GUIDE = ROOT / "docs" / "OPERATIONS.md"

# What is never seen, and why.
UNPROVOKED = {
    ("lockgate_retries_total", "class", "retry"): "librdkafka tries again by itself; with message.timeout.ms=0 it never hands such an error over",
}
# What may be seen, and on what it depends. Everything else must be.
LUCK = {
    ("lockgate_retries_total", "class", "unknown"): "whether a producer was in the middle of a batch when the broker was killed: its number may be fatal then",
}
# Panels that may be 0 all the time: no record is unaccounted for; a retry that is not repeated is a counter that is born with its number,
# which has no rate.
FLAT = {"Balance", "Balance by partition", "Retries"}


def documented(section: str) -> set[str]:
    """The names in the first column of a table of the operations guide."""
    text = GUIDE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))


def states() -> list[tuple[str, str, str]]:
    """Metric, label and value of everything that can be the case. What the guide lists is taken from there, so that nothing new is left out."""
    fixed = {
        ("lockgate_disposed_records_total", "disposition"): ["delivered", "filtered", "dead_lettered", "released"],
        ("lockgate_deliveries_total", "outcome"): ["delivered", "dead_lettered"],
        ("lockgate_commits_total", "result"): ["committed", "failed"],
        ("lockgate_rebalances_total", "kind"): ["assigned", "revoked", "lost"],
        ("lockgate_retries_total", "class"): ["config", "poison", "unknown", "retry"],
        ("lockgate_schema_lookups_total", "result"): ["hit", "miss"],
        ("lockgate_registry_requests_total", "result"): ["found", "not_found", "failed"],
        ("lockgate_new_schemas_total", "change"): ["equal", "resolvable", "incompatible", "wrong"],
        ("lockgate_kafka_errors_total", "client"): ["consumer", "producer"],
        ("lockgate_poison_stopped", "scope"): ["source", "route"],
        ("lockgate_dead_letters_total", "class"): ["poison"],
        ("lockgate_paused", "reason"): sorted(documented("Pause reasons")),
        ("lockgate_topology_state", "state"): sorted(documented("States")),
    }
    return [(metric, label, value) for (metric, label), values in fixed.items() for value in values]


class Scenery:
    """Flows and workers that Prometheus watches."""

    def __init__(self, stack, cluster, folder, name: str):
        self.stack, self.cluster, self.folder, self.name = stack, cluster, folder, name
        self.targets = stack.dir / "prometheus" / "targets.json"
        self.began = time.time()
        self.workers: list[Worker] = []

    def flow(self, part: str, **words) -> Flow:
        return Flow(self.cluster, self.folder, f"{self.name}.{part}", **words)

    def worker(self, *flows: Flow, arguments: tuple[str, ...] = (), **env: str) -> Worker:
        """One that runs all of these, started and scraped until the end of the test."""
        topologies = [flow.topology for flow in flows]
        settings = {f"LOCKGATE__{key}": value for key, value in env.items()}
        worker = Worker(self.stack, *topologies, name="seen", arguments=[*flows[0].arguments(), *arguments], env=settings)
        worker.start()
        self.workers.append(worker)
        self.targets.write_text(json.dumps([{"targets": [worker.admin for worker in self.workers]}]))
        return worker

    def seen(self, metric: str, label: str | None = None, value: str | None = None, flow: Flow | None = None) -> bool:
        """Whether Prometheus has seen such a series above 0 since the beginning."""
        wanted = ((label, value), ("topology", flow and flow.name))
        labels = ",".join(f'{name}="{value}"' for name, value in wanted if value)
        window = int(time.time() - self.began) + 5
        return any(float(row["value"][1]) > 0 for row in query(self.stack, f"max_over_time({metric}{{{labels}}}[{window}s])"))

    def wait_seen(self, metric: str, label: str | None = None, value: str | None = None, flow: Flow | None = None):
        def check():
            assert all(worker.is_alive() for worker in self.workers), "\n".join(w.tail(8) for w in self.workers if not w.is_alive())
            return self.seen(metric, label, value, flow)

        what = f"{metric} {label}={value} {flow.name if flow else ''}"
        wait_until(f"Prometheus has seen {what}", check, 40, pause=0.3)
        print(f"after {time.time() - self.began:.0f} s: {what}")

    def remove(self, worker: Worker):
        """Its end is not waited for: what it was in the middle of stays undone."""
        worker.kill()
        self.workers.remove(worker)

    def end(self):
        self.targets.write_text("[]")
        for worker in self.workers:
            if worker.is_alive():
                worker.kill()


@pytest.fixture
def scenery(stack, cluster, tmp_path, name):
    scenery = Scenery(stack, cluster, tmp_path, name)
    yield scenery
    scenery.end()


def send(flow: Flow, *values: bytes):
    producer = Producer(flow.cluster.properties)
    for index, value in enumerate(values):
        producer.produce(flow.source, value, f"{index}".encode())
    assert producer.flush(30) == 0


def events(flow: Flow, count: int, filler: str | None = None, sequence: int = 0) -> list[bytes]:
    return [encode(flow.schema_id, flow.event, {"key": "k", "sequence": sequence, "amount": n, "filler": filler}) for n in range(count)]


def a_second_member(scenery: Scenery) -> Worker:
    """It gets partitions that the first one holds records of, as they have nowhere to go. The second is left asleep."""
    stuck, ended = scenery.flow("stuck", dead_letters=False), scenery.flow("ended")
    first = scenery.worker(stuck, LIMITS__DRAIN_TIMEOUT_MS="4000")
    # Never ready, as the dead letter topic is missing, but at work.
    wait_until("the first member has its partitions", lambda: len(first.partitions()) == stuck.partitions, 40)
    send(stuck, *[b"not avro"] * 40)
    send(ended, *events(ended, 10))
    scenery.wait_seen("lockgate_paused", "reason", "sink", stuck)
    second = scenery.worker(stuck, ended, arguments=("--until", "latest"))
    scenery.wait_seen("lockgate_rebalances_total", "kind", "revoked", stuck)
    scenery.wait_seen("lockgate_disposed_records_total", "disposition", "released", stuck)
    # Of its two topologies one has ended, the other cannot.
    scenery.wait_seen("lockgate_topology_state", "state", "ended", ended)
    second.freeze()
    return second


def records_of_all_kinds(scenery: Scenery):
    """Delivered, filtered, dead-lettered in the beginning and at a route; schemas of each kind; a registry that is away."""
    flow, cold = scenery.flow("records"), scenery.flow("cold")
    flow.write_topology("- name: early\n  keep: event.sequence < 1000000\n")
    scenery.cluster.alter(flow.output, **{"max.message.bytes": "5000"})
    worker = scenery.worker(flow, REGISTRY__UNKNOWN_WAIT_MS="1000", LIMITS__POISON_SHARE="1")
    send(flow, *events(flow, 2_000), *events(flow, 50, sequence=2_000_000), *events(flow, 20, filler=noise(10_000)))
    send(flow, *[b"not avro"] * 30, b"\0\0\x3d\x09\x00rest")
    newer, parsed = flow.register_newer()
    send(flow, *[encode(newer, parsed, {"key": "k", "sequence": 0, "amount": 1, "filler": None, "added": "x"}) for _ in range(1_000)])
    other = {"type": "record", "name": "Other", "fields": [{"name": "x", "type": "int"}]}
    send(flow, b"\0" + scenery.cluster.register(f"{flow.name}-other", other).to_bytes(4, "big") + b"\x02")
    # The checked record has more: this cannot be read as it. It comes last, as it stops its partition.
    less = {**EVENT, "fields": EVENT["fields"][1:3]}
    less_id = scenery.cluster.register(f"{flow.name}-less", less)
    # Another one while the registry is away.
    late = scenery.cluster.register(f"{flow.name}-late", {**EVENT, "fields": [*EVENT["fields"], {"name": "more", "type": ["null", "int"], "default": None}]})
    flow.wait_drained(60)
    assert worker.sum("lockgate_balance_records") == 0
    time.sleep(1.5)  # The registry writes its file a moment after the answer.
    scenery.stack.parts["registry"].kill()
    try:
        send(flow, *[b"\0" + late.to_bytes(4, "big") + value[5:] + b"\0" for value in events(flow, 40)])
        # A cold worker has no ids of output schemas.
        late_comer = scenery.worker(cold)
        scenery.wait_seen("lockgate_registry_outage")
        scenery.wait_seen("lockgate_paused", "reason", "schema", flow)
        scenery.wait_seen("lockgate_topology_state", "state", "waiting", cold)
        scenery.remove(late_comer)
    finally:
        scenery.stack.parts["registry"].start()
    flow.wait_drained(60)
    # Counters that were born with what they count have no rate: some more.
    send(flow, *[b"not avro"] * 20)
    send(flow, *[b"\0" + less_id.to_bytes(4, "big") + b"\x02\x02"] * 8)
    scenery.wait_seen("lockgate_paused", "reason", "incompatible_schema", flow)


def a_source_that_goes(scenery: Scenery) -> Flow:
    """What was delivered before it went can no more be committed."""
    flow = scenery.flow("sourceless")
    worker = scenery.worker(flow, LIMITS__COMMIT_INTERVAL_MS="5000")
    for sent in (100, 200):
        # A commit has just been made: until the next one there is time to deliver more and to delete the topic.
        wait_until("all is committed", lambda: worker.is_ready() and flow.is_drained(), 40)
        send(flow, *events(flow, 100))
        wait_until("all is delivered", lambda: worker.sum("lockgate_disposed_records_total") == sent, 40)
    scenery.cluster.delete(flow.source)
    return flow


def a_slow_sink(scenery: Scenery):
    """The limits of what is in flight are reached, and a worker that shall end has something left to do."""
    flow = scenery.flow("slow")
    # After the first record the broker reads no other for minutes.
    scenery.stack.kafka_tool(
        "kafka.admin.ConfigCommand",
        *("--bootstrap-server", scenery.stack.brokers, "--alter", "--add-config", "producer_byte_rate=50"),
        *("--entity-type", "clients", "--entity-name", "throttled"),
    )
    # From half of the limit of the process on, each of four partitions may hold an eighth of it.
    limits = {"LIMITS__IN_FLIGHT_RECORDS_PER_PARTITION": "10", "LIMITS__IN_FLIGHT_RECORDS": "80"}
    properties = f"{QUICK_SESSION};client.id=throttled"
    worker = scenery.worker(flow, KAFKA__PROPERTIES=properties, LIMITS__DRAIN_TIMEOUT_MS="60000", **limits).wait_ready()
    send(flow, *events(flow, 1, filler=noise(20_000)))
    wait_until("the first is delivered", lambda: worker.sum("lockgate_disposed_records_total") == 1, 40)
    send(flow, *events(flow, 1_000))
    scenery.wait_seen("lockgate_paused", "reason", "partition_limit", flow)
    scenery.wait_seen("lockgate_paused", "reason", "process_limit", flow)
    worker.process.terminate()
    scenery.wait_seen("lockgate_topology_state", "state", "draining", flow)
    scenery.wait_seen("lockgate_paused", "reason", "drain", flow)
    scenery.remove(worker)


def topics_that_turn(scenery: Scenery):
    """The limit of an output topic falls under a worker that does not know, then the topic goes; two other streams are poison."""
    poisoned, oversized, refused = (scenery.flow(part) for part in ("poisoned", "oversized", "refused"))
    scenery.cluster.alter(oversized.output, **{"max.message.bytes": "2000"})
    # Soon sure that a topic is gone for good.
    properties = f"{QUICK_SESSION};topic.metadata.propagation.max.ms=1000"
    scenery.worker(poisoned, oversized, refused, KAFKA__PROPERTIES=properties).wait_ready()

    send(poisoned, *[b"not avro"] * 600)
    send(oversized, *events(oversized, 600, filler=noise(3_000)))
    scenery.wait_seen("lockgate_poison_stopped", "scope", "route", oversized)
    # Its schema is known by now: a lookup that asks nobody.
    scenery.cluster.alter(refused.output, **{"max.message.bytes": "5000"})
    send(refused, *events(refused, 100), *events(refused, 4, filler=noise(20_000)), *events(refused, 100))

    scenery.wait_seen("lockgate_poison_stopped", "scope", "source", poisoned)
    scenery.wait_seen("lockgate_topology_state", "state", "stopped", poisoned)
    scenery.wait_seen("lockgate_paused", "reason", "poison", poisoned)
    scenery.wait_seen("lockgate_retries_total", "class", "poison", refused)
    scenery.cluster.delete(refused.output)
    send(refused, *events(refused, 500))
    scenery.wait_seen("lockgate_retries_total", "class", "config", refused)


def a_broker_that_is_away(scenery: Scenery):
    """Killed under workers, and one starts without it."""
    flow = scenery.flow("broker")
    scenery.stack.parts["kafka"].kill()
    try:
        for client in ("consumer", "producer"):
            scenery.wait_seen("lockgate_kafka_errors_total", "client", client)
        scenery.worker(flow)
        scenery.wait_seen("lockgate_topology_state", "state", "starting", flow)
    finally:
        scenery.stack.parts["kafka"].start()


def panels() -> list[tuple[str, str]]:
    """Title and query of all that the dashboard shows: for all topologies and topics, with rates over a few scrapes."""
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"]
            for variable, value in (("$topology", ".*"), ("$topic", ".*"), ("$__rate_interval", "10s")):
                text = text.replace(variable, value)
            assert "$" not in text, f"{panel['title']}: {text}"
            found.append((panel["title"], text))
    assert len(found) >= 40
    return found


def test_panels_show_every_state_of_real_workers(stack, scenery):
    sleeper = a_second_member(scenery)
    sourceless = a_source_that_goes(scenery)
    for scene in (records_of_all_kinds, a_slow_sink, topics_that_turn):
        scene(scenery)
    scenery.wait_seen("lockgate_commits_total", "result", "failed", sourceless)
    a_broker_that_is_away(scenery)
    sleeper.thaw()
    scenery.wait_seen("lockgate_rebalances_total", "kind", "lost")

    missing = {state for state in states() if not scenery.seen(*state)}
    wrong = (missing ^ UNPROVOKED.keys()) - LUCK.keys()
    assert not wrong, f"not seen: {missing & wrong}; seen without need of an excuse: {UNPROVOKED.keys() & wrong}"

    shown: dict[str, list[float]] = {}
    for title, text in panels():
        asked = urlencode({"query": text, "start": scenery.began, "end": time.time(), "step": 1})
        rows = get(stack, f"/api/v1/query_range?{asked}")["result"]
        assert rows, f"{title}: Prometheus has no answer to {text}"
        shown.setdefault(title, []).extend(float(value) for row in rows for _, value in row["values"])
    flat = {title for title, values in shown.items() if not any(value > 0 for value in values)}
    assert flat <= FLAT, f"0 all the time: {flat - FLAT}"
    assert not any(shown["Balance"] + shown["Balance by partition"])
