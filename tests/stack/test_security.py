"""Brokers with SASL_SSL/SCRAM, mutual TLS and ACLs: what `describe` lists suffices, what is missing of it is named, and nothing is lost."""

import re

import pytest
from confluent_kafka import Producer

from flow import Flow, noise
from kafka import encode
from secure import MTLS_USER, USER, Rule, SecureBroker, rules_of
from stack import HOST, wait_until
from worker import QUICK_SESSION, Worker, lockgate

# The output topic takes less than a worker believes that has not read the limit.
OUTPUT_BYTES_MAX = 20_000


def secured_flow(broker: SecureBroker, folder, name: str) -> Flow:
    flow = Flow(broker.cluster, folder, name, create=False)
    broker.cluster.create(flow.source, partitions=flow.partitions)
    broker.cluster.create(flow.output, partitions=flow.partitions, **{"max.message.bytes": str(OUTPUT_BYTES_MAX)})
    broker.cluster.create(flow.dead, partitions=1)
    return flow


def printed(flow: Flow) -> list[str]:
    """The `kafka-acls` commands that `describe` prints."""
    done = lockgate("describe", str(flow.topology), *flow.arguments(), "--json")
    assert done.code == 0, done.err
    acls = done.json()["acls"]
    assert acls.keys() == {"main"}
    text = lockgate("describe", str(flow.topology), *flow.arguments()).out
    assert all(command in text for command in acls["main"]), text
    return acls["main"]


def label(flow: Flow, rule: Rule) -> str:
    """The rule in words that do not depend on the test."""
    roles = {flow.name: "group", flow.source: "source", flow.output: "output", flow.dead: "dead-letters"}
    return f"{rule.operation.lower().removeprefix('describe_')}-{roles[rule.name]}"


def written(flow: Flow) -> list[bytes]:
    """A small load; returns two more records, that can never be delivered: one is no Avro, one is too large for the output topic."""
    production = flow.produce(count=600, rate=2_000, keys=30)
    production.start()
    production.finish(30)
    large = {"key": "large", "sequence": 0, "amount": 0, "filler": noise(OUTPUT_BYTES_MAX * 2)}
    poison = [b"not avro", encode(flow.schema_id, flow.event, large)]
    producer = Producer(flow.cluster.properties)
    for value in poison:
        producer.produce(flow.source, value, b"poison")
    assert producer.flush(20) == 0
    return poison


def environment(broker: SecureBroker, number: int, properties: dict[str, str]) -> dict[str, str]:
    everything = ";".join(f"{name}={value}" for name, value in properties.items())
    return {"LOCKGATE__KAFKA__BROKERS": f"{HOST}:{number}", "LOCKGATE__KAFKA__PROPERTIES": f"{QUICK_SESSION};{everything}"}


def scram(broker: SecureBroker) -> dict[str, str]:
    return environment(broker, broker.scram, broker.scram_properties())


def finish(broker, flow, worker, poison, may_repeat=False):
    flow.wait_drained(60)
    verdict = flow.verdict()
    assert verdict.is_sound and (may_repeat or not verdict.duplicates), verdict
    letters = [(record.value, record.header("lockgate.dlq.reason")) for record in broker.cluster.read(flow.dead)]
    assert list(dict.fromkeys(letters)) == list(zip(poison, ["bad_frame", "output_too_large"]))
    assert may_repeat or len(letters) == len(poison)
    assert worker.sum("lockgate_balance_records") == 0
    assert worker.terminate() == 0


def test_the_printed_acls_run_as_they_stand_and_suffice(stack, secure, tmp_path, name):
    flow = secured_flow(secure, tmp_path, name)
    commands = printed(flow)
    secure.run_acl_commands(USER, commands)
    assert {rule for rule in secure.rules(USER) if rule.name.startswith(name)} == set(rules_of(commands))
    poison = written(flow)
    with Worker(stack, flow.topology, name="scram", arguments=flow.arguments(), env=scram(secure)) as worker:
        finish(secure, flow, worker, poison)
        assert "could not be read" not in worker.log_text(), "DescribeConfigs is among them"


def test_mutual_tls_works_with_an_encrypted_key(stack, secure, tmp_path, name):
    flow = secured_flow(secure, tmp_path, name)
    secure.allow(MTLS_USER, *rules_of(printed(flow)))
    poison = written(flow)
    env = environment(secure, secure.mtls, secure.mtls_properties())
    with Worker(stack, flow.topology, name="mtls", arguments=flow.arguments(), env=env) as worker:
        finish(secure, flow, worker, poison)


def test_refused_credentials_are_named_and_are_no_running(stack, secure, tmp_path, name):
    flow = secured_flow(secure, tmp_path, name)
    password = tmp_path / "password"
    password.write_text("wrong")
    env = environment(secure, secure.scram, {**secure.scram_properties(), "sasl.password": f"file:{password}"})
    with Worker(stack, flow.topology, name="wrong", arguments=flow.arguments(), env=env) as worker:

        def waits():
            return [topology for topology in worker.status()["topologies"] if topology["state"] == "waiting"]

        wait_until("the state says it", lambda: any("authentication_failed" in topology["reason"] for topology in waits()), 60)
        code, why = worker.get("/ready")
        assert code == 503 and "authentication_failed" in why, (code, why)


# Without these nothing moves until they are granted; without the others the configured limit holds.
NEEDED = ["read-group", "read-source", "write-output", "write-dead-letters"]
USEFUL = ["configs-output", "configs-dead-letters"]


def one_missing(broker: SecureBroker, flow: Flow, missing: str) -> Rule:
    """Grants all that `describe` lists but one, which is returned."""
    rules = {label(flow, rule): rule for rule in rules_of(printed(flow))}
    assert rules.keys() == {*NEEDED, *USEFUL}, "each printed rule is tried without"
    broker.allow(USER, *(rule for which, rule in rules.items() if which != missing))
    return rules[missing]


def wait_named(worker: Worker, rule: Rule):
    """In the log or the status: what to grant on what."""
    wanted = re.compile(rf"grant (DESCRIBE and )?{rule.operation} on {rule.kind.lower()} {re.escape(rule.name)}\b")

    def is_named():
        return any(wanted.search(line) for line in [*worker.log_text().splitlines(), str(worker.status())])

    wait_until(f"{rule} is named as the missing ACL", is_named, 30, pause=0.5)


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_acl_is_named_and_loses_nothing(stack, secure, tmp_path, name, missing):
    flow = secured_flow(secure, tmp_path, name)
    rule = one_missing(secure, flow, missing)
    poison = written(flow)
    with Worker(stack, flow.topology, name=missing, arguments=flow.arguments(), env=scram(secure)) as worker:
        wait_named(worker, rule)
        assert worker.is_alive(), worker.tail()
        assert not flow.is_drained()
        secure.allow(USER, rule)
        finish(secure, flow, worker, poison)


@pytest.mark.parametrize("missing", USEFUL)
def test_no_limit_acl_is_named_and_all_flows(stack, secure, tmp_path, name, missing):
    flow = secured_flow(secure, tmp_path, name)
    rule = one_missing(secure, flow, missing)
    poison = written(flow)
    with Worker(stack, flow.topology, name=missing, arguments=flow.arguments(), env=scram(secure)) as worker:
        wait_named(worker, rule)
        # The broker refuses what is too large for its topic; what was in flight beside it is sent again.
        finish(secure, flow, worker, poison, may_repeat=missing == "configs-output")
