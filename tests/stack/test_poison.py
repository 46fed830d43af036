"""When a stream and not a record is bad, the topology stops and says so, instead of emptying the stream into the dead letters."""

import json

import pytest
from confluent_kafka import Producer

from flow import Flow, noise
from kafka import encode
from stack import wait_until
from worker import Worker


def send(flow: Flow, topic: str, values: list[bytes]):
    producer = Producer(flow.cluster.properties)
    for index, value in enumerate(values):
        producer.produce(topic, value, f"{index % 40}".encode())
    assert producer.flush(30) == 0


def events(flow: Flow, sequences, filler=None) -> list[bytes]:
    return [encode(flow.schema_id, flow.event, {"key": "k", "sequence": n, "amount": 1, "filler": filler}) for n in sequences]


def stopped(worker: Worker) -> str:
    """Waits until the topology has stopped; why, as the status says it."""

    def reason():
        topology = worker.status()["topologies"]
        return topology and topology[0]["state"] == "stopped" and topology[0]["reason"]

    return wait_until("the topology has stopped", reason, 40)


def check_stop(flow: Flow, worker: Worker, scope: str, thing: str):
    """It says what stopped and why, in all the places where somebody looks, and holds what it has."""
    why = stopped(worker)
    assert "poison" in why and f"{scope} {thing}" in why, why
    wait_until("all partitions are paused for it", lambda: all("poison" in p["paused"] for p in worker.partitions()), 20)
    wait_until("the metric says it", lambda: worker.sum("lockgate_poison_stopped", scope=scope, name=thing) == 1, 20)
    assert worker.sum("lockgate_poison_stopped") == 1, "nothing else has stopped"
    code, body = worker.get("/ready")
    assert code == 503 and "poison" in body, body
    assert worker.get("/live")[0] == 200, "restarting it by itself would not help"
    assert worker.sum("lockgate_balance_records") == 0
    assert worker.is_alive() and not flow.is_drained()
    assert "stopped: too many records are judged poison" in worker.log_text()


def all_routes(flow: Flow, second_source: str | None = None, rule: str | None = None) -> str:
    sources = "".join(
        f"  - {{ topic: {topic}, envelope: none, key: string, value: {{ avro: {flow.source}-value }} }}\n"
        for topic in (flow.source, second_source)
        if topic
    )
    rules = f"  - name: declared\n    require: {rule}\n" if rule else ""
    return f"""\
id: {flow.name}
sources:
{sources}steps:
{rules}  - name: shape
    schema: {flow.output}-value
    from: event
    set: {{ doubled: event.amount * 2 }}
match: all
routes:
  - name: narrow
    kafka: {{ topic: {flow.output} }}
  - name: wide
    kafka: {{ topic: {flow.name}.wide }}
dead_letter: {{ topic: {flow.dead} }}
"""


@pytest.fixture
def flow(cluster, tmp_path, name) -> Flow:
    flow = Flow(cluster, tmp_path, name, create=False)
    cluster.create(flow.source, f"{name}.wide", partitions=4)
    cluster.create(flow.output, partitions=4, **{"max.message.bytes": "2000"})
    cluster.create(flow.dead, partitions=4)
    return flow


@pytest.fixture(params=["1", "4"], ids=["one-thread", "four-threads"])
def threads(request) -> dict[str, str]:
    """The environment of a worker with so many pipeline threads: what is poisoned is judged the same."""
    return {"LOCKGATE__LIMITS__PIPELINE_THREADS": request.param}


def sources_of(flow: Flow, topic: str) -> set[str]:
    """Which source records are in an output topic, or behind the letters of a dead letter topic."""
    found = set()
    for record in flow.cluster.read(topic):
        letter = [record.header(f"lockgate.dlq.{part}") for part in ("topic", "partition", "offset")]
        found.add("/".join(letter) if all(letter) else record.header("lockgate.source"))
    return found


def positions(flow: Flow, *topics: str) -> set[str]:
    return {f"{record.topic}/{record.partition}/{record.offset}" for record in flow.cluster.read(*topics)}


def test_the_share_of_a_route_stops_the_topology_and_the_mended_one_goes_on_where_it_stood(stack, flow, threads):
    flow.topology.write_text(all_routes(flow))
    send(flow, flow.source, events(flow, range(400)))
    # Too large for one of the routes: every second one.
    large = [value for pair in zip(events(flow, range(400, 1_400)), events(flow, range(1_400, 2_400), noise(2_500))) for value in pair]
    send(flow, flow.source, large)
    with Worker(stack, flow.topology, name="route", arguments=flow.arguments(), env=threads) as worker:
        check_stop(flow, worker, "route", "narrow")
        buried = len(flow.cluster.read(flow.dead))
        assert buried < 500, f"{buried} of 1000 were buried"
        assert worker.sum("lockgate_dead_letters_total") == worker.sum("lockgate_dead_letters_total", step="narrow", reason="output_too_large")
        worker.terminate()
    flow.cluster.alter(flow.output, **{"max.message.bytes": "100000"})
    with Worker(stack, flow.topology, name="mended", arguments=flow.arguments(), env=threads) as worker:
        flow.wait_drained(60)
        assert worker.status()["topologies"][0]["state"] == "running"
        assert worker.sum("lockgate_dead_letters_total") == 0 and worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0
    everything = positions(flow, flow.source)
    assert sources_of(flow, f"{flow.name}.wide") == everything
    assert sources_of(flow, flow.output) | sources_of(flow, flow.dead) == everything


def test_one_of_two_sources_stops_the_topology_and_is_named(stack, flow, threads):
    second = f"{flow.name}.second"
    flow.cluster.create(second, partitions=2)
    flow.topology.write_text(all_routes(flow, second_source=second))
    send(flow, flow.source, events(flow, range(1_000)))
    with Worker(stack, flow.topology, name="sources", arguments=flow.arguments(), env=threads) as worker:
        flow.wait_drained(60)
        send(flow, second, [b"not avro"] * 1_000)
        wait_until("the topology has stopped", lambda: stopped(worker), 40)
        # What the good source brings now waits with the rest.
        send(flow, flow.source, events(flow, range(1_000, 2_000)))
        check_stop(flow, worker, "source", second)
        assert len(flow.cluster.read(flow.dead)) < 500
        worker.terminate()
    # Somebody has looked and wants them all in the dead letters.
    env = {**threads, "LOCKGATE__LIMITS__POISON_SHARE": "1"}
    with Worker(stack, flow.topology, name="allowed", arguments=flow.arguments(), env=env) as worker:
        flow.wait_drained(60)
        wait_until("the second source is drained", lambda: sum(flow.cluster.committed(flow.name, second).values()) == 1_000, 60, pause=0.5)
        assert worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0
    assert sources_of(flow, flow.output) == sources_of(flow, f"{flow.name}.wide") == positions(flow, flow.source)
    assert sources_of(flow, flow.dead) == positions(flow, second)


def test_rules_that_the_topology_declares_do_not_stop_it(stack, flow, threads):
    flow.topology.write_text(all_routes(flow, rule="event.sequence < 100"))
    send(flow, flow.source, events(flow, range(2_000)))
    with Worker(stack, flow.topology, name="declared", arguments=flow.arguments(), env=threads) as worker:
        flow.wait_drained(60)
        assert worker.sum("lockgate_dead_letters_total", reason="rule", step="declared") == 1_900
        assert worker.sum("lockgate_poison_stopped") == 0 and worker.sum("lockgate_poison_share") == 0
        assert worker.status()["topologies"][0]["state"] == "running", json.dumps(worker.status())
        assert worker.terminate() == 0
