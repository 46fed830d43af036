//! The client module against librdkafka's mock cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lockgate::core::Tp;
use lockgate::kafka::{
    CommitResult, Consumer, EnqueueError, Event, Persisted, Position, Producer, Properties,
    RawRecord, Report, classify,
};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

type Cluster = MockCluster<'static, DefaultProducerContext>;

const PATIENCE: Duration = Duration::from_secs(30);

fn cluster(topic: &str, partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).expect("a mock cluster starts");
    cluster
        .create_topic(topic, partitions, 1)
        .expect("the topic is created");
    cluster
}

fn producer_properties(cluster: &Cluster) -> Properties {
    [
        ("bootstrap.servers", cluster.bootstrap_servers()),
        ("enable.idempotence", "true".into()),
        ("linger.ms", "1".into()),
        ("message.timeout.ms", "0".into()),
    ]
    .into_iter()
    .collect()
}

fn consumer_properties(cluster: &Cluster, strategy: &str) -> Properties {
    [
        ("bootstrap.servers", cluster.bootstrap_servers()),
        ("group.id", "readers".into()),
        ("partition.assignment.strategy", strategy.into()),
        ("enable.auto.commit", "false".into()),
        ("enable.auto.offset.store", "false".into()),
        ("auto.offset.reset", "error".into()),
        ("session.timeout.ms", "6000".into()),
        ("heartbeat.interval.ms", "200".into()),
        ("fetch.wait.max.ms", "50".into()),
    ]
    .into_iter()
    .collect()
}

/// Writes `count` records per partition, with their number as the value.
fn fill(cluster: &Cluster, topic: &str, partitions: i32, count: u32) {
    let producer = Producer::new(&producer_properties(cluster)).expect("a producer");
    let topic = producer.topic(topic).expect("a topic");
    let mut reports = Vec::new();
    for number in 0..count {
        for partition in 0..partitions {
            let value = number.to_le_bytes();
            producer
                .enqueue(&topic, Some(partition), None, Some(&value), &[], None, 0)
                .expect("there is room");
        }
    }
    assert!(producer.flush(PATIENCE, &mut reports));
    assert!(
        reports
            .iter()
            .all(|report| report.error.is_none() && report.persisted == Persisted::Yes)
    );
}

/// A consumer with what it was told, polled until something is true.
struct Member {
    consumer: Consumer,
    records: Vec<RawRecord>,
    events: Vec<Event>,
}

impl Member {
    fn join(properties: &Properties, topics: &[&str]) -> Member {
        let mut member = Member::apart(properties, topics);
        member.consumer.subscribe().expect("subscribed");
        member
    }

    /// The only member of the group, at the beginning of all partitions.
    fn alone(properties: &Properties, topics: &[&str]) -> Member {
        let mut member = Member::join(properties, topics);
        let assigned = member.until_assigned();
        member
            .consumer
            .incremental_assign(&from(&assigned, |_| 0))
            .expect("assigned");
        member
    }

    fn apart(properties: &Properties, topics: &[&str]) -> Member {
        let consumer = Consumer::new(properties, topics).expect("a consumer");
        Member {
            consumer,
            records: Vec::new(),
            events: Vec::new(),
        }
    }

    fn poll(&mut self) {
        self.consumer.poll(
            100,
            Duration::from_millis(20),
            &mut self.records,
            &mut self.events,
        );
    }

    /// Polls until an event answers the question, and takes that event out.
    fn until<T>(&mut self, what: &str, is_it: impl FnMut(&Event) -> Option<T>) -> T {
        self.until_beside(what, || {}, is_it)
    }

    /// The same, and does something else between two polls: another member may have to be polled too.
    fn until_beside<T>(
        &mut self,
        what: &str,
        mut beside: impl FnMut(),
        mut is_it: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((i, found)) = self
                .events
                .iter()
                .enumerate()
                .find_map(|(i, event)| Some((i, is_it(event)?)))
            {
                self.events.remove(i);
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "no {what}; events: {:?}",
                self.events
            );
            beside();
            self.poll();
        }
    }

    fn until_assigned(&mut self) -> Vec<Tp> {
        self.until("assignment", |event| match event {
            Event::Assigned(partitions) => Some(partitions.clone()),
            _ => None,
        })
    }

    fn until_committed(&mut self, batch: u64) -> CommitResult {
        self.until("commit answer", |event| match event {
            Event::Committed(result) if result.batch == batch => Some(result.clone()),
            _ => None,
        })
    }

    fn until_records(&mut self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.records.len() < count {
            assert!(
                Instant::now() < deadline,
                "{} of {count} records",
                self.records.len()
            );
            self.poll();
        }
    }
}

