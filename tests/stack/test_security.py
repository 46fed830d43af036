"""Brokers with SASL_SSL/SCRAM, mutual TLS and ACLs: what is needed suffices, what is missing is named, and nothing is lost."""

import re

import pytest
from confluent_kafka import Producer

from flow import Flow
from secure import MTLS_USER, USER, SecureBroker
from stack import HOST, wait_until
from worker import QUICK_SESSION, Worker


@pytest.fixture(scope="module")
def broker(stack):
    secure = SecureBroker(stack)
    yield secure
    secure.part.stop()


def rules(flow: Flow) -> dict[str, tuple[str, str, str]]:
    """All that a worker needs: kind of resource, its name, operation."""
    return {
        "read-source": ("TOPIC", flow.source, "READ"),
        "read-group": ("GROUP", flow.name, "READ"),
        "write-output": ("TOPIC", flow.output, "WRITE"),
        "write-dead-letters": ("TOPIC", flow.dead, "WRITE"),
    }


def written(flow: Flow) -> int:
    """A small load with one record that can never be delivered; returns the number of good ones."""
    production = flow.produce(count=600, rate=2_000, keys=30)
    production.start()
    production.finish(30)
    producer = Producer(flow.cluster.properties)
    producer.produce(flow.source, b"not avro", b"poison")
    assert producer.flush(20) == 0
    return production.count


def environment(broker: SecureBroker, number: int, properties: dict[str, str]) -> dict[str, str]:
    everything = ";".join(f"{name}={value}" for name, value in properties.items())
    return {"LOCKGATE__KAFKA__BROKERS": f"{HOST}:{number}", "LOCKGATE__KAFKA__PROPERTIES": f"{QUICK_SESSION};{everything}"}


def scram(broker: SecureBroker) -> dict[str, str]:
    properties = {**broker.scram_properties(), "sasl.password": f"file:{broker.password_file}"}
    return environment(broker, broker.scram, properties)


def finish(broker, flow, worker):
    flow.wait_drained(60)
    verdict = flow.verdict()
    assert verdict.is_sound and not verdict.duplicates, verdict
    assert [record.value for record in broker.cluster.read(flow.dead)] == [b"not avro"]
    assert worker.sum("lockgate_balance_records") == 0
    assert worker.terminate() == 0


def test_scram_over_tls_works_with_these_rules_and_no_others(stack, broker, tmp_path, name):
    flow = Flow(broker.cluster, tmp_path, name)
    for rule in rules(flow).values():
        broker.allow(USER, *rule)
    written(flow)
    with Worker(stack, flow.topology, name="scram", arguments=flow.arguments(), env=scram(broker)) as worker:
        finish(broker, flow, worker)
        assert "correct horse" not in worker.log_text()


def test_mutual_tls_works(stack, broker, tmp_path, name):
    flow = Flow(broker.cluster, tmp_path, name)
    for rule in rules(flow).values():
        broker.allow(MTLS_USER, *rule)
    written(flow)
    env = environment(broker, broker.mtls, broker.mtls_properties())
    with Worker(stack, flow.topology, name="mtls", arguments=flow.arguments(), env=env) as worker:
        finish(broker, flow, worker)


@pytest.mark.parametrize("missing", ["read-source", "read-group", "write-output", "write-dead-letters"])
def test_a_missing_rule_is_named_and_loses_nothing(stack, broker, tmp_path, name, missing):
    flow = Flow(broker.cluster, tmp_path, name)
    needed = rules(flow)
    for rule in needed.values():
        broker.allow(USER, *rule)
    broker.forbid(USER, *needed[missing])
    written(flow)
    kind, resource, operation = needed[missing]
    with Worker(stack, flow.topology, name=missing, arguments=flow.arguments(), env=scram(broker)) as worker:

        def is_named():
            """In the log or the status: what to grant on what."""
            lines = [*worker.log_text().splitlines(), str(worker.status())]
            wanted = re.compile(rf"grant (DESCRIBE and )?{operation} on {kind.lower()} {re.escape(resource)}\b")
            return any(wanted.search(line) for line in lines)

        wait_until(f"{operation} on {resource} is named as the missing ACL", is_named, 30, pause=0.5)
        assert worker.is_alive(), worker.tail()
        assert not flow.is_drained()
        broker.allow(USER, kind, resource, operation)
        finish(broker, flow, worker)
