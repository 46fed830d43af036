//! Workers come, go and are asked to stop.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use lockgate::telemetry::Metrics;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::world::{
    EVENT, MAPPED, PARTITIONS, TOPOLOGY, World, account, counted, done, drain, until,
    with_one_thread_and_with_four, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_record_ends_in_exactly_one_way_and_the_books_balance() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(3_000);
        // One that a rule filters, one that a rule of the topology forbids, one without a value.
        world.send(b"a", Some(&world.framed(world.event_id, "a", -1, "")));
        world.send(
            b"b",
            Some(&world.framed(world.event_id, "b", 1_000_000, "")),
        );
        world.send(b"c", Some(b"not avro"));
        world.flush();
        let worker = world.worker(&[]);
        world.settle(&worker, 3).await;
        let account = drain(worker).await;
        assert_eq!(account.disposed, [3_000, 1, 2, 0]);
        assert_eq!(world.judge(), 0);
        assert_eq!(world.read("dlq").len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_partitions_and_one_takes_over_without_loss_or_repetition() {
    with_one_thread_and_with_four(async |threads| {
        for world in 1..=WORLDS_MAX {
            if one_takes_over_from_another(threads).await {
                return;
            }
            println!("world {world}: the mock's coordinator went on without a member");
        }
        panic!("a member was left behind in each of {WORLDS_MAX} worlds");
    })
    .await;
}

/// The coordinator of the mock cluster ends a rebalance with the leader's answer, not with the last member's. A member that is slower begins
/// the next rebalance, during which the mock refuses commits, as no broker does; whoever is giving partitions back then does not get
/// them committed within the mock's five seconds, and is left behind. Such a world is not judged for repetitions.
const WORLDS_MAX: usize = 5;

/// False if a member was left behind. Nothing is lost or reordered in any case.
async fn one_takes_over_from_another(threads: usize) -> bool {
    let mut world = World::with_threads(threads).await;
    let first = world.worker(&[]);
    world.write(500);
    until("the first works alone", || done(&first) == world.events()).await;
    let second = world.worker(&[]);
    let both = [first.metrics().clone(), second.metrics().clone()];
    let owned = |metrics: &Metrics| metrics.partitions("road").len();
    // The mock cluster takes five seconds for each rebalance, and now and then more than two of them.
    within(120, "both own partitions", || {
        world.write(20);
        let [one, other] = [owned(&both[0]), owned(&both[1])];
        one > 0 && other > 0 && one + other == PARTITIONS as usize
    })
    .await;
    world.write(1_000);
    until("both have worked", || {
        world.committed() as u64 == world.events()
    })
    .await;
    assert!(done(&second) > 0);
    drain(first).await;
    world.write(1_000);
    until("the second took over", || {
        world.committed() as u64 == world.events()
    })
    .await;
    assert_eq!(account(&second).balance(), 0);
    drain(second).await;
    let repeated = world.judge();
    let lost = |metrics| counted(metrics, "lockgate_rebalances_total", r#"kind="lost""#);
    if both.iter().any(|metrics| lost(metrics) > 0.0) {
        println!("a member was left behind: {repeated} records were repeated");
        return false;
    }
    assert_eq!(
        repeated, 0,
        "nothing is repeated at a rebalance in which nobody dies"
    );
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_is_given_back_at_once_when_the_group_has_gone_on() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        let first = world.worker(&[("limits.drain_timeout_ms", "600000")]);
        world.write(500);
        world.settle(&first, 0).await;
        // More refusals than there are commits until the revoke, which follow each other more and more slowly. Those after them make the client
        // say that everything is lost, but not while a revoke is open.
        let mut refused = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 40];
        refused.extend([RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION; 1_000]);
        world
            .cluster
            .request_errors(RDKafkaApiKey::OffsetCommit, &refused);
        world.write(500);
        let second = world.worker(&[]);
        within(100, "the first has heeded the refusal", || {
            counted(
                first.metrics(),
                "lockgate_rebalances_total",
                r#"kind="lost""#,
            ) > 0.0
        })
        .await;
        world
            .cluster
            .clear_request_errors(RDKafkaApiKey::OffsetCommit);
        within(120, "all is committed", || {
            world.committed() as u64 == world.events()
        })
        .await;
        drain(first).await;
        drain(second).await;
        world.judge();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_to_the_last_commits_are_counted() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        // No commit of a frontier before the end, and those are answered when the lanes have gone.
        let worker = world.worker(&[("limits.commit_interval_ms", "60000")]);
        world.write(500);
        world.settle(&worker, 0).await;
        let metrics = worker.metrics().clone();
        let committed = || counted(&metrics, "lockgate_commits_total", r#"result="committed""#);
        let initial = committed();
        drain(worker).await;
        assert_eq!(world.committed() as u64, world.events());
        assert_eq!(committed() - initial, f64::from(PARTITIONS));
    })
    .await;
}