fn at(partition: i32) -> Tp {
    Tp {
        topic: 0,
        partition,
    }
}

fn from(partitions: &[Tp], offset: impl Fn(Tp) -> i64) -> Vec<Position> {
    partitions
        .iter()
        .map(|&partition| Position {
            partition,
            offset: offset(partition),
        })
        .collect()
}

/// The next offset of each partition after these records; asserts that each partition is without gap and in order.
fn frontiers(records: &[RawRecord], start: impl Fn(Tp) -> i64) -> BTreeMap<Tp, i64> {
    let mut next = BTreeMap::new();
    for record in records {
        let next = next
            .entry(record.topic_partition())
            .or_insert_with(|| start(record.topic_partition()));
        assert_eq!(record.offset(), *next, "{record:?}");
        *next += 1;
    }
    next
}

/// Goal: nothing is lost or read twice when a second member joins, and the answer to a revocation may come as late as we like.
/// Method: the first member holds back its answer for many polls, commits what it has read in between, then gives the partitions up;
/// the second starts where the first has committed.
///
/// The mock's coordinator waits five seconds for a member and then goes on without it. That happens on a busy machine; then all begins
/// anew, with another cluster.
fn hands_over_without_loss(strategy: &str) {
    for attempt in 1..=5 {
        if hand_over(strategy) {
            return;
        }
        println!("attempt {attempt}: the mock's coordinator went on without a member");
    }
    panic!("the coordinator went on without a member each time");
}

