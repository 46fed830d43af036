//! What an operator sees of a mistake in the code.

use std::sync::Arc;

use super::super::process::{Class, INTERNAL_PANIC, Input, Outputs, Processor, Verdict};
use super::world::{self, EVENT, TOPOLOGY, World, until};
use super::{Mutant, PANIC_KEY, plant};
use crate::service::Service;
use crate::telemetry::Account;
use crate::topology::Plan;

/// The topology under an id of its own: mistakes are planted by it.
fn plan(id: &str) -> Arc<Plan> {
    let text = TOPOLOGY.replace("id: road", &format!("id: {id}"));
    world::plan_of(text.leak(), &[])
}

fn done(account: &Account) -> u64 {
    account.disposed[..3].iter().sum()
}

/// The values of a metric over the partitions of a topology that are not 0.
fn values(worker: &Service, metric: &str) -> Vec<f64> {
    let all = worker.metrics().render();
    let of_it = all.lines().filter(|line| {
        line.strip_prefix(metric)
            .is_some_and(|rest| rest.starts_with('{'))
    });
    let numbers = of_it.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    numbers.filter(|value| *value != 0.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_the_record_s_own_and_the_processor_goes_on() {
    let world = World::new().await;
    let plan = world::plan();
    let schema = crate::schema::Schema::parse(EVENT).unwrap();
    let program = plan.compile_value(0, world.event_id, &schema).unwrap();
    // Without the ids of the output schemas: the first event that is mapped is beyond an index.
    let mut processor = Processor::new(plan.clone(), Vec::new());
    let mut outputs = Outputs::default();
    outputs.bytes.extend(b"of the record before");
    let mut process = |sequence| {
        let value = world.framed(world.event_id, "k", sequence, "a secret");
        let input = Input {
            source: 0,
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: Some(b"k"),
            value: Some(&value),
            headers: &[],
        };
        processor.process(None, Some(&program), &input, &mut outputs)
    };
    for _ in 0..2 {
        let Verdict::Poison(poison) = process(1) else {
            panic!("it did not panic")
        };
        assert_eq!(
            (poison.class, poison.reason),
            (Class::Poison, INTERNAL_PANIC)
        );
        assert!(!poison.declared, "it counts for the share");
        let place = "src/pipeline/process/run/routes.rs:";
        assert!(poison.message.contains(place), "{}", poison.message);
        assert!(matches!(process(-1), Verdict::Filtered(_)));
    }
    assert_eq!(outputs.bytes, b"of the record before");
    assert!(outputs.list.is_empty() && outputs.headers.is_empty() && outputs.failures.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_brings_the_code_down_is_one_dead_letter_and_its_neighbours_pass() {
    let id = "panics";
    plant(id, Mutant::Panic);
    let mut world = World::new().await;
    world.write(300);
    let value = world.framed(world.event_id, "p", 0, "a secret");
    world.send(PANIC_KEY, Some(&value));
    world.flush();
    world.write(300);
    let worker = world.worker_on(plan(id), &[]);
    let account = || worker.metrics().account(id);
    until("all records are done", || {
        done(&account()) == world.events() + 1
    })
    .await;
    assert_eq!(account().disposed, [600, 0, 1, 0]);
    assert_eq!(world.judge(), 0);
    let letters = world.read("dlq");
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.value.as_deref(), Some(value.as_slice()));
    assert_eq!(letter.header("lockgate.dlq.reason"), INTERNAL_PANIC);
    assert_eq!(letter.header("lockgate.dlq.class"), "poison");
    let message = letter.header("lockgate.dlq.message");
    assert!(
        message.contains("src/pipeline/planted/mod.rs:"),
        "{message}"
    );
    assert!(!message.contains("secret"), "{message}");
    worker.stop();
    until("the worker has ended", || worker.is_finished()).await;
    for (_, ended) in worker.join() {
        ended.unwrap();
    }
    assert_eq!(
        world.committed_by(id) as u64,
        world.events() + 1,
        "the next start does not meet it again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_them_stops_like_any_other_poison() {
    let id = "panics-always";
    plant(id, Mutant::Panic);
    let world = World::new().await;
    let value = world.framed(world.event_id, "p", 0, "");
    (0..1_000).for_each(|_| world.send(PANIC_KEY, Some(&value)));
    world.flush();
    let worker = world.worker_on(plan(id), &[]);
    until("the topology stands still", || {
        values(&worker, "lockgate_poison_stopped") == [1.0]
    })
    .await;
    let letters = world.read("dlq").len();
    assert!(letters < 200, "{letters} letters");
    worker.stop();
    until("the worker has ended", || worker.is_finished()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_lost_leaves_its_record_pending_and_uncommitted() {
    let id = "loses-a-report";
    let mut world = World::new().await;
    world.write(500);
    let worker = world.worker_on(plan(id), &[("limits.drain_timeout_ms", "1000")]);
    let account = || worker.metrics().account(id);
    until("all records are done", || done(&account()) == 500).await;
    assert_eq!((account().pending, account().balance()), (0, 0));
    assert!(values(&worker, "lockgate_pending_records").is_empty());

    plant(id, Mutant::ReportLost);
    world.write(1);
    until("the event has arrived", || world.read("out").len() == 501).await;
    until("the account has it", || account().consumed == 501).await;
    worker.stop();
    until("the worker has ended", || worker.is_finished()).await;
    // What is pending is not missing: the worker knows of it, and the next owner reads it again.
    let account = account();
    assert_eq!((account.disposed, account.balance()), ([500, 0, 0, 1], 0));
    let (_, ended) = worker.join().pop().unwrap();
    let leftovers = ended.unwrap().leftovers;
    let records: u64 = leftovers
        .iter()
        .filter_map(|(_, _, left)| left.records)
        .sum();
    assert_eq!(records, 1, "{leftovers:?}");
    assert_eq!(world.committed_by(id), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ack_that_is_lost_shows_as_a_balance_of_1() {
    let id = "loses-an-ack";
    let mut world = World::new().await;
    world.write(500);
    let worker = world.worker_on(plan(id), &[]);
    let account = || worker.metrics().account(id);
    until("all records are done", || done(&account()) == 500).await;
    assert_eq!(account().balance(), 0);
    assert!(values(&worker, "lockgate_balance_records").is_empty());

    plant(id, Mutant::AckLost);
    world.write(100);
    until("all but one are done", || {
        done(&account()) == 599 && account().pending == 0
    })
    .await;
    assert_eq!((account().consumed, account().balance()), (600, 1));
    assert_eq!(values(&worker, "lockgate_balance_records"), [1.0]);
    worker.stop();
    until("the worker has ended", || worker.is_finished()).await;
    let left = values(&worker, "lockgate_balance_records");
    assert_eq!(left, [1.0], "it does not go with the assignment");
}