/// The binary on this world's broker and registry; it ends when dropped.
struct Program {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start(world: &World) -> Program {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("avro")).unwrap();
        std::fs::write(folder.path().join("road.yaml"), TOPOLOGY).unwrap();
        std::fs::write(folder.path().join("avro/event.avsc"), EVENT).unwrap();
        std::fs::write(folder.path().join("avro/mapped.avsc"), MAPPED).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_lockgate"))
            .args(["run", "road.yaml"])
            .current_dir(folder.path())
            .env_clear()
            .env(
                "LOCKGATE__KAFKA__BROKERS",
                world.cluster.bootstrap_servers(),
            )
            .env(
                "LOCKGATE__KAFKA__PROPERTIES",
                "fetch.wait.max.ms=10;session.timeout.ms=6000",
            )
            .env("LOCKGATE__REGISTRY__URL", world.registry.url())
            .env("LOCKGATE__ADMIN__LISTEN", "off")
            .env(
                "LOCKGATE__LIMITS__PIPELINE_THREADS",
                world.threads.to_string(),
            )
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Program {
            child,
            _folder: folder,
        }
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).unwrap();
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    async fn ended(&mut self) -> std::process::ExitStatus {
        let mut status = None;
        until("the program has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_commits_and_ends_with_0_and_the_next_one_repeats_nothing() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(3_000);
        let mut program = Program::start(&world);
        until("some records have arrived", || {
            world.read("out").len() > 100
        })
        .await;
        program.signal(libc::SIGTERM);
        let status = program.ended().await;
        assert_eq!((status.code(), status.signal()), (Some(0), None));
        assert_eq!(
            world.committed() as usize,
            world.read("out").len(),
            "what was written is committed, and nothing else"
        );
        world.write(500);
        let worker = world.worker(&[]);
        until("the rest has arrived", || {
            world.committed() as u64 == world.events()
        })
        .await;
        drain(worker).await;
        assert_eq!(world.judge(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkill_loses_nothing() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(3_000);
        let mut program = Program::start(&world);
        until("some records have arrived", || {
            world.read("out").len() > 100
        })
        .await;
        program.signal(libc::SIGKILL);
        program.ended().await;
        let worker = world.worker(&[]);
        until("the rest has arrived", || {
            world.committed() as u64 == world.events()
        })
        .await;
        drain(worker).await;
        world.judge();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_cannot_end_in_time_names_what_is_left() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(100);
        // The events are in; from now on every write is refused for a reason that may pass.
        let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 10_000];
        world
            .cluster
            .request_errors(RDKafkaApiKey::Produce, &refused);
        let worker = world.worker(&[("limits.drain_timeout_ms", "500")]);
        until("all events are polled", || {
            account(&worker).consumed == world.events()
        })
        .await;
        worker.stop();
        until("the worker has ended", || worker.is_finished()).await;
        let (_, ended) = worker.join().pop().unwrap();
        let left: u64 = ended
            .unwrap()
            .leftovers
            .iter()
            .filter_map(|(_, _, left)| left.records)
            .sum();
        assert_eq!(left, world.events());
        assert_eq!(world.committed(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_say_with_a_position_moves_nobody_and_condemns_no_record() {
    let left = || format!("lockgate partitions={PARTITIONS}");
    let open = || format!("lockgate partitions={PARTITIONS} open");
    let all_say = |world: &World, said: String| {
        let positions = world.positions_of("road");
        positions.len() == PARTITIONS as usize && positions.iter().all(|(_, now)| *now == said)
    };
    let mut world = World::new().await;
    world.write(200);
    let worker = world.worker(&[]);
    world.settle(&worker, 0).await;
    until("the positions say whose they are", || {
        all_say(&world, open())
    })
    .await;
    drain(worker).await;
    assert!(all_say(&world, left()));

    // A version without notes, a tool, and nobody who makes sense; the record that is named is the next one.
    let next = world.positions_of("road")[3].0;
    let insane = format!("lockgate open suspect={next} tries=-2 trying=99999999999999999999");
    let others = [
        "lockgate partitions=4",
        "",
        "deaths=9 open suspect=0 tries=9",
        &insane,
    ];
    world.say("road", others);
    world.write(200);
    let worker = world.worker(&[]);
    within(60, "all events are delivered", || {
        world.committed() as u64 == world.events()
    })
    .await;
    drain(worker).await;
    assert!(all_say(&world, left()));

    // Nor does it matter what is true, where the guard is off.
    let convicted = format!("{} deaths=3 suspect={next} tries=3", open());
    world.say("road", [&convicted; PARTITIONS as usize]);
    world.write(200);
    let worker = world.worker(&[("limits.crash_loop_guard", "false")]);
    within(60, "all events are delivered without the guard", || {
        world.committed() as u64 == world.events()
    })
    .await;
    assert!(all_say(&world, left()), "{:?}", world.positions_of("road"));
    drain(worker).await;
    assert_eq!(
        world.judge(),
        0,
        "every start was where the positions stood"
    );
    assert!(world.read("dlq").is_empty());
}