/// False if a member was left behind.
fn hand_over(strategy: &str) -> bool {
    const PARTITIONS: i32 = 8;
    const COUNT: u32 = 200;
    let cluster = cluster("orders", PARTITIONS);
    fill(&cluster, "orders", PARTITIONS, COUNT);
    let properties = consumer_properties(&cluster, strategy);

    let mut first = Member::join(&properties, &["orders"]);
    let assigned = first.until_assigned();
    assert_eq!(assigned.len(), PARTITIONS as usize);
    first.poll();
    assert!(
        first.records.is_empty(),
        "nothing is fetched before the answer"
    );
    first
        .consumer
        .incremental_assign(&from(&assigned, |_| 0))
        .expect("assigned");
    first.until_records(300);
    first.consumer.pause(&assigned);

    let mut second = Member::join(&properties, &["orders"]);
    let answer = first.until_beside(
        "revocation",
        || second.poll(),
        |event| match event {
            Event::Revoked(partitions) => Some(Some(partitions.clone())),
            Event::Lost(_) => Some(None),
            _ => None,
        },
    );
    let Some(revoked) = answer else { return false };
    assert!(!revoked.is_empty());
    for _ in 0..20 {
        first.poll();
        second.poll();
    }
    let given =
        |event: &Event| matches!(event, Event::Assigned(partitions) if !partitions.is_empty());
    let moved = second.events.iter().find(|event| given(event)).cloned();

    let next = frontiers(&first.records, |_| 0);
    let offsets: Vec<_> = revoked
        .iter()
        .map(|&at| {
            (
                Position {
                    partition: at,
                    offset: next.get(&at).copied().unwrap_or(0),
                },
                &b"8"[..],
            )
        })
        .collect();
    // A group that is about to rebalance again takes no commits for a while; the mock cluster takes none at all while members of
    // an eager group give up their partitions. Then the positions are handed over by hand.
    for batch in 0..20 {
        first.consumer.commit_queue(batch, &offsets).expect("sent");
        let answer = first.until_committed(batch);
        assert_eq!(answer.partitions.len(), revoked.len());
        let Some(error) = answer.error else { break };
        match classify::commit(error) {
            (classify::CommitClass::Moved, _) => return false,
            class => assert_eq!(
                class,
                (classify::CommitClass::Retry, "rebalance_in_progress")
            ),
        }
        second.poll();
    }
    assert!(
        moved.is_none(),
        "partitions moved before they were given up: {moved:?}"
    );
    // In two parts: the group goes on when the last is answered for.
    let (head, tail) = revoked.split_at(1);
    first.consumer.incremental_unassign(head).expect("noted");
    first.consumer.incremental_unassign(tail).expect("given up");
    first.consumer.resume(&assigned);

    // Both members answer whatever they are asked, until every partition has been read to its end by its owner. The group may move
    // partitions again on the way: whoever gets one goes on where the other has stopped.
    let deadline = Instant::now() + PATIENCE;
    let is_complete = |first: &Member, second: &Member| {
        first.records.len() + second.records.len() == (PARTITIONS as u32 * COUNT) as usize
    };
    while !is_complete(&first, &second) {
        assert!(
            Instant::now() < deadline,
            "{} + {} records",
            first.records.len(),
            second.records.len()
        );
        for is_first in [true, false] {
            let member = if is_first { &mut first } else { &mut second };
            member.poll();
            for event in std::mem::take(&mut member.events) {
                let mut read: BTreeMap<Tp, i64> = BTreeMap::new();
                for record in first.records.iter().chain(&second.records) {
                    let next = read.entry(record.topic_partition()).or_default();
                    *next = record.offset().max(*next - 1) + 1;
                }
                let member = if is_first { &mut first } else { &mut second };
                match event {
                    Event::Assigned(partitions) => {
                        let committed = member
                            .consumer
                            .handle()
                            .committed(&partitions, PATIENCE)
                            .expect("an answer");
                        let mut positions = Vec::new();
                        for (partition, answer) in committed {
                            let committed = answer.expect("no error").map(|committed| {
                                assert_eq!(committed.metadata, b"8");
                                committed.offset
                            });
                            let offset = read.get(&partition).copied().unwrap_or(0);
                            assert!(committed <= Some(offset), "{partition:?}: {committed:?}");
                            positions.push(Position { partition, offset });
                        }
                        member
                            .consumer
                            .incremental_assign(&positions)
                            .expect("assigned");
                    }
                    Event::Lost(_) => return false,
                    Event::Revoked(partitions) => member
                        .consumer
                        .incremental_unassign(&partitions)
                        .expect("given up"),
                    _ => {}
                }
            }
        }
    }
    assert!(!second.records.is_empty());
    for member in [&first, &second] {
        let mut last: BTreeMap<Tp, i64> = BTreeMap::new();
        for record in &member.records {
            let last = last.insert(record.topic_partition(), record.offset());
            assert!(last < Some(record.offset()), "{record:?} after {last:?}");
        }
    }
    let all: BTreeSet<_> = first
        .records
        .iter()
        .chain(&second.records)
        .map(|r| (r.partition(), r.offset()))
        .collect();
    assert_eq!(all.len(), (PARTITIONS as u32 * COUNT) as usize);
    let mut events = Vec::new();
    assert!(second.consumer.close(PATIENCE, &mut events));
    assert!(first.consumer.close(PATIENCE, &mut events));
    true
}

#[test]
fn hands_partitions_over_without_loss_cooperatively() {
    hands_over_without_loss("cooperative-sticky");
}

#[test]
fn hands_partitions_over_without_loss_eagerly() {
    hands_over_without_loss("range");
}

#[test]
fn the_answer_to_a_commit_is_seen_with_its_number_also_a_refusal() {
    let cluster = cluster("orders", 2);
    fill(&cluster, "orders", 2, 1);
    let properties = consumer_properties(&cluster, "cooperative-sticky");
    let mut member = Member::alone(&properties, &["orders"]);
    member.until_records(2);
    let offset = |partition, offset| {
        (
            Position {
                partition: at(partition),
                offset,
            },
            &b"\xff\xfe"[..],
        )
    };
    member
        .consumer
        .commit_queue(u64::MAX, &[offset(0, 1), offset(1, 1)])
        .expect("sent");
    let answer = member.until_committed(u64::MAX);
    assert!(
        answer.error.is_none()
            && answer
                .partitions
                .iter()
                .all(|(_, offset, error)| *offset == 1 && error.is_none())
    );
    cluster.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED],
    );
    member
        .consumer
        .commit_queue(2, &[offset(0, 2)])
        .expect("sent");
    let answer = member.until_committed(2);
    let error = answer.error.expect("refused");
    assert_eq!(
        classify::commit(error),
        (classify::CommitClass::Refused, "group_not_authorized")
    );
    // Metadata is bytes, as another client may have written anything.
    let committed = member
        .consumer
        .handle()
        .committed(&[at(0)], PATIENCE)
        .expect("an answer");
    let committed = committed[0]
        .1
        .clone()
        .expect("no error")
        .expect("committed");
    assert_eq!(
        (committed.offset, committed.metadata.as_slice()),
        (1, &b"\xff\xfe"[..])
    );
}

