"""`--until latest` where the end of a partition is no record: the worker ends, has delivered what is there, and the group stands at the ends."""

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from flow import Flow, amount_of, filler_of
from kafka import encode
from stack import wait_until
from worker import Worker

#: A sequence number that no output may have.
NEVER = 1_000_000


def write(flow: Flow, producer: Producer, partition: int, count: int, aborted: bool = False, key: str | None = None):
    """The next events of the partition's own key. `flow.written` learns of them, unless they will never count."""
    name = f"key-{partition}"
    written = flow.written.setdefault(name, {})
    first = NEVER if aborted else len(written)
    for sequence in range(first, first + count):
        value = {"key": name, "sequence": sequence, "amount": amount_of(name, sequence), "filler": filler_of(sequence)}
        framed = encode(flow.schema_id, flow.event, value)

        def acknowledged(error, message, sequence=sequence):
            assert error is None, error
            if not aborted:
                written[sequence] = f"{message.topic()}/{message.partition()}/{message.offset()}"

        producer.produce(flow.source, framed, (key or f"{name}-{sequence}").encode(), partition, on_delivery=acknowledged)
    assert producer.flush(30) == 0


def transactional(flow: Flow, number: int) -> Producer:
    producer = Producer({**flow.cluster.properties, "transactional.id": f"{flow.name}-{number}"})
    producer.init_transactions(30)
    return producer


def run_to_the_end(stack, flow: Flow):
    """One worker, which ends by itself; then every partition is committed up to its end."""
    with Worker(stack, flow.topology, name=flow.name, arguments=[*flow.arguments(), "--until", "latest"]) as worker:
        assert worker.process.wait(60) == 0, worker.tail()
    assert flow.cluster.committed(flow.name, flow.source) == flow.cluster.ends(flow.source)
    verdict = flow.verdict()
    print(verdict)
    assert verdict.is_sound and not verdict.duplicates, verdict
    assert sum(flow.cluster.ends(flow.dead).values()) == 0


def delete_before(flow: Flow, partition: int, offset: int):
    for future in flow.cluster.admin.delete_records([TopicPartition(flow.source, partition, offset)]).values():
        assert future.result(30).low_watermark == offset


def content(flow: Flow) -> list[dict]:
    """The events in the only partition of the source topic, up to its end."""
    consumer = Consumer({**flow.cluster.properties, "group.id": "stack-content", "enable.partition.eof": True})
    consumer.assign([TopicPartition(flow.source, 0, 0)])
    events = []
    while (message := consumer.poll(30)) is not None:
        if message.error() is None:
            events.append(flow.cluster.decode(message.value()))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            break
    consumer.close()
    return events


def test_ends_that_are_no_records(stack, cluster, tmp_path, name):
    """Partitions: empty; its beginning deleted; ends with an aborted transaction; nothing but one; ends with one that is open."""
    flow = Flow(cluster, tmp_path, name, partitions=5)
    plain = Producer({**cluster.properties, "enable.idempotence": True})
    write(flow, plain, 1, 10, aborted=True)
    delete_before(flow, 1, 10)
    write(flow, plain, 1, 50)
    closed, pending = transactional(flow, 1), transactional(flow, 2)
    for partition, count in ((2, 40), (4, 30)):
        closed.begin_transaction()
        write(flow, closed, partition, count)
        closed.commit_transaction(30)
    for partition in (2, 3):
        closed.begin_transaction()
        write(flow, closed, partition, 20, aborted=True)
        closed.abort_transaction(30)
    pending.begin_transaction()
    write(flow, pending, 4, 7)
    held_back = {sequence: flow.written["key-4"].pop(sequence) for sequence in range(30, 37)}
    assert cluster.ends(flow.source) == {0: 0, 1: 60, 2: 62, 3: 21, 4: 31}

    run_to_the_end(stack, flow)

    # The next run begins where this one stood: behind markers, and at the open transaction, whose records count now.
    pending.commit_transaction(30)
    flow.written["key-4"] |= held_back
    run_to_the_end(stack, flow)
    # Nothing new, and nothing is left of what was read.
    for partition, end in cluster.ends(flow.source).items():
        if end > 0:
            delete_before(flow, partition, end)
    run_to_the_end(stack, flow)


def test_gaps_of_a_compacted_topic(stack, cluster, tmp_path, name):
    """Before, within and after what the worker reads first; in the end the broker keeps one record of a key."""
    flow = Flow(cluster, tmp_path, name, partitions=1)
    quick = {"cleanup.policy": "compact", "segment.ms": "500", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000"}
    cluster.alter(flow.source, **quick)
    producer = transactional(flow, 1)

    def in_a_transaction(count: int, **words):
        producer.begin_transaction()
        write(flow, producer, 0, count, **words)
        producer.commit_transaction(30)

    for round_number in range(3):
        in_a_transaction(30, aborted=True, key="same")
        in_a_transaction(20)
    # A record of the same key that counts: the others go.
    in_a_transaction(1, key="same")

    def is_compacted() -> bool:
        # Only an append closes a segment, and the last one is never compacted.
        in_a_transaction(1)
        return all(event["sequence"] < NEVER for event in content(flow))

    wait_until("the broker has compacted the topic", is_compacted, 90, pause=2)
    assert len(content(flow)) < cluster.ends(flow.source)[0] - 90
    run_to_the_end(stack, flow)
    in_a_transaction(5)
    run_to_the_end(stack, flow)
