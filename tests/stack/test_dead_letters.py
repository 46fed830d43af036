"""Dead letters are a workflow: listed by cause, shown, put right, sent again once."""

import json

import fastavro
from confluent_kafka import Producer

from flow import EVENT, Flow, noise
from judge import judge
from kafka import encode
from worker import Worker, lockgate


def test_letters_are_the_originals_and_a_mended_rule_redrives_them_once(stack, cluster, tmp_path, name):
    flow = Flow(cluster, tmp_path, name)
    # A rule that the topology declares itself; mending it makes the records good.
    flow.write_topology(
        """\
        - name: known
          require: event.sequence < 100
        """
    )
    production = flow.produce(count=3_000, rate=3_000, keys=20)
    production.start()
    production.finish(60)
    producer = Producer(cluster.properties)
    truncated = encode(flow.schema_id, flow.event, {"key": "t", "sequence": 0, "amount": 0, "filler": "cut here"})[:-3]
    poison = {"bad_frame": b"not avro", "truncated": truncated, "unknown_schema": b"\0\0\x3d\x09\x00rest"}
    for reason, value in poison.items():
        producer.produce(flow.source, value, reason.encode(), headers={"origin": b"\xff\x00kept"})
    assert producer.flush(30) == 0
    good = {key: {n: at for n, at in positions.items() if n < 100} for key, positions in flow.written.items()}
    broken = sum(len(positions) for positions in flow.written.values()) - sum(len(positions) for positions in good.values())
    assert broken > 100, "the load has enough records beyond the rule"

    env = {"LOCKGATE__REGISTRY__UNKNOWN_WAIT_MS": "2000"}
    with Worker(stack, flow.topology, name="dead", arguments=flow.arguments(), env=env) as worker:
        flow.wait_drained(60)
        assert worker.sum("lockgate_dead_letters_total") == broken + len(poison)
        assert worker.sum("lockgate_disposed_records_total", disposition="dead_lettered") == broken + len(poison)
        assert worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0
    assert judge(good, flow.arrivals()).is_sound

    dead = cluster.read(flow.dead)
    originals = {f"{record.topic}/{record.partition}/{record.offset}": record for record in cluster.read(flow.source)}
    assert len(dead) == broken + len(poison)
    for letter in dead:
        original = originals["/".join(letter.header(f"lockgate.dlq.{part}") for part in ("topic", "partition", "offset"))]
        assert (letter.key, letter.value) == (original.key, original.value)
        untouched = [header for header in letter.headers if not header[0].startswith("lockgate.")]
        assert untouched == original.headers
        assert letter.header("lockgate.dlq.topology") == flow.name
        if original.key.decode() in poison:
            assert letter.header("lockgate.dlq.reason") == original.key.decode()

    client = {"LOCKGATE__KAFKA__BROKERS": stack.brokers, "LOCKGATE__REGISTRY__URL": stack.registry_url}

    def dlq(*words):
        done = lockgate("dlq", *words, "--topic", flow.dead, env=client)
        assert done.code == 0, done.err
        return done

    listed = dlq("list").out
    for reason in poison:
        assert reason in listed, listed
    listed = json.dumps(dlq("list", "--json").json())
    assert str(broken) in listed, listed
    shown = dlq("show", "0:0").out
    assert "lockgate.dlq.reason" in shown or "reason" in shown, shown

    flow.write_topology()
    redrive = ("redrive", str(flow.topology), *flow.arguments(), "--reason", "rule")
    dry = dlq(*redrive, "--dry-run")
    assert str(broken) in dry.out, dry.out
    assert len(cluster.read(flow.output)) == sum(map(len, good.values())), "a dry run writes nothing"
    dlq(*redrive)
    arrivals = flow.arrivals()
    assert {(a.key, a.sequence) for a in arrivals} == {(key, n) for key, positions in flow.written.items() for n in positions}
    assert len(arrivals) == sum(map(len, flow.written.values())), "nothing was sent twice"

    again = dlq(*redrive)
    assert len(flow.arrivals()) == len(arrivals), again.out