#[test]
fn keys_values_and_headers_are_bytes_and_null_is_not_empty() {
    let cluster = cluster("orders", 1);
    let producer = Producer::new(&producer_properties(&cluster)).expect("a producer");
    let topic = producer.topic("orders").expect("a topic");
    let headers: &[(&[u8], Option<&[u8]>)] = &[
        (b"\xff\xfename", Some(b"\x00\xff")),
        (b"", Some(b"")),
        (b"null", None),
        (b"null", Some(b"again")),
    ];
    type Bytes<'a> = Option<&'a [u8]>;
    type Headers<'a> = &'a [(&'a [u8], Bytes<'a>)];
    let cases: [(Bytes, Bytes, Headers); 4] = [
        (None, None, &[]),
        (Some(b""), Some(b""), headers),
        (Some(b"key"), None, &[]),
        (None, Some(b"value"), &headers[..1]),
    ];
    for (i, (key, value, headers)) in cases.iter().enumerate() {
        let timestamp = Some(1_700_000_000_000 + i as i64);
        producer
            .enqueue(&topic, Some(0), *key, *value, headers, timestamp, i as u64)
            .expect("there is room");
    }
    let mut reports = Vec::new();
    assert!(producer.flush(PATIENCE, &mut reports));
    assert_eq!(
        reports
            .iter()
            .map(|report| (report.opaque, report.offset))
            .collect::<Vec<_>>(),
        [(0, 0), (1, 1), (2, 2), (3, 3)]
    );

    let mut member = Member::apart(&consumer_properties(&cluster, "range"), &["orders"]);
    member
        .consumer
        .assign(&[Position {
            partition: at(0),
            offset: 0,
        }])
        .expect("assigned");
    member.until_records(cases.len());
    // Records outlive their consumer, and may be dropped on another thread.
    let records = std::mem::take(&mut member.records);
    drop(member);
    std::thread::spawn(move || {
        for (i, (record, (key, value, headers))) in records.iter().zip(cases).enumerate() {
            assert_eq!((record.key(), record.value()), (key, value), "record {i}");
            assert_eq!(record.headers().collect::<Vec<_>>(), headers, "record {i}");
            assert_eq!(record.timestamp_ms(), Some(1_700_000_000_000 + i as i64));
            assert_eq!(
                record.size(),
                key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
            );
        }
    })
    .join()
    .expect("the records are as written");
}

#[test]
fn every_record_gets_its_report_also_a_refused_one() {
    let cluster = cluster("orders", 1);
    let mut properties = producer_properties(&cluster);
    properties.set("enable.idempotence", "false");
    let producer = Producer::new(&properties).expect("a producer");
    let topic = producer.topic("orders").expect("a topic");
    let put = |opaque| producer.enqueue(&topic, Some(0), None, Some(b"x"), &[], None, opaque);
    let report = || {
        let mut reports = Vec::new();
        assert!(producer.flush(PATIENCE, &mut reports));
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports[0]
    };
    let denied = (classify::Class::Topic, "topic_not_authorized");
    for (opaque, error, class) in [
        (
            10,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            (classify::Class::Record, "output_too_large"),
        ),
        (
            11,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD,
            (classify::Class::Record, "invalid_record"),
        ),
        // A failure that passes is the library's business: the record arrives.
        (
            12,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            (classify::Class::Retry, ""),
        ),
        (
            13,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            denied,
        ),
    ] {
        cluster.request_errors(RDKafkaApiKey::Produce, &[error]);
        put(opaque).expect("there is room");
        let Report {
            opaque: seen,
            error,
            persisted,
            ..
        } = report();
        assert_eq!(seen, opaque);
        match error {
            Some(error) => assert_eq!(
                (classify::produce(error), persisted),
                (class, Persisted::No)
            ),
            None => assert_eq!((opaque, persisted), (12, Persisted::Yes)),
        }
    }
    // From now on the library refuses records for this topic at once, until its metadata says otherwise.
    match put(14) {
        Err(EnqueueError::Other(error)) => assert_eq!(classify::produce(error.error), denied),
        other => panic!("{other:?}"),
    }
    assert_eq!(producer.outstanding(), 0);
}

