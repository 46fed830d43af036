//! A pipeline thread by hand: real records, a real producer, and reports in the order that the test likes.

use super::*;
use crate::core::Seq;
use crate::kafka::{Consumer, Position, Properties, partition_for};
use crate::pipeline::planted::world::{self, EVENT, PARTITIONS, World};
use crate::pipeline::programs::Side;
use crate::schema::Schema;
use crate::telemetry::logging::tests::lines_of;

const KEY: &[u8] = b"key";

/// A thread that is not running, and one partition of the source.
struct Bench {
    thread: PipelineThread,
    consumer: Consumer,
    tp: Tp,
    metrics: Arc<Metrics>,
    _world: World,
}

impl Bench {
    /// With so many events in the partition.
    async fn new(events: i64) -> Bench {
        let world = World::new().await;
        let tp = Tp {
            topic: 0,
            partition: partition_for(KEY, PARTITIONS),
        };
        for sequence in 0..events {
            let value = world.framed(world.event_id, "key", sequence, "");
            world.send(KEY, Some(&value));
        }
        world.flush();
        let plan = world::plan();
        let config = world.config(&[]);
        let metrics = Metrics::new();
        let topics = Topics::new(&plan, 1_000_000);
        let names = plan.topics.iter().enumerate();
        let names = names
            .map(|(index, topic)| (index as u16, topic.topic.clone()))
            .collect::<Vec<_>>();
        names.iter().for_each(|(index, _)| topics.found(*index, 1));
        let properties = |more: &[(&str, &str)]| -> Properties {
            let brokers = world.cluster.bootstrap_servers();
            let own = [("bootstrap.servers", brokers.as_str())];
            let all = own.iter().chain(more);
            all.map(|(name, value)| (*name, (*value).to_owned()))
                .collect()
        };
        let producer = properties(&[("enable.idempotence", "true"), ("message.timeout.ms", "0")]);
        let sink = KafkaSink::new("main", producer, names).unwrap();
        let (sender, inbox) = std::sync::mpsc::channel();
        let bell = Bell::default();
        let mut thread = PipelineThread::new(Parts {
            schema_ids: vec![2; plan.schemas.len()],
            topics,
            sinks: vec![sink],
            registry: Cache::start(&config.registry, &tokio::runtime::Handle::current()).unwrap(),
            metrics: metrics.clone(),
            stop: Arc::default(),
            sightings: Arc::default(),
            clock: Clock::start(),
            inlet: Inlet {
                sender,
                bell: bell.clone(),
            },
            bell,
            inbox,
            outlet: Box::new(|_| {}),
            judges: Arc::new(Judges::new(&plan, &metrics, 0.2, 100)),
            correlation: None,
            plan: plan.clone(),
        });
        let place = Place {
            source: 0,
            side: Side::Value,
            id: world.event_id.into(),
        };
        let program = programs::compile(&plan, place, &Schema::parse(EVENT).unwrap());
        thread.programs.learn(place, program);
        let group = properties(&[("group.id", "bench"), ("auto.offset.reset", "error")]);
        Bench {
            thread,
            consumer: Consumer::new(&group, &["in"]).unwrap(),
            tp,
            metrics,
            _world: world,
        }
    }

    /// Opens the lane at an offset, and takes what follows until there are so many records.
    fn open(&mut self, epoch: u32, offset: i64, count: usize) -> Arc<LaneLink> {
        let link = LaneLink::new(offset);
        let metrics = self.metrics.partition("road", "in", self.tp.partition);
        self.thread
            .open(self.tp, Epoch(epoch), offset, None, link.clone(), metrics);
        let position = Position {
            partition: self.tp,
            offset,
        };
        self.consumer.assign(&[position]).unwrap();
        let (mut records, mut events) = (Vec::new(), Vec::new());
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while records.len() < count {
            assert!(std::time::Instant::now() < end, "{} records", records.len());
            let wait = Duration::from_millis(100);
            self.consumer.poll(100, wait, &mut records, &mut events);
        }
        self.thread.take_records(records, Millis(0));
        link
    }

    /// Processes and enqueues everything; the names of the deliveries of the first so many records.
    fn send(&mut self, records: u64) -> Vec<DeliveryId> {
        while self.thread.process_one(0) {}
        assert!(self.thread.flush());
        let (_, tracker) = self.thread.lanes.get_mut(0).unwrap();
        (0..records)
            .map(|seq| tracker.delivery(Seq(seq), 0))
            .collect()
    }

    fn arrives(&mut self, id: DeliveryId) {
        self.thread.arrived(id, 0, Millis(0), 0);
        self.thread.settle();
    }

    /// Records that were processed and have no answer.
    fn waiting(&mut self) -> u64 {
        let (_, tracker) = self.thread.lanes.get_mut(0).unwrap();
        tracker.pending().open
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_past_the_first_record_without_an_answer_is_told_as_done() {
    let mut bench = Bench::new(3).await;
    let link = bench.open(1, 0, 3);
    let ids = bench.send(3);
    assert_eq!((link.frontier(), bench.waiting()), (0, 3));
    for (arrives, frontier) in [(1, 0), (0, 2), (2, 3)] {
        bench.arrives(ids[arrives]);
        assert_eq!(link.frontier(), frontier);
        let done = link.done().records as i64;
        assert_eq!(done, frontier, "what is not done holds its place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_earlier_attempt_changes_nothing() {
    let mut bench = Bench::new(2).await;
    let link = bench.open(1, 0, 2);
    let early = bench.send(2);
    bench.thread.renew();
    assert_eq!(bench.waiting(), 0, "everything goes again");
    bench.arrives(early[0]);
    assert_eq!(link.frontier(), 0);
    let late = bench.send(2);
    assert_eq!(bench.waiting(), 2);
    bench.arrives(early[0]);
    assert_eq!((link.frontier(), bench.waiting()), (0, 2));
    bench.arrives(late[0]);
    assert_eq!((link.frontier(), bench.waiting()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_earlier_assignment_changes_nothing() {
    let mut bench = Bench::new(4).await;
    bench.open(1, 0, 4);
    let early = bench.send(4);
    // Lost with everything under way; the group stands at 2, and the same index is lent again.
    bench.thread.abandon(bench.tp, Epoch(1));
    let link = bench.open(2, 2, 2);
    let late = bench.send(2);
    assert_eq!(late[0].lane(), early[0].lane());
    for id in early {
        bench.arrives(id);
        assert_eq!((link.frontier(), bench.waiting()), (2, 2), "{id:?}");
    }
    bench.arrives(late[0]);
    assert_eq!((link.frontier(), bench.waiting()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_about_a_delivery_that_failed_names_its_record_and_why() {
    use rdkafka_sys::rd_kafka_resp_err_t as code;
    let mut bench = Bench::new(1).await;
    bench.open(1, 0, 1);
    let id = bench.send(1)[0];
    let name = format!("in/{}/0", bench.tp.partition);
    for (error, reason) in [
        (
            code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            "topic_not_authorized",
        ),
        (code::RD_KAFKA_RESP_ERR__FATAL, "producer_fatal"),
    ] {
        let lines = lines_of(|| {
            bench.thread.failed(id, error.into());
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let told = ["source", "correlation", "reason"].map(|key| lines[0][key].as_str().unwrap());
        assert_eq!(told, [name.as_str(), name.as_str(), reason]);
    }
}