def kinds_topology(flow: Flow, copies: list[str], id_from: str = "payload", rule: bool = True, divide: str = "1000 / event.amount") -> str:
    """Every stage can fail: reading, a rule, a step, the choice of a topic, the size of an output."""
    rules = "  - name: known\n    require: event.sequence < 100\n" if rule else ""
    return f"""\
id: {flow.name}
sources:
  - topic: {flow.source}
    envelope: none
    key: string
    value: {{ avro: {flow.source}-value, id_from: {id_from} }}
steps:
{rules}  - name: shape
    schema: {flow.output}-value
    from: event
    set:
      doubled: {divide}
match: all
routes:
  - name: out
    kafka: {{ topic: {flow.output}, key: event.key }}
  - name: copy
    kafka: {{ topic: "{flow.name}.copy-${{event.key}}", topics: {copies}, key: event.key }}
dead_letter: {{ topic: {flow.dead} }}
"""


def test_each_kind_is_redriven_once_after_its_own_cause_is_mended(stack, cluster, tmp_path, name):
    flow = Flow(cluster, tmp_path, name, create=False)
    copies = {key: f"{name}.copy-{key}" for key in ("known", "late")}
    cluster.create(flow.source, *copies.values(), partitions=2)
    cluster.create(flow.output, partitions=2, **{"max.message.bytes": "3000"})
    cluster.create(flow.dead, partitions=2, **{"max.message.bytes": "8000"})
    # Of no other test: the registry gives equal schemas one id.
    newer = {**EVENT, "fields": [*EVENT["fields"], {"name": "added_unregistered", "type": "string", "default": ""}]}
    flow.topology.write_text(kinds_topology(flow, [copies["known"]]))
    env = {"LOCKGATE__REGISTRY__UNKNOWN_WAIT_MS": "1500", "LOCKGATE__REGISTRY__UNKNOWN_TTL_MS": "1000"}
    producer = Producer(cluster.properties)

    def event(sequence: int, key="known", amount=1, filler=None) -> dict:
        return {"key": key, "sequence": sequence, "amount": amount, "filler": filler}

    def send(value: bytes, **headers: bytes):
        producer.produce(flow.source, value, b"k", headers=headers)

    def good(value: dict) -> bytes:
        return encode(flow.schema_id, flow.event, value)

    with Worker(stack, flow.topology, name="kinds", arguments=flow.arguments(), env=env) as worker:
        worker.wait_ready()
        # The next id that the registry gives away; nobody has it yet.
        next_id = cluster.register(f"{name}-before", {"type": "record", "name": "Before", "fields": [{"name": name.replace("-", "_"), "type": "int"}]}) + 1
        bare = good(event(10))[5:]
        for sequence in range(5):
            send(good(event(sequence)))
        # A converter that writes the id into a header, as Apicurio's does unless told otherwise.
        send(bare, **{"apicurio.value.contentId": flow.schema_id.to_bytes(8, "big")})
        send(good(event(11))[:-1])
        send(encode(next_id, fastavro.parse_schema(newer), {**event(12), "added_unregistered": "later"}))
        send(good(event(113)))
        send(good(event(14, amount=0)))
        send(good(event(15, key="late")))
        send(good(event(16, filler=noise(4_000))))
        send(good(event(17, key="late", filler=noise(9_000))))
        assert producer.flush(20) == 0
        flow.wait_drained(60)
        assert worker.sum("lockgate_balance_records") == 0
        assert worker.terminate() == 0

    client = {"LOCKGATE__KAFKA__BROKERS": stack.brokers, "LOCKGATE__REGISTRY__URL": stack.registry_url}

    def dlq(command: str, *words: str):
        done = lockgate("dlq", command, *words, "--json", env=client)
        account = done.json()
        # What fails again, or cannot be processed, was asked for and stays.
        assert done.code == bool(account.get("fails_again") or account.get("skipped")), done.err
        return account

    def waiting() -> dict[str, int]:
        counts: dict[str, int] = {}
        for group in dlq("list", "--topic", flow.dead)["groups"]:
            counts[group["reason"]] = counts.get(group["reason"], 0) + group["count"]
        return counts

    def arrived() -> dict[str, list[int]]:
        """Sequences in the output topics, repetitions included."""
        return {
            topic: sorted(cluster.decode(record.value)["sequence"] for record in cluster.read(topic))
            for topic in (flow.output, *copies.values())
        }

    def redrive(reason: str, *words: str) -> dict:
        return dlq("redrive", str(flow.topology), *flow.arguments(), "--reason", reason, *words)

    # 17 fails on both routes, as too large for one and for a topic that the other may not write to; its letters are stubs.
    assert waiting() == {
        "bad_frame": 1,
        "truncated": 1,
        "unknown_schema": 1,
        "rule": 1,
        "division_by_zero": 1,
        "topic_not_allowed": 2,
        "output_too_large": 2,
    }
    delivered = {flow.output: [*range(5), 15], copies["known"]: [*range(5), 16], copies["late"]: []}
    assert arrived() == delivered
    for group in dlq("list", "--topic", flow.dead)["groups"]:
        shown = dlq("show", "--topic", flow.dead, group["example"])
        assert shown["cause"]["reason"] == group["reason"] and shown["cause"]["message"], shown

    mended = kinds_topology(flow, [copies["known"]])

    def mend_frame():
        flow.topology.write_text(kinds_topology(flow, [copies["known"]], id_from="apicurio_content_id"))

    def mend_schema():
        assert cluster.register(f"{flow.source}-value", newer) == next_id

    # What is mended, and which records then arrive where.
    both = (flow.output, copies["known"])
    cases = {
        "bad_frame": (mend_frame, {topic: [10] for topic in both}),
        "unknown_schema": (mend_schema, {topic: [12] for topic in both}),
        "rule": (lambda: flow.topology.write_text(kinds_topology(flow, [copies["known"]], rule=False)), {topic: [113] for topic in both}),
        "division_by_zero": (
            lambda: flow.topology.write_text(kinds_topology(flow, [copies["known"]], divide="'event.amount == 0 ? 0 : 1000 / event.amount'")),
            {topic: [14] for topic in both},
        ),
        # The other routes of these records have delivered.
        "topic_not_allowed": (lambda: flow.topology.write_text(kinds_topology(flow, list(copies.values()))), {copies["late"]: [15]}),
        "output_too_large": (lambda: cluster.alter(flow.output, **{"max.message.bytes": "1000000"}), {flow.output: [16]}),
    }
    for reason, (mend, arrivals) in cases.items():
        flow.topology.write_text(mended)
        before = redrive(reason)
        assert before["redriven"] == 0 and before["fails_again"] == {reason: 1}, f"not mended yet: {before}"
        assert arrived() == delivered
        mend()
        dry = redrive(reason, "--dry-run")
        assert dry["redriven"] == 1 and arrived() == delivered, dry
        first = redrive(reason)
        assert (first["redriven"], first["redriven_before"], first["fails_again"]) == (1, 0, {}), first
        for topic, sequences in arrivals.items():
            delivered[topic] = sorted(delivered[topic] + sequences)
        assert arrived() == delivered, reason
        second = redrive(reason)
        assert (second["redriven"], second["redriven_before"], second["fails_again"]) == (0, 1, {}), second
        assert arrived() == delivered, reason

    # Bytes that are gone cannot be mended: these stay, however often they are tried.
    for _ in range(2):
        assert redrive("truncated")["fails_again"] == {"truncated": 1}
    flow.topology.write_text(kinds_topology(flow, list(copies.values())))
    everything = dlq("redrive", str(flow.topology), *flow.arguments())
    assert everything["redriven"] == 0 and sum(everything["skipped"].values()) == 2, everything
    assert arrived() == delivered
    assert waiting() == {"truncated": 1, "topic_not_allowed": 1, "output_too_large": 1}