#[test]
fn a_producer_tells_of_brokers_that_are_away_and_goes_on() {
    let cluster = cluster("orders", 1);
    let producer = Producer::new(&producer_properties(&cluster)).expect("a producer");
    let topic = producer.topic("orders").expect("a topic");
    let mut reports = Vec::new();
    let put = |opaque| {
        producer
            .enqueue(&topic, Some(0), None, Some(b"x"), &[], None, opaque)
            .expect("there is room");
    };
    put(0);
    assert!(producer.flush(PATIENCE, &mut reports));
    assert!(producer.errors().is_empty());
    cluster.broker_down(1).expect("the broker goes down");
    put(1);
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while !(told.contains_key("_TRANSPORT") && told.contains_key("_ALL_BROKERS_DOWN")) {
        assert!(Instant::now() < deadline, "{told:?}");
        producer.poll_reports(Duration::from_millis(20), &mut reports);
        for one in producer.errors() {
            *told.entry(one.error.name()).or_default() += one.count;
            assert!(one.count > 0 && !one.detail.is_empty(), "{one:?}");
        }
    }
    assert!(producer.fatal().is_none());
    cluster.broker_up(1).expect("the broker comes back");
    assert!(producer.flush(PATIENCE, &mut reports));
    assert!(reports.iter().all(|report| report.error.is_none()));
    assert_eq!(reports.len(), 2);
}

#[test]
fn a_purge_reports_what_it_gave_up() {
    let cluster = cluster("orders", 1);
    let producer = Producer::new(&producer_properties(&cluster)).expect("a producer");
    let topic = producer.topic("orders").expect("a topic");
    cluster.broker_down(1).expect("the broker goes down");
    for opaque in 0..100 {
        producer
            .enqueue(&topic, Some(0), None, Some(b"x"), &[], None, opaque)
            .expect("there is room");
    }
    let mut reports = Vec::new();
    assert!(!producer.flush(Duration::from_millis(50), &mut reports));
    assert_eq!((producer.outstanding(), reports.len()), (100, 0));
    producer.purge().expect("purged");
    assert!(producer.flush(PATIENCE, &mut reports));
    let given_up: BTreeSet<u64> = reports
        .iter()
        .filter(|report| {
            report
                .error
                .is_some_and(|error| classify::produce(error).0 == classify::Class::Purged)
        })
        .map(|report| report.opaque)
        .collect();
    assert_eq!(given_up, (0..100).collect());
}

#[test]
fn what_cannot_be_enqueued_is_refused_at_once_and_not_counted() {
    let cluster = cluster("orders", 2);
    let mut properties = producer_properties(&cluster);
    properties
        .set("queue.buffering.max.messages", "2")
        .set("message.max.bytes", "1000");
    let producer = Producer::new(&properties).expect("a producer");
    let topic = producer.topic("orders").expect("a topic");
    assert_eq!(
        producer.partition_count(&topic, PATIENCE).expect("known"),
        2
    );
    let header: &[(&[u8], Option<&[u8]>)] = &[(b"name", Some(b"value"))];
    let put = |partition, value: &[u8]| {
        producer.enqueue(&topic, Some(partition), None, Some(value), header, None, 0)
    };
    assert!(matches!(put(0, &[0; 2000]), Err(EnqueueError::TooLarge)));
    assert!(matches!(put(9, b"x"), Err(EnqueueError::UnknownPartition)));
    assert_eq!(producer.outstanding(), 0);
    cluster.broker_down(1).expect("the broker goes down");
    put(0, b"x").expect("there is room");
    put(1, b"x").expect("there is room");
    assert!(matches!(put(0, b"x"), Err(EnqueueError::Full)));
    assert_eq!(producer.outstanding(), 2);
    cluster.broker_up(1).expect("the broker comes back");
    assert!(producer.flush(PATIENCE, &mut Vec::new()));
}

