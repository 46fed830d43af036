//! Workers in processes of their own that really die. A test runs itself again as the worker: the environment says so.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::world::{self, PARTITIONS, TOPOLOGY, World, with_one_thread_and_with_four, within};
use super::{ABORT_KEY, LATER_KEY, Mutant, PROCESSED, SLOW_KEY, plant};
use crate::core::guard::{DEATHS_MAX, TRIES_MAX};
use crate::kafka::partition_for;
use crate::pipeline::process::PROCESS_ABORTED;
use crate::service::Service;
use crate::topology::Plan;

/// Brokers, registry and pipeline threads of the world in which this process is the worker.
const WORLD: &str = "LOCKGATE_TEST_WORLD";

fn plan(id: &str) -> Arc<Plan> {
    let text = TOPOLOGY.replace("id: road", &format!("id: {id}"));
    world::plan_of(text.leak(), &[])
}

/// Works in the world of another process until standard input ends, and says how many records it has processed.
fn work(id: &'static str, mutant: Mutant, world: &str) {
    let [brokers, registry, threads] = world.split(' ').collect::<Vec<_>>()[..] else {
        panic!("no world: {world}");
    };
    plant(id, mutant);
    let quick = "fetch.wait.max.ms=10;session.timeout.ms=3500;heartbeat.interval.ms=200";
    let flags = [
        ("kafka.properties", quick),
        ("limits.pipeline_threads", threads),
    ];
    let config = world::config_at(brokers, registry, &flags);
    let worker = Service::start(&[plan(id)], config, false).unwrap();
    std::thread::spawn(move || {
        let mut before = 0;
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let processed = PROCESSED.load(Ordering::Relaxed);
            if processed != before {
                println!("processed {processed}");
                before = processed;
            }
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    worker.stop();
    for (_, ended) in worker.join() {
        assert!(ended.unwrap().error.is_none());
    }
}

/// A worker in a process of its own; it ends when dropped.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    /// The test of this name, run again as a worker.
    fn start(test: &str, world: &World) -> Process {
        let address = format!(
            "{} {} {}",
            world.cluster.bootstrap_servers(),
            world.registry.url(),
            world.threads
        );
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("pipeline::planted::aborts::{test}")])
            .args(["--nocapture", "--test-threads=1"])
            .env(WORLD, address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Process {
            input: child.stdin.take(),
            child,
            lines,
        }
    }

    fn died(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Drains and ends.
    async fn stop(mut self) {
        drop(self.input.take());
        let mut status = None;
        within(60, "the worker has ended", || {
            status = self.died();
            status.is_some()
        })
        .await;
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_aborts_the_process_is_left_out_and_everything_else_passes() {
    const TEST: &str = "a_record_that_aborts_the_process_is_left_out_and_everything_else_passes";
    const ID: &str = "aborts";
    if let Ok(world) = std::env::var(WORLD) {
        return work(ID, Mutant::Abort, &world);
    }
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(300);
        let value = world.framed(world.event_id, "a", 0, "a secret");
        world.send(ABORT_KEY, Some(&value));
        world.flush();
        world.write(300);
        let all = world.events() as i64 + 1;
        let mut process = Process::start(TEST, &world);
        let mut deaths = 0;
        within(180, "everything is committed", || {
            if let Some(status) = process.died() {
                assert_eq!(status.signal(), Some(libc::SIGABRT), "{status:?}");
                deaths += 1;
                process = Process::start(TEST, &world);
            }
            world.committed_by(ID) == all
        })
        .await;
        println!("{deaths} deaths");
        // More if what lies before it arrives in between: then the position moves, and the count begins anew.
        let needed = DEATHS_MAX + TRIES_MAX;
        assert!((needed..3 * needed).contains(&deaths), "{deaths} deaths");
        world.write(300);
        let all = world.events() as i64 + 1;
        within(60, "the stream goes on", || world.committed_by(ID) == all).await;
        process.stop().await;

        world.judge();
        let letters = world.read("dlq");
        assert_eq!(letters.len(), 1, "{letters:?}");
        let letter = &letters[0];
        assert_eq!(letter.key.as_deref(), Some(ABORT_KEY));
        assert_eq!(letter.value.as_deref(), Some(value.as_slice()));
        assert_eq!(letter.header("lockgate.dlq.reason"), PROCESS_ABORTED);
        assert_eq!(letter.header("lockgate.dlq.class"), "poison");
        for (_, said) in world.positions_of(ID) {
            assert_eq!(said, format!("lockgate partitions={PARTITIONS}"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deaths_while_records_wait_for_their_delivery_condemn_nobody() {
    const TEST: &str = "deaths_while_records_wait_for_their_delivery_condemn_nobody";
    const ID: &str = "waits";
    if let Ok(world) = std::env::var(WORLD) {
        return work(ID, Mutant::Abort, &world);
    }
    let mut world = World::new().await;
    world.write(100);
    // The events are in; from now on every write is refused for a reason that may pass.
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 30_000];
    world
        .cluster
        .request_errors(RDKafkaApiKey::Produce, &refused);
    for death in 0..DEATHS_MAX + TRIES_MAX + 1 {
        let mut process = Process::start(TEST, &world);
        within(60, "everything waits for its delivery", || {
            process
                .lines
                .try_iter()
                .any(|line| line.ends_with("processed 100"))
        })
        .await;
        let open = format!("lockgate partitions={PARTITIONS} open");
        let expected = match death {
            0 => (0, open),
            _ => (0, format!("{open} deaths={death}")),
        };
        // The last ones were tried perhaps, one by one: nothing bears a mark while it waits.
        within(
            10,
            "the positions say how often workers died, and no more",
            || world.positions_of(ID) == vec![expected.clone(); PARTITIONS as usize],
        )
        .await;
        assert_eq!(process.died(), None);
        process.child.kill().unwrap();
    }
    world.cluster.clear_request_errors(RDKafkaApiKey::Produce);
    let process = Process::start(TEST, &world);
    let all = world.events() as i64;
    within(60, "everything is committed", || {
        world.committed_by(ID) == all
    })
    .await;
    process.stop().await;
    world.judge();
    assert!(world.read("dlq").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_of_what_a_record_left_behind_condemns_no_record_after_it() {
    const TEST: &str = "a_death_of_what_a_record_left_behind_condemns_no_record_after_it";
    const ID: &str = "later";
    if let Ok(world) = std::env::var(WORLD) {
        return work(ID, Mutant::AbortLater, &world);
    }
    let world = World::new().await;
    let partition = |key: &[u8]| partition_for(key, PARTITIONS);
    let slow = (0..)
        .map(|number| format!("{SLOW_KEY}{number}"))
        .find(|key| partition(key.as_bytes()) == partition(LATER_KEY))
        .unwrap();
    let keys = [LATER_KEY, slow.as_bytes()];
    for key in keys {
        let value = world.framed(world.event_id, "a", 0, "a secret");
        world.send(key, Some(&value));
    }
    world.flush();
    let said = || {
        let mut positions = world.positions_of(ID);
        positions.swap_remove(partition(LATER_KEY) as usize)
    };
    // The slow one bears the mark when the process dies, once; from then on it dies while nothing does.
    for death in 1..=DEATHS_MAX + TRIES_MAX + 1 {
        let mut process = Process::start(TEST, &world);
        within(60, "the worker has died", || process.died().is_some()).await;
        let status = process.died();
        assert!(
            status.is_some_and(|status| status.signal() == Some(libc::SIGABRT)),
            "{status:?}"
        );
        let open = format!("lockgate partitions={PARTITIONS} open");
        let expected = match death {
            1 => open,
            2..=DEATHS_MAX => format!("{open} deaths={}", death - 1),
            _ if death == DEATHS_MAX + 1 => format!("{open} deaths={DEATHS_MAX} trying=1"),
            _ => format!("{open} deaths={} suspect=1 tries=1", death - 2),
        };
        assert_eq!(said(), (0, expected), "after death {death}");
    }
    let worker = Service::start(&[plan(ID)], world.config(&[]), false).unwrap();
    within(60, "both are committed", || said().0 == 2).await;
    worker.stop();
    for (_, ended) in worker.join() {
        assert!(ended.unwrap().error.is_none());
    }
    assert!(world.read("dlq").is_empty());
    let arrived: BTreeSet<_> = world
        .read("out")
        .into_iter()
        .map(|arrival| arrival.header("lockgate.source").to_owned())
        .collect();
    let source = |offset| format!("in/{}/{offset}", partition(LATER_KEY));
    assert_eq!(arrived, BTreeSet::from([source(0), source(1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_another_thread_dies_of_condemns_none_that_is_tried_meanwhile() {
    const TEST: &str = "a_record_that_another_thread_dies_of_condemns_none_that_is_tried_meanwhile";
    const ID: &str = "beside";
    if let Ok(world) = std::env::var(WORLD) {
        return work(ID, Mutant::Abort, &world);
    }
    let mut world = World::with_threads(PARTITIONS as usize).await;
    let first = Service::start(&[plan(ID)], world.config(&[]), false).unwrap();
    within(60, "the first positions are committed", || {
        world.positions_of(ID).len() == PARTITIONS as usize
    })
    .await;
    first.stop();
    for (_, ended) in first.join() {
        assert!(ended.unwrap().error.is_none());
    }
    // One by one in all partitions but one, which flows beside them.
    let due = format!(
        "lockgate partitions={PARTITIONS} open deaths={}",
        DEATHS_MAX - 1
    );
    let mut said = [due.as_str(); PARTITIONS as usize];
    said[partition_for(ABORT_KEY, PARTITIONS) as usize] = "";
    world.say(ID, said);
    world.write(6_000);
    let mut process = Process::start(TEST, &world);
    let bears_mark = |(_, said): &(i64, String)| said.contains("trying=");
    within(60, "records are tried", || {
        world.positions_of(ID).iter().any(bears_mark)
    })
    .await;
    let value = world.framed(world.event_id, "a", 0, "a secret");
    world.send(ABORT_KEY, Some(&value));
    world.flush();
    within(60, "the worker has died", || process.died().is_some()).await;
    let positions = world.positions_of(ID);
    assert!(
        world.committed_by(ID) < world.events() as i64,
        "records were left to be tried: {positions:?}"
    );
    assert!(!positions.iter().any(bears_mark), "{positions:?}");
}
