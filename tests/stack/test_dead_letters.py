"""Dead letters are a workflow: listed by cause, shown, put right, sent again once."""

import json

from confluent_kafka import Producer

from flow import EVENT, Flow, amount_of, filler_of
from judge import judge
from kafka import encode
from worker import Worker, lockgate


def test_each_kind_is_listed_shown_and_redriven_after_the_cause_is_mended(stack, cluster, tmp_path, name):
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
