//! Source, sink and dead letters on clusters of their own.

use super::world::{TOPOLOGY, World, counted, drain, plan_of, until};

#[tokio::test(flavor = "multi_thread")]
async fn records_go_from_one_cluster_to_another_and_dead_letters_to_a_third() {
    let mut source = World::new().await;
    let (sink, letters) = (World::new().await, World::new().await);
    let topology = TOPOLOGY
        .replace("kafka: {", "kafka: { connection: sink,")
        .replace("dead_letter: {", "dead_letter: { connection: letters,");
    let brokers = [&sink, &letters].map(|world| world.cluster.bootstrap_servers());
    source.write(500);
    source.send(b"bad", Some(b"no frame"));
    source.flush();
    let worker = source.worker_on(
        plan_of(topology.leak(), &[]),
        &[
            ("kafka.connections.sink.brokers", &brokers[0]),
            ("kafka.connections.letters.brokers", &brokers[1]),
        ],
    );
    source.settle(&worker, 1).await;
    // The sink's cluster is away for a while: that is no matter of the source's.
    sink.cluster.broker_down(-1).unwrap();
    source.write(500);
    let errors = |connection| counted(worker.metrics(), "lockgate_kafka_errors_total", connection);
    until("the sink's producer has told of it", || {
        errors(r#"connection="sink""#) > 0.0
    })
    .await;
    for other in [r#"connection="main""#, r#"connection="letters""#] {
        assert_eq!(errors(other), 0.0, "{}", worker.metrics().render());
    }
    sink.cluster.broker_up(-1).unwrap();
    source.settle(&worker, 1).await;
    assert_eq!(drain(worker).await.disposed, [1_000, 0, 1, 0]);
    source.judge_of(&sink.read("out"));
    let dead = letters.read("dlq");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].header("lockgate.dlq.reason"), "bad_frame");
    assert_eq!(source.committed(), 1_001, "positions stay with the source");
    for (world, topic) in [
        (&source, "out"),
        (&source, "dlq"),
        (&sink, "dlq"),
        (&letters, "out"),
    ] {
        assert!(world.read(topic).is_empty(), "{topic} of another cluster");
    }
}
