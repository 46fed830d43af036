"""Things outside the worker fail and come back: nothing is lost, the state is visible, and it recovers without help."""

import time

from flow import Flow, Watch
from stack import wait_until
from worker import Worker


def states(worker) -> str:
    """States and reasons of all topologies and partitions, as text to look for words in."""
    return str(worker.status())


def standing(worker) -> tuple[str, str | None]:
    """State and reason of the worker's only topology."""
    (topology,) = worker.status()["topologies"]
    return topology["state"], topology["reason"]


def finish(flow, production, seconds=90):
    production.finish(seconds)
    flow.wait_drained(seconds)
    verdict = flow.verdict()
    print(verdict)
    assert verdict.is_sound, verdict
    return verdict


def test_registry_down_while_an_unseen_schema_arrives_and_a_cold_worker_starts(stack, cluster, tmp_path, name):
    flow = Flow(cluster, tmp_path, name)
    with Worker(stack, flow.topology, name="warm", arguments=flow.arguments()) as warm:
        production = flow.produce(count=2_000, rate=1_000)
        production.start()
        finish(flow, production)
        warm.wait_ready()

        # A later version of the schema that no worker has seen.
        newer = flow.register_newer()
        stack.parts["registry"].kill()
        try:
            flow.schema_id, flow.event = newer
            production = flow.produce(count=2_000, rate=1_000)
            production.start()
            production.finish(30)
            with Worker(stack, flow.topology, name="cold", arguments=flow.arguments()) as cold:
                wait_until("the warm worker says that the registry is away", lambda: "registry" in states(warm), 30)
                before = sum(cluster.ends(flow.output).values())
                time.sleep(3)
                assert sum(cluster.ends(flow.output).values()) == before, "nothing can be decoded without the schema"
                assert sum(cluster.ends(flow.dead).values()) == 0, "an outage is no reason for a dead letter"
                assert warm.is_alive() and cold.is_alive()
                stack.parts["registry"].start()
                flow.wait_drained(60)
                assert sum(cluster.ends(flow.dead).values()) == 0
                assert cold.terminate() == 0
        finally:
            if not stack.parts["registry"].is_alive():
                stack.parts["registry"].start()
        assert warm.sum("lockgate_balance_records") == 0
        assert warm.terminate() == 0
    verdict = flow.verdict()
    assert verdict.is_sound and not verdict.duplicates, verdict


def test_broker_killed_and_back(stack, cluster, tmp_path, name):
    flow = Flow(cluster, tmp_path, name)
    with Worker(stack, flow.topology, name="broker", arguments=flow.arguments()) as worker:
        worker.wait_ready()
        production = flow.produce(count=30_000, rate=1_500)
        production.start()
        watch = Watch(flow)
        watch.wait_progress()
        stack.parts["kafka"].kill()
        try:
            # It may have waited for something else a moment before, for the schema of its first record.
            away = "broker_unreachable: "
            wait_until("the state says that the broker is away", lambda: (standing(worker)[1] or "").startswith(away), 30)
            assert standing(worker)[0] == "waiting"
            code, why = worker.get("/ready")
            assert code == 503 and "cannot read: broker_unreachable" in why, (code, why)
            assert worker.is_alive() and worker.get("/live")[0] == 200
        finally:
            # For the tests that follow, too.
            stack.parts["kafka"].start()
        watch.wait_progress(seconds=60)
        wait_until("the state says that it is back", lambda: standing(worker) == ("running", None), 60)
        worker.wait_ready(60)
        watch.stop()
        finish(flow, production, 120)
        assert worker.sum("lockgate_balance_records") == 0
        assert sum(cluster.ends(flow.dead).values()) == 0
        assert worker.terminate() == 0


def test_sigterm_in_the_middle_drains_and_the_next_worker_goes_on(stack, cluster, tmp_path, name):
    flow = Flow(cluster, tmp_path, name)
    production = flow.produce(count=30_000, rate=2_000)
    production.start()
    watch = Watch(flow)
    with Worker(stack, flow.topology, name="first", arguments=flow.arguments()) as first:
        watch.wait_progress()
        assert first.terminate() == 0
        # All that was written has been committed: the next one begins there, and repeats nothing.
        committed = sum(cluster.committed(flow.name, flow.source).values())
        assert committed == sum(cluster.ends(flow.output).values())
    with Worker(stack, flow.topology, name="second", arguments=flow.arguments()) as second:
        verdict = finish(flow, production)
        assert not verdict.duplicates, verdict
        assert second.terminate() == 0
    watch.stop()


def test_dead_letter_topic_missing_blocks_and_loses_nothing(stack, cluster, tmp_path, name):
    flow = Flow(cluster, tmp_path, name, dead_letters=False)
    with Worker(stack, flow.topology, name="no-dlq", arguments=flow.arguments()) as worker:
        production = flow.produce(count=500, rate=1_000)
        production.start()
        production.finish(30)
        poison(cluster, flow, 8)
        production = flow.produce(count=500, rate=1_000)
        production.start()
        production.finish(30)
        wait_until("the worker names the missing topic", lambda: flow.dead in states(worker), 40)
        assert not flow.is_drained()
        assert worker.is_alive()
        cluster.create(flow.dead, partitions=1)
        flow.wait_drained(60)
        dead = cluster.read(flow.dead)
        assert len(dead) == 8 and all(record.value == b"not avro" for record in dead)
        # Those that waited for the topic are counted too, and once.
        assert worker.sum("lockgate_dead_letters_total") == 8
        verdict = flow.verdict()
        assert verdict.is_sound and not verdict.duplicates, verdict
        assert worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0


def poison(cluster, flow, count):
    from confluent_kafka import Producer

    producer = Producer(cluster.properties)
    for index in range(count):
        producer.produce(flow.source, b"not avro", f"poison-{index}".encode())
    assert producer.flush(20) == 0
