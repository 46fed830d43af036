//! The broker and the registry fail: nothing is lost, and the order of each key holds.

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::world::{
    PARTITIONS, World, account, counted, done, drain, until, with_one_thread_and_with_four,
};
use lockgate::kafka::partition_for;
use lockgate::registry::fake::Fault;

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_broker_lose_and_reorder_nothing() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        let worker = world.worker(&[]);
        world.write(2_000);
        until("some records have arrived", || done(&worker) > 500).await;
        let errors = [
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        ];
        world
            .cluster
            .request_errors(RDKafkaApiKey::Produce, &errors);
        world
            .cluster
            .request_errors(RDKafkaApiKey::Fetch, &errors[..1]);
        let refused = [
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ];
        world
            .cluster
            .request_errors(RDKafkaApiKey::OffsetCommit, &refused);
        world.write(2_000);
        world.settle(&worker, 0).await;
        drain(worker).await;
        world.judge();
        assert_eq!(
            world.committed() as u64,
            world.events(),
            "refused commits are made again"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_and_comes_back_loses_nothing() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        let worker = world.worker(&[]);
        world.write(1_000);
        until("some records have arrived", || done(&worker) > 200).await;
        world.cluster.broker_down(-1).unwrap();
        for client in [r#"client="consumer""#, r#"client="producer""#] {
            until("the errors of both clients are counted", || {
                counted(worker.metrics(), "lockgate_kafka_errors_total", client) > 0.0
            })
            .await;
        }
        let before = account(&worker);
        assert_eq!(before.balance(), 0);
        world.cluster.broker_up(-1).unwrap();
        world.write(1_000);
        world.settle(&worker, 0).await;
        drain(worker).await;
        world.judge();
        assert!(
            world.read("dlq").is_empty(),
            "an outage is no reason for a dead letter"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_registry_waits_and_buries_nothing() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        let worker = world.worker(&[]);
        world.write(100);
        world.settle(&worker, 0).await;
        // A schema that the worker has not seen.
        let newer = super::world::EVENT.replace(
            "]}",
            r#", {"name": "added", "type": "string", "default": ""}]}"#,
        );
        world.registry.fail_with(Fault::Status(500));
        let newer_id = world.registry.register("event", &newer);
        let mut value = world.framed(newer_id, "late", 0, "x");
        value.push(0); // The added string, empty.
        world.send(b"late", Some(&value));
        world.flush();
        until("the record is polled", || {
            account(&worker).consumed == world.events() + 1
        })
        .await;
        let requests = world.registry.requests();
        until("the registry has been asked again and again", || {
            world.registry.requests() > requests + 2
        })
        .await;
        assert_eq!(account(&worker).pending, 1);
        world.registry.fail_with(Fault::None);
        until("the record is done", || done(&worker) == world.events() + 1).await;
        assert!(world.read("dlq").is_empty());
        drain(worker).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_schema_id_keeps_its_own_partition_waiting_and_no_other() {
    let mut world = World::new().await;
    // All partitions on one thread: none is spared by being elsewhere.
    let worker = world.worker(&[
        ("limits.pipeline_threads", "1"),
        ("registry.request_timeout_ms", "60000"),
    ]);
    world.write(400);
    world.settle(&worker, 0).await;
    let newer = super::world::EVENT.replace(
        "]}",
        r#", {"name": "added", "type": "string", "default": ""}]}"#,
    );
    let newer_id = world.registry.register("event", &newer);
    world.registry.hold(newer_id);
    let mut value = world.framed(newer_id, "key-0", -1, "x");
    value.push(0); // The added string, empty.
    world.send(b"key-0", Some(&value));
    world.flush();
    until("the registry is asked", || {
        world.registry.requests_for(newer_id) == 1
    })
    .await;

    world.write(400);
    let of = |key: &str| partition_for(key.as_bytes(), PARTITIONS);
    let keys = (0..400).map(|index| of(&format!("key-{}", index % 23)));
    let behind = keys.filter(|at| *at == of("key-0")).count() as u64;
    until("all other partitions have delivered everything", || {
        let standing = worker.metrics().partitions("road");
        let waits = |reasons: &[&str]| reasons.contains(&"schema");
        let (waiting, others): (Vec<_>, Vec<_>) =
            standing.iter().partition(|one| waits(&one.paused));
        waiting.len() == 1
            && others.len() == 3
            && others.iter().all(|one| one.lag_records == Some(0))
            && done(&worker) == world.events() - behind
    })
    .await;
    assert_eq!(world.registry.requests_for(newer_id), 1);
    world.registry.release(newer_id);
    until("its own goes on", || done(&worker) == world.events() + 1).await;
    drain(worker).await;
    assert_eq!(world.judge(), 0);
    assert!(world.read("dlq").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_id_that_appears_late_is_waited_for() {
    let mut world = World::new().await;
    world.registry.hide(world.event_id, 2);
    let worker = world.worker(&[("registry.unknown_wait_ms", "10000")]);
    world.write(500);
    world.settle(&worker, 0).await;
    drain(worker).await;
    assert_eq!(world.judge(), 0);
    assert!(world.read("dlq").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_foreign_name_is_one_dead_letter() {
    let mut world = World::new().await;
    world.write(300);
    let foreign = super::world::EVENT.replace("\"Event\"", "\"Other\"");
    let foreign_id = world.registry.register("other", &foreign);
    world.send(b"foreign", Some(&world.framed(foreign_id, "f", 0, "x")));
    world.flush();
    world.write(300);
    let worker = world.worker(&[]);
    world.settle(&worker, 1).await;
    drain(worker).await;
    assert_eq!(world.judge(), 0);
    let dead = world.read("dlq");
    assert_eq!(super::world::reasons(&dead), ["wrong_schema"].into());
    assert_eq!(dead.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_does_not_resolve_stops_its_partition_and_no_other() {
    let mut world = World::new().await;
    let worker = world.worker(&[]);
    world.write(400);
    world.settle(&worker, 0).await;
    // The same name, and a long where a text was.
    let other = super::world::EVENT.replace(
        r#""filler", "type": "string""#,
        r#""filler", "type": "long""#,
    );
    let other_id = world.registry.register("event", &other);
    world.send(b"changed", Some(&world.framed(other_id, "c", 0, "")));
    world.flush();
    let stopped = || {
        let partitions = worker.metrics().partitions("road");
        let is_stopped = |reasons: &[&str]| reasons.contains(&"incompatible_schema");
        partitions
            .iter()
            .filter(|partition| is_stopped(&partition.paused))
            .count()
    };
    until("the partition stands still and says why", || stopped() == 1).await;
    let before = done(&worker);
    world.write(400);
    until("the other partitions go on", || {
        done(&worker) >= before + 200
    })
    .await;
    assert_eq!(stopped(), 1);
    assert!(world.read("dlq").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_for_one_record_buries_no_neighbour() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(200);
        // The broker refuses a whole batch, once; sent singly, every record of it is taken.
        let refusal = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE];
        world
            .cluster
            .request_errors(RDKafkaApiKey::Produce, &refusal);
        let worker = world.worker(&[]);
        world.settle(&worker, 0).await;
        let fatal = r#"client="producer",code="_GAPLESS_GUARANTEE""#;
        let counted = counted(worker.metrics(), "lockgate_kafka_errors_total", fatal);
        assert_eq!(counted, 1.0, "{}", worker.metrics().render());
        drain(worker).await;
        world.judge();
        assert!(world.read("dlq").is_empty(), "nobody was guilty");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_refused_for_its_time_keeps_its_payload_and_each_is_counted_once() {
    let world = World::new().await;
    for _ in 0..5 {
        world.send(b"bad", Some(b"no frame"));
    }
    world.flush();
    // The batch of the five, then the first of them sent singly; without its original time it is taken.
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP; 2];
    world
        .cluster
        .request_errors(RDKafkaApiKey::Produce, &refusals);
    let worker = world.worker(&[("limits.pipeline_threads", "1")]);
    until("all records are done", || done(&worker) == 5).await;
    let metrics = worker.metrics().clone();
    drain(worker).await;
    let dead = world.read("dlq");
    assert_eq!(dead.len(), 5);
    for letter in &dead {
        assert_eq!(letter.value.as_deref(), Some(b"no frame".as_slice()));
    }
    let letters = counted(&metrics, "lockgate_dead_letters_total", "");
    assert_eq!(letters, 5.0, "{}", metrics.render());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_takes_nothing_for_a_while_loses_and_buries_nothing() {
    let mut world = World::new().await;
    world.write(1_000);
    world.send(b"bad", Some(b"no frame"));
    world.flush();
    let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 8];
    world
        .cluster
        .request_errors(RDKafkaApiKey::Produce, &refusals);
    let worker = world.worker(&[("limits.pipeline_threads", "1")]);
    world.settle(&worker, 1).await;
    drain(worker).await;
    // The first refusal repeats what was in flight; the tries after it repeat one record of each partition.
    let repeated = world.judge();
    assert!(repeated < 1_100, "{repeated} repeated");
    assert!(!world.read("dlq").is_empty());
}
