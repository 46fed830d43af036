//! Records that can never be delivered: each ends in the dead letter topic with its reason, untouched.

use super::world::{
    Arrival, World, account, counted, drain, reasons, state, until, with_one_thread_and_with_four,
};
use lockgate::telemetry::TopologyState;
use rdkafka::message::{Header, OwnedHeaders};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_buried_untouched_with_its_reason_and_its_neighbours_pass() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(500);
        let sound = world.framed(world.event_id, "p", 7, "näßig");
        let poison: [(&str, &[u8]); 6] = [
            ("bad_frame", b"not avro"),
            ("truncated", &sound[..sound.len() - 3]),
            ("trailing_bytes", &[sound.as_slice(), b"more"].concat()),
            ("unknown_schema", &[0, 0, 0x3d, 9, 0, 1]),
            ("bad_frame", b""),
            // Asked for, it would be an outage for ever: no registry has an address for such an id.
            ("bad_frame", &[0, 0xff, 0xff, 0xff, 0xff, 1]),
        ];
        for (reason, value) in poison {
            world.send(reason.as_bytes(), Some(value));
        }
        world.flush();
        world.write(500);
        let worker = world.worker(&[]);
        world.settle(&worker, 6).await;
        drain(worker).await;
        assert_eq!(world.judge(), 0);
        let dead = world.read("dlq");
        assert_eq!(dead.len(), 6);
        for letter in &dead {
            let key = String::from_utf8(letter.key.clone().unwrap()).unwrap();
            assert_eq!(letter.header("lockgate.dlq.reason"), key);
            let original = poison
                .iter()
                .any(|(reason, value)| *reason == key && letter.value.as_deref() == Some(*value));
            assert!(original, "{key}: {:?}", letter.value);
            assert_eq!(letter.header("lockgate.dlq.topic"), "in");
            assert_eq!(letter.header("lockgate.dlq.topology"), "road");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_stream_stops_its_source_instead_of_emptying_it() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(1_000);
        (0..2_000).for_each(|index: u32| world.send(&index.to_be_bytes(), Some(b"not avro")));
        world.flush();
        let worker = world.worker(&[]);
        until("the source has stopped", || {
            matches!(state(&worker), TopologyState::Stopped(_)) || is_paused(&worker)
        })
        .await;
        let buried = world.read("dlq").len();
        assert!(buried < 1_000, "{buried} of 2000 were buried");
        assert_eq!(account(&worker).balance(), 0);
        worker.stop();
        until("the worker has ended", || worker.is_finished()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_that_each_see_a_part_of_the_poison_stop_together_and_the_metric_stays() {
    let world = World::with_threads(4).await;
    // About 30 for each thread: none of them alone has enough to judge by.
    (0..120_u32).for_each(|index| world.send(&index.to_be_bytes(), Some(b"not avro")));
    world.flush();
    let worker = world.worker(&[]);
    let stopped = |label| counted(worker.metrics(), "lockgate_poison_stopped", label);
    let of_source = r#"name="in",scope="source""#;
    until("the metric says it", || stopped(of_source) == 1.0).await;
    let share = counted(worker.metrics(), "lockgate_poison_share", of_source);
    assert_eq!(share, 1.0, "that of all threads");
    let standing = || {
        let partitions = worker.metrics().partitions("road");
        let is_stopped = |reasons: &[&str]| reasons.contains(&"poison");
        partitions
            .iter()
            .filter(|one| is_stopped(&one.paused))
            .count()
    };
    until("all partitions stand still", || standing() == 4).await;
    // Each thread publishes several times meanwhile.
    for _ in 0..50 {
        assert_eq!((stopped(of_source), stopped("")), (1.0, 1.0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    worker.stop();
    until("the worker has ended", || worker.is_finished()).await;
    // The hundredth stops; three others may be judged at the same moment.
    let buried = world.read("dlq").len();
    assert!((96..=99).contains(&buried), "{buried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_ends_at_the_ends_and_names_what_stands_still() {
    with_one_thread_and_with_four(async |threads| {
        let mut world = World::with_threads(threads).await;
        world.write(1_000);
        let whole = world.backfill();
        until("the back-fill has ended", || whole.is_finished()).await;
        for (topology, ended) in whole.join() {
            let ended = ended.unwrap_or_else(|error| panic!("{topology}: {error:#}"));
            assert!(
                ended.stuck.is_empty() && ended.leftovers.is_empty(),
                "{ended:?}"
            );
        }
        assert_eq!(world.judge(), 0);

        (0..2_000).for_each(|index: u32| world.send(&index.to_be_bytes(), Some(b"not avro")));
        world.flush();
        let stuck = world.backfill();
        until("the back-fill has ended all the same", || {
            stuck.is_finished()
        })
        .await;
        for (topology, ended) in stuck.join() {
            let ended = ended.unwrap_or_else(|error| panic!("{topology}: {error:#}"));
            assert!(
                ended
                    .stuck
                    .iter()
                    .any(|(topic, _, why)| topic == "in" && *why == "poison"),
                "{ended:?}"
            );
        }
    })
    .await;
}

fn is_paused(worker: &lockgate::service::Service) -> bool {
    worker.metrics().partitions("road").iter().any(|partition| {
        partition
            .paused
            .iter()
            .any(|reason| reason.contains("poison"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_the_topology_declares_do_not_count_as_poison() {
    let world = World::new().await;
    for index in 0..500_u32 {
        let value = world.framed(world.event_id, "r", 1_000_000 + i64::from(index), "x");
        world.send(&index.to_be_bytes(), Some(&value));
    }
    world.flush();
    let worker = world.worker(&[]);
    until("all records are buried", || {
        account(&worker).disposed[2] == 500
    })
    .await;
    assert!(!matches!(state(&worker), TopologyState::Stopped(_)));
    drain(worker).await;
    assert_eq!(reasons(&world.read("dlq")), ["rule"].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_too_large_is_buried_and_its_neighbours_pass() {
    let mut world = World::new().await;
    world.write(300);
    world.send(
        b"large",
        Some(&world.framed(world.event_id, "large", 0, &"x".repeat(30_000))),
    );
    world.flush();
    world.write(300);
    let worker = world.worker(&[("limits.output_record_bytes", "20000")]);
    world.settle(&worker, 1).await;
    drain(worker).await;
    assert_eq!(world.judge(), 0);
    let dead = world.read("dlq");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].header("lockgate.dlq.route"), "out");
    // The dead letter topic takes no more either: a stub says how large the original was.
    let size: usize = dead[0].header("lockgate.dlq.stub").parse().unwrap();
    assert!(size > 30_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_headers_end_as_dead_letters_and_their_neighbours_pass() {
    let mut world = World::new().await;
    let many = |count: usize| {
        let headers = OwnedHeaders::new_with_capacity(count);
        let header = || Header {
            key: "h",
            value: None::<&[u8]>,
        };
        (0..count).fold(headers, |headers, _| headers.insert(header()))
    };
    let long = |bytes: usize| {
        let key = &"n".repeat(bytes);
        OwnedHeaders::new().insert(Header {
            key,
            value: Some("v"),
        })
    };
    world.write(200);
    // Within the limits it goes its way: a rule filters it.
    let filtered = world.framed(world.event_id, "f", -1, "");
    for headers in [many(1_000), long(200_000)] {
        world.send_with(b"f", Some(&filtered), headers);
    }
    let value = world.framed(world.event_id, "h", 0, "");
    for (key, headers) in [
        ("1001", many(1_001)),
        ("100000", many(100_000)),
        ("a name of 300 kB", long(300_000)),
        ("a name of 900 kB", long(900_000)),
        ("more than the library reads", many(100_001)),
    ] {
        world.send_with(key.as_bytes(), Some(&value), headers);
    }
    world.flush();
    world.write(200);
    let worker = world.worker(&[]);
    world.settle(&worker, 7).await;
    assert_eq!(drain(worker).await.disposed, [400, 2, 5, 0]);
    assert_eq!(world.judge(), 0);
    let letters = world.read("dlq");
    assert_eq!(letters.len(), 5);
    for letter in &letters {
        let key = String::from_utf8_lossy(letter.key.as_deref().unwrap());
        let reason = match key == "more than the library reads" {
            true => "bad_headers",
            false => "headers_limit",
        };
        assert_eq!(letter.header("lockgate.dlq.reason"), reason, "{key}");
        // Headers that do not fit into the dead letter topic leave it to a stub.
        match key == "100000" {
            true => assert_ne!(letter.header("lockgate.dlq.stub"), ""),
            false => assert_eq!(letter.value.as_ref(), Some(&value), "{key}"),
        }
        if key.starts_with("a name") {
            assert!(letter.headers.iter().any(|(name, _)| name.len() >= 300_000));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_times_stop_no_record_and_do_not_change_on_the_way() {
    let world = World::new().await;
    let times = [
        ("before the epoch", -5),
        ("in 1970", 1),
        ("in the year 10000", 253_402_300_800_000),
        ("beyond every calendar", i64::MAX / 2),
    ];
    for (key, at) in times {
        let value = world.framed(world.event_id, key, 0, "");
        world.send_at(at, key.as_bytes(), Some(&value));
        world.send_at(at, key.as_bytes(), Some(b"not avro"));
    }
    world.flush();
    let worker = world.worker(&[]);
    world.settle(&worker, 8).await;
    for partition in worker.metrics().partitions("road") {
        let lag = partition.lag_seconds.unwrap_or_default();
        assert!(lag >= 0.0 && lag.is_finite(), "{lag}");
    }
    assert_eq!(drain(worker).await.disposed, [4, 0, 4, 0]);
    let (outputs, letters) = (world.read("out"), world.read("dlq"));
    for (key, at) in times {
        for arrival in outputs.iter().chain(&letters) {
            if arrival.key.as_deref() == Some(key.as_bytes()) {
                match at < 0 {
                    // No time at all, then: that of its writing.
                    true => assert!(
                        arrival.timestamp_ms > Some(1_700_000_000_000),
                        "{arrival:?}"
                    ),
                    false => assert_eq!(arrival.timestamp_ms, Some(at), "{arrival:?}"),
                }
            }
        }
    }
    let told = letters.iter().filter(|letter| {
        let time = letter.header("lockgate.dlq.timestamp");
        times.iter().any(|(_, at)| *time == at.to_string())
    });
    assert_eq!(told.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_name_stay_apart_and_in_order() {
    let world = World::new().await;
    let sent = [
        ("twice", Some("1")),
        ("traceparent", Some("first")),
        ("twice", None),
        ("traceparent", Some("second")),
        ("twice", Some("1")),
    ];
    let headers = || {
        let all = OwnedHeaders::new();
        sent.iter().fold(all, |all, (key, value)| {
            all.insert(Header { key, value: *value })
        })
    };
    let value = world.framed(world.event_id, "k", 0, "");
    world.send_with(b"k", Some(&value), headers());
    world.send_with(b"k", Some(b"not avro"), headers());
    world.flush();
    let worker = world.worker(&[]);
    world.settle(&worker, 2).await;
    drain(worker).await;
    let (outputs, letters) = (world.read("out"), world.read("dlq"));
    let of = |arrival: &Arrival, is_wanted: fn(&str) -> bool| -> Vec<(String, String)> {
        let kept = arrival.headers.iter().filter(|(name, _)| is_wanted(name));
        kept.cloned().collect()
    };
    let text = |(name, value): &(&str, Option<&str>)| {
        ((*name).to_owned(), value.unwrap_or_default().to_owned())
    };
    let traces = sent
        .iter()
        .filter(|(name, _)| *name == "traceparent")
        .map(text);
    assert_eq!(
        of(&outputs[0], |name| name != "lockgate.source"),
        traces.collect::<Vec<_>>()
    );
    assert_eq!(
        of(&letters[0], |name| !name.starts_with("lockgate.")),
        sent.iter().map(text).collect::<Vec<_>>()
    );
}
