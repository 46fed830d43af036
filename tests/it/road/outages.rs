//! The cluster of the sources is away, lacks a topic or lets nobody in: the state says so, and says when it is over.

use lockgate::service::Service;
use lockgate::telemetry::TopologyState;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::world::{PARTITIONS, TOPOLOGY, World, counted, drain, plan_of, state, until};

/// Until the state is `waiting` with this reason.
async fn waits_for(worker: &Service, reason: &str) {
    let mut seen = Vec::new();
    until(&format!("it waits for {reason}"), || {
        let now = state(worker);
        let is_there = matches!(&now, TopologyState::Waiting(why) if why.starts_with(reason));
        if seen.last() != Some(&now) {
            println!("{now:?}");
            seen.push(now);
        }
        is_there
    })
    .await;
}

fn complaints(worker: &Service) -> Vec<String> {
    worker.metrics().board().ready().err().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_cluster_that_is_away_is_a_state_until_it_is_back_with_or_without_records() {
    let mut source = World::new().await;
    // Only the source is away: what is known of the sinks must not help.
    let sink = World::new().await;
    let topology = TOPOLOGY
        .replace("kafka: {", "kafka: { connection: sink,")
        .replace("dead_letter: {", "dead_letter: { connection: sink,");
    let brokers = sink.cluster.bootstrap_servers();
    let worker = source.worker_on(
        plan_of(topology.leak(), &[]),
        &[("kafka.connections.sink.brokers", &brokers)],
    );
    source.write(100);
    source.settle(&worker, 0).await;
    // The group may expel the worker meanwhile; what is committed does not come twice.
    until("all is committed", || {
        source.committed() as u64 == source.events()
    })
    .await;
    until("it runs", || state(&worker) == TopologyState::Running).await;
    assert!(complaints(&worker).is_empty());

    source.cluster.broker_down(-1).unwrap();
    waits_for(&worker, "broker_unreachable: ").await;
    until("/ready says it", || {
        let complaints = complaints(&worker);
        matches!(&complaints[..], [one] if one.starts_with("road: cannot read: broker_unreachable: "))
    })
    .await;
    let shown = |state| counted(worker.metrics(), "lockgate_topology_state", state);
    assert_eq!(shown(r#"state="waiting""#), 1.0);
    assert!(worker.metrics().board().live().is_ok());

    // Nothing is written meanwhile: it is the cluster's answer that counts.
    source.cluster.broker_up(-1).unwrap();
    until("it runs again", || state(&worker) == TopologyState::Running).await;
    assert!(complaints(&worker).is_empty());
    source.write(100);
    source.settle(&worker, 0).await;
    drain(worker).await;
    source.judge_of(&sink.read("out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_topic_that_does_not_exist_is_named_until_it_does_and_the_start_is_no_running() {
    let world = World::new().await;
    let topology = TOPOLOGY.replace("topic: in", "topic: later");
    let refresh = "fetch.wait.max.ms=10;topic.metadata.refresh.interval.ms=500";
    let worker = world.worker_on(
        plan_of(topology.leak(), &[]),
        &[("kafka.properties", refresh)],
    );
    let mut states = Vec::new();
    until("the topic is named", || {
        let now = state(&worker);
        let is_named = |why: &String| why.starts_with("unknown_topic: create topic later;");
        let is_there = matches!(&now, TopologyState::Waiting(why) if is_named(why));
        states.push(now);
        is_there
    })
    .await;
    states.dedup();
    assert_eq!(states.len(), 2, "{states:?}");
    assert_eq!(states[0], TopologyState::Starting);
    let unassigned = "road: no partitions have been assigned yet (unknown_topic: create topic";
    assert!(complaints(&worker)[0].starts_with(unassigned));

    world.cluster.create_topic("later", PARTITIONS, 1).unwrap();
    until("it runs", || state(&worker) == TopologyState::Running).await;
    until("it is ready", || complaints(&worker).is_empty()).await;
    drain(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_fetch_names_the_grant_and_leaves_out_no_record() {
    let mut world = World::new().await;
    let worker = world.worker(&[]);
    world.write(100);
    world.settle(&worker, 0).await;
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 400];
    world.cluster.request_errors(RDKafkaApiKey::Fetch, &refused);
    waits_for(
        &worker,
        "topic_not_authorized: grant DESCRIBE and READ on topic in",
    )
    .await;
    world.cluster.clear_request_errors(RDKafkaApiKey::Fetch);
    world.write(100);
    world.settle(&worker, 0).await;
    until("it runs", || state(&worker) == TopologyState::Running).await;
    let assigned = r#"kind="assigned""#;
    let rebalances = counted(worker.metrics(), "lockgate_rebalances_total", assigned);
    assert_eq!(rebalances, 1.0, "no assignment has ended the wait");
    drain(worker).await;
    assert_eq!(world.judge(), 0, "the error took the place of no record");
    assert_eq!(world.committed() as u64, world.events());
}

/// Of a partition that is not read little is fetched, and the answers to fetches are how the client library knows its end.
#[tokio::test(flavor = "multi_thread")]
async fn the_lag_of_a_paused_partition_grows_with_what_is_written() {
    let mut world = World::new().await;
    let topology = TOPOLOGY.replace("topic: out", "topic: later");
    let worker = world.worker_on(
        plan_of(topology.leak(), &[]),
        &[("limits.fetch_queue_bytes", "1024")],
    );
    world.write(100);
    let paused = || counted(worker.metrics(), "lockgate_paused", r#"reason="sink""#);
    until("all wait for the sink", || {
        paused() == f64::from(PARTITIONS)
    })
    .await;
    // More than is fetched ahead.
    world.write(10_000);
    until("the lag is all that was written", || {
        counted(worker.metrics(), "lockgate_lag_records", "") as u64 == world.events()
    })
    .await;
    let topics = &world.cluster;
    topics.create_topic("later", PARTITIONS, 1).unwrap();
    world.settle(&worker, 0).await;
    until("nothing is left", || {
        counted(worker.metrics(), "lockgate_lag_records", "") == 0.0
    })
    .await;
    drain(worker).await;
    world.judge_of(&world.read("later"));
}