#[test]
fn a_waiting_poll_returns_when_woken() {
    let cluster = cluster("orders", 1);
    let mut member = Member::apart(&consumer_properties(&cluster, "range"), &["orders"]);
    let handle = member.consumer.handle();
    let start = Instant::now();
    let waker = std::thread::spawn(move || {
        // Again and again: it must end the wait whenever it comes.
        while start.elapsed() < Duration::from_millis(200) {
            handle.wake();
            std::thread::yield_now();
        }
    });
    member
        .consumer
        .poll(1, PATIENCE, &mut member.records, &mut member.events);
    assert!(start.elapsed() < PATIENCE);
    waker.join().expect("the waker ends");
}

#[test]
fn a_position_that_is_not_in_the_log_stops_its_partition_and_says_so() {
    let cluster = cluster("orders", 2);
    fill(&cluster, "orders", 2, 5);
    let mut member = Member::apart(&consumer_properties(&cluster, "range"), &["orders"]);
    let positions = [
        Position {
            partition: at(0),
            offset: 1000,
        },
        Position {
            partition: at(1),
            offset: 3,
        },
    ];
    member.consumer.assign(&positions).expect("assigned");
    let lost = member.until("lost position", |event| match event {
        Event::PositionLost(at, _) => Some(*at),
        _ => None,
    });
    assert_eq!(lost, at(0));
    member.until_records(2);
    assert!(
        member
            .records
            .iter()
            .all(|record| record.partition() == 1 && record.offset() >= 3)
    );
}

#[test]
fn a_paused_partition_rests_and_goes_on_where_it_was() {
    let cluster = cluster("orders", 2);
    fill(&cluster, "orders", 2, 50);
    let mut member = Member::alone(&consumer_properties(&cluster, "range"), &["orders"]);
    member.consumer.pause(&[at(0)]);
    member.until_records(50);
    assert!(member.records.iter().all(|record| record.partition() == 1));
    member.consumer.resume(&[at(0)]);
    member.until_records(100);
    frontiers(&member.records, |_| 0);
}

/// The library keeps one bound for all partitions that share a queue, and gives each place that becomes free in it to the same ones.
#[test]
fn no_partition_waits_for_the_backlog_of_another() {
    const PARTITIONS: i32 = 8;
    const COUNT: u32 = 2_000;
    let cluster = cluster("orders", PARTITIONS);
    fill(&cluster, "orders", PARTITIONS, COUNT);
    let mut properties = consumer_properties(&cluster, "cooperative-sticky");
    for (name, value) in [
        ("queued.min.messages", "200"),
        ("fetch.message.max.bytes", "4096"),
        ("fetch.queue.backoff.ms", "10"),
    ] {
        properties.set(name, value);
    }
    let mut member = Member::alone(&properties, &["orders"]);
    let half = (PARTITIONS as u32 * COUNT / 2) as usize;
    let deadline = Instant::now() + PATIENCE;
    while member.records.len() < half {
        assert!(Instant::now() < deadline, "{}", member.records.len());
        member.poll();
        // Slower than the cluster, so that there is always more than is taken.
        std::thread::sleep(Duration::from_millis(3));
    }
    let read = frontiers(&member.records, |_| 0);
    for partition in 0..PARTITIONS {
        let read = read.get(&at(partition)).copied().unwrap_or(0);
        assert!(read >= i64::from(COUNT) / 4, "{partition}: {read}");
    }
    member.until_records(2 * half);
}

/// What waits of a partition that is taken back is of no use to its next owner's next owner.
#[test]
fn a_paused_partition_that_comes_back_is_read_from_where_it_is_started() {
    let cluster = cluster("orders", 1);
    fill(&cluster, "orders", 1, 100);
    let properties = consumer_properties(&cluster, "cooperative-sticky");
    let mut member = Member::alone(&properties, &["orders"]);
    member.until_records(1);
    member.consumer.pause(&[at(0)]);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID];
    cluster.request_errors(RDKafkaApiKey::Heartbeat, &errors);
    let lost = member.until("loss of the partition", |event| match event {
        Event::Lost(partitions) => Some(partitions.clone()),
        _ => None,
    });
    member.consumer.incremental_unassign(&lost).expect("noted");
    let assigned = member.until_assigned();
    member.records.clear();
    member
        .consumer
        .incremental_assign(&from(&assigned, |_| 40))
        .expect("assigned");
    member.until_records(60);
    assert_eq!(frontiers(&member.records, |_| 40)[&at(0)], 100);
}

#[test]
fn a_pause_at_the_end_of_a_partition_skips_nothing_that_comes_later() {
    let cluster = cluster("orders", 2);
    fill(&cluster, "orders", 1, 10);
    let properties = consumer_properties(&cluster, "cooperative-sticky");
    let mut member = Member::alone(&properties, &["orders"]);
    for (partition, end) in [(0, 10), (1, 0)] {
        member.until("position at the end", |event| match event {
            Event::Passed(of, offset) => (*of == at(partition) && *offset == end).then_some(()),
            _ => None,
        });
    }
    member.consumer.pause(&[at(0)]);
    fill(&cluster, "orders", 1, 2);
    member.consumer.resume(&[at(0)]);
    member.until_records(12);
    let offsets: Vec<i64> = member.records.iter().map(RawRecord::offset).collect();
    assert_eq!(offsets, (0..12).collect::<Vec<_>>());
}

#[test]
fn a_position_is_told_again_to_whoever_gets_the_partition_again() {
    let cluster = cluster("orders", 1);
    fill(&cluster, "orders", 1, 5);
    let properties = consumer_properties(&cluster, "cooperative-sticky");
    let mut member = Member::alone(&properties, &["orders"]);
    let passed = |event: &Event| match event {
        Event::Passed(of, 5) => (*of == at(0)).then_some(()),
        _ => None,
    };
    member.until("position at the end", passed);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID];
    cluster.request_errors(RDKafkaApiKey::Heartbeat, &errors);
    let lost = member.until("loss of the partition", |event| match event {
        Event::Lost(partitions) => Some(partitions.clone()),
        _ => None,
    });
    member.consumer.incremental_unassign(&lost).expect("noted");
    member.events.clear();
    let assigned = member.until_assigned();
    member
        .consumer
        .incremental_assign(&from(&assigned, |_| 5))
        .expect("assigned");
    member.until("position at the end, of the new assignment", passed);
}

#[test]
fn partitions_that_follow_later_send_no_other_back_eagerly() {
    let cluster = cluster("orders", 3);
    fill(&cluster, "orders", 3, 10);
    let mut member = Member::join(&consumer_properties(&cluster, "range"), &["orders"]);
    assert_eq!(member.until_assigned().len(), 3);
    for partition in 0..3 {
        member
            .consumer
            .incremental_assign(&from(&[at(partition)], |_| 0))
            .expect("assigned");
        member.until_records(10 * (partition as usize + 1));
    }
    fill(&cluster, "orders", 1, 1);
    member.until_records(31);
    assert_eq!(frontiers(&member.records, |_| 0)[&at(0)], 11);
}

#[test]
fn offsets_are_found_by_watermark_and_topics_by_their_source_index() {
    let cluster = cluster("orders", 1);
    cluster
        .create_topic("customers", 3, 1)
        .expect("the topic is created");
    fill(&cluster, "orders", 1, 5);
    fill(&cluster, "customers", 3, 2);
    let mut member = Member::apart(
        &consumer_properties(&cluster, "range"),
        &["orders", "customers"],
    );
    let handle = member.consumer.handle();
    assert_eq!(handle.partition_count(0, PATIENCE).expect("known"), 1);
    assert_eq!(handle.partition_count(1, PATIENCE).expect("known"), 3);
    let customers = Tp {
        topic: 1,
        partition: 2,
    };
    let ends = handle.query_watermarks(customers, PATIENCE).expect("known");
    assert_eq!((ends.low, ends.high), (0, 2));
    member
        .consumer
        .assign(&from(&[at(0), customers], |_| 0))
        .expect("assigned");
    member.until_records(7);
    let count = |topic| {
        member
            .records
            .iter()
            .filter(|record| record.topic() == topic)
            .count()
    };
    assert_eq!((count(0), count(1)), (5, 2));
}

#[test]
fn closing_is_bounded_when_the_cluster_is_gone() {
    let cluster = cluster("orders", 1);
    let properties = consumer_properties(&cluster, "cooperative-sticky");
    let member = Member::alone(&properties, &["orders"]);
    cluster.broker_down(1).expect("the broker goes down");
    let start = Instant::now();
    member
        .consumer
        .close(Duration::from_millis(500), &mut Vec::new());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
