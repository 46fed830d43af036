use proptest::prelude::*;

use super::*;

fn tracker() -> Tracker<i64> {
    Tracker::new(7, 1, Epoch(1), 10)
}

/// Takes and opens records with this many deliveries each.
fn open(tracker: &mut Tracker<i64>, records: &[(i64, u8)]) -> Vec<Seq> {
    for (offset, deliveries) in records {
        tracker.take(*offset, 1, *offset).unwrap();
        let (seq, ..) = tracker.next_unprocessed().unwrap();
        tracker.opened(seq, *deliveries);
    }
    tracker.check().unwrap();
    (0..tracker.len())
        .map(|index| Seq(tracker.base + index as u64))
        .collect()
}

fn popped(tracker: &mut Tracker<i64>) -> Vec<(i64, Disposition)> {
    let mut popped = Vec::new();
    tracker.pop_done(|offset, payload, disposition| {
        assert_eq!(offset, payload);
        popped.push((offset, disposition));
    });
    tracker.check().unwrap();
    popped
}

#[test]
fn the_frontier_stays_before_the_first_record_that_is_not_done() {
    let mut tracker = tracker();
    assert_eq!(tracker.frontier(), 10);
    let seqs = open(&mut tracker, &[(10, 1), (11, 1), (12, 1)]);
    assert_eq!(tracker.delivered(tracker.delivery(seqs[2], 0)), Acked::Done);
    assert_eq!(tracker.delivered(tracker.delivery(seqs[1], 0)), Acked::Done);
    assert_eq!((tracker.frontier(), popped(&mut tracker)), (10, vec![]));
    assert_eq!(tracker.delivered(tracker.delivery(seqs[0], 0)), Acked::Done);
    assert_eq!(tracker.frontier(), 13);
    assert_eq!(popped(&mut tracker).len(), 3);
    assert_eq!(
        (tracker.frontier(), tracker.bytes(), tracker.is_empty()),
        (13, 0, true)
    );
}

#[test]
fn offsets_may_have_gaps_and_never_go_back() {
    let mut tracker = tracker();
    let seqs = open(&mut tracker, &[(12, 1), (40, 1)]);
    assert_eq!(
        tracker.frontier(),
        12,
        "what lies before the first record is done"
    );
    tracker.delivered(tracker.delivery(seqs[0], 0));
    assert_eq!(tracker.frontier(), 40, "a gap does not hold the frontier");
    for offset in [9, 12, 40] {
        assert_eq!(
            tracker.take(offset, 1, offset),
            Err(OutOfOrder {
                offset,
                expected: 41
            })
        );
    }
    tracker.delivered(tracker.delivery(seqs[1], 0));
    tracker.advance(50);
    tracker.advance(45);
    assert_eq!(tracker.frontier(), 50, "markers at the end hold no record");
}

#[test]
fn a_record_is_done_when_all_its_deliveries_have_arrived() {
    let mut tracker = tracker();
    let seqs = open(&mut tracker, &[(10, DELIVERIES_MAX)]);
    for delivery in (1..DELIVERIES_MAX).rev() {
        assert_eq!(
            tracker.delivered(tracker.delivery(seqs[0], delivery)),
            Acked::Open
        );
    }
    let again = tracker.delivery(seqs[0], 5);
    assert_eq!(
        tracker.delivered(again),
        Acked::Stale,
        "a report that comes twice counts once"
    );
    assert_eq!(tracker.frontier(), 10);
    assert_eq!(tracker.delivered(tracker.delivery(seqs[0], 0)), Acked::Done);
    assert_eq!(popped(&mut tracker), [(10, Disposition::Delivered)]);
}

#[test]
fn the_strongest_disposition_counts() {
    let mut tracker = tracker();
    let seqs = open(&mut tracker, &[(10, 2)]);
    let (good, bad) = (tracker.delivery(seqs[0], 0), tracker.delivery(seqs[0], 1));
    assert!(tracker.bury(bad));
    assert_eq!(tracker.frontier(), 10, "a failed record is not done");
    assert_eq!(tracker.delivered(bad), Acked::Open);
    assert!(!tracker.bury(bad), "its dead letter has arrived");
    assert_eq!(tracker.delivered(good), Acked::Done);
    tracker.take(11, 1, 11).unwrap();
    tracker.dispose(Seq(1), Disposition::Filtered);
    assert_eq!(
        popped(&mut tracker),
        [(10, Disposition::DeadLettered), (11, Disposition::Filtered)]
    );
    assert!(
        Disposition::Filtered < Disposition::Delivered
            && Disposition::Delivered < Disposition::DeadLettered
    );
}

#[test]
fn a_rewind_sends_everything_from_the_frontier_again() {
    let mut tracker = tracker();
    let seqs = open(&mut tracker, &[(10, 1), (11, 2), (12, 1)]);
    let late = tracker.delivery(seqs[1], 0);
    tracker.delivered(tracker.delivery(seqs[0], 0));
    tracker.bury(late);
    tracker.delivered(tracker.delivery(seqs[2], 0));
    tracker.rewind();
    assert_eq!(
        tracker.frontier(),
        11,
        "the frontier does not go back: it may be committed"
    );
    assert_eq!(
        tracker.pending(),
        Pending {
            unprocessed: 2,
            open: 0,
            done: 1
        }
    );
    assert_eq!(
        (
            tracker.delivered(late),
            tracker.bury(late),
            tracker.get(late)
        ),
        (Acked::Stale, false, None)
    );
    let again: Vec<_> = std::iter::from_fn(|| {
        let (seq, offset, _) = tracker.next_unprocessed()?;
        tracker.opened(seq, 1);
        Some((seq, offset))
    })
    .collect();
    assert_eq!(again, [(seqs[1], 11), (seqs[2], 12)]);
    tracker.delivered(tracker.delivery(seqs[1], 0));
    tracker.delivered(tracker.delivery(seqs[2], 0));
    let expected = [10, 11, 12].map(|offset| (offset, Disposition::Delivered));
    assert_eq!(
        popped(&mut tracker),
        expected,
        "nothing of the first attempt's dead letter is left"
    );
}

#[test]
fn a_lane_that_drains_gives_back_what_it_did_not_begin() {
    let mut tracker = tracker();
    let seqs = open(&mut tracker, &[(10, 1)]);
    for offset in [20, 30] {
        tracker.take(offset, 8, offset).unwrap();
    }
    let mut released = Vec::new();
    assert_eq!(
        tracker.release_unprocessed(|offset, _| released.push(offset)),
        2
    );
    assert_eq!(
        (released, tracker.is_idle(), tracker.bytes()),
        (vec![30, 20], false, 1)
    );
    tracker.delivered(tracker.delivery(seqs[0], 0));
    assert_eq!((tracker.frontier(), tracker.is_idle()), (20, true));
}

#[test]
fn names_survive_the_wrap_around_of_sequence_and_tag() {
    let mut tracker = tracker();
    tracker.base = RECORDS_MAX as u64 - 2;
    tracker.tag = u16::MAX;
    let seqs = open(&mut tracker, &[(10, 1), (11, 1), (12, 1), (13, 1)]);
    let first = tracker.delivery(seqs[0], 0);
    for seq in seqs.iter().rev() {
        assert_eq!(tracker.delivered(tracker.delivery(*seq, 0)), Acked::Done);
    }
    assert_eq!(popped(&mut tracker).len(), 4);
    assert_eq!(tracker.delivered(first), Acked::Stale, "popped");
    open(&mut tracker, &[(14, 1)]);
    let before = tracker.delivery(seqs[3], 0);
    tracker.rewind();
    assert_eq!(
        (tracker.tag(), tracker.delivered(before)),
        (1, Acked::Stale)
    );
}

/// What the tracker must agree with: every record ever taken, in the simplest form.
#[derive(Default)]
struct Model {
    records: Vec<Record>,
    popped: usize,
    next: i64,
    tag: u16,
}

struct Record {
    offset: i64,
    bytes: u32,
    /// Open deliveries; `None` while unprocessed.
    open: Option<Vec<u8>>,
    disposition: Disposition,
}

impl Record {
    fn is_done(&self) -> bool {
        self.open.as_ref().is_some_and(Vec::is_empty)
    }
}

impl Model {
    fn done_in_front(&self) -> usize {
        self.records
            .iter()
            .take_while(|record| record.is_done())
            .count()
    }

    fn frontier(&self) -> i64 {
        self.records
            .get(self.done_in_front())
            .map_or(self.next, |record| record.offset)
    }
}

#[derive(Debug, Clone)]
enum Op {
    Take {
        gap: i64,
        bytes: u32,
    },
    Process {
        deliveries: u8,
    },
    Deliver {
        record: usize,
        delivery: u8,
        tag: u16,
    },
    Bury {
        record: usize,
        delivery: u8,
        tag: u16,
    },
    Rewind,
    Pop,
    Advance {
        by: i64,
    },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let report = || {
        (
            0..12_usize,
            0..4_u8,
            prop_oneof![9 => Just(0), 1 => 1..3_u16],
        )
    };
    let op = prop_oneof![
        4 => (-2..4_i64, 0..100_u32).prop_map(|(gap, bytes)| Op::Take { gap, bytes }),
        4 => (0..5_u8).prop_map(|deliveries| Op::Process { deliveries }),
        12 => report().prop_map(|(record, delivery, tag)| Op::Deliver { record, delivery, tag }),
        1 => report().prop_map(|(record, delivery, tag)| Op::Bury { record, delivery, tag }),
        1 => Just(Op::Rewind),
        2 => Just(Op::Pop),
        1 => (0..3_i64).prop_map(|by| Op::Advance { by }),
    ];
    proptest::collection::vec(op, 0..200)
}

proptest! {
    /// Goal: whatever happens, the tracker agrees with a model that keeps every record and counts by looking.
    #[test]
    fn agrees_with_a_model_that_forgets_nothing(ops in ops()) {
        let mut tracker = Tracker::new(0, 1, Epoch(1), 0);
        let mut model = Model { tag: 1, ..Model::default() };
        for op in ops {
            match op {
                Op::Take { gap, bytes } => {
                    let offset = (model.next + gap).max(0);
                    let is_taken = tracker.take(offset, bytes, offset).is_ok();
                    prop_assert_eq!(is_taken, offset >= model.next);
                    if is_taken {
                        model.next = offset + 1;
                        model.records.push(Record { offset, bytes, open: None, disposition: Disposition::Filtered });
                    }
                }
                Op::Process { deliveries } => {
                    let next = tracker.next_unprocessed().map(|(seq, offset, _)| (seq, offset));
                    let expected = model.records.iter_mut().find(|record| record.open.is_none());
                    prop_assert_eq!(next.map(|(_, offset)| offset), expected.as_ref().map(|record| record.offset));
                    if let (Some((seq, _)), Some(record)) = (next, expected) {
                        record.open = Some((0..deliveries).collect());
                        match deliveries {
                            0 => tracker.dispose(seq, Disposition::Filtered),
                            _ => tracker.opened(seq, deliveries),
                        }
                    }
                }
                Op::Deliver { record, delivery, tag } => {
                    let id = DeliveryId::new(0, model.tag.wrapping_sub(tag), Seq(record as u64), delivery);
                    let acked = tracker.delivered(id);
                    let popped = model.popped;
                    let found = model.records.get_mut(record).filter(|_| record >= popped && tag == 0);
                    let open = found.and_then(|record| {
                        let open = record.open.as_mut()?;
                        let index = open.iter().position(|other| *other == delivery)?;
                        open.swap_remove(index);
                        record.disposition = record.disposition.max(Disposition::Delivered);
                        Some(open.len())
                    });
                    let expected = match open {
                        None => Acked::Stale,
                        Some(0) => Acked::Done,
                        Some(_) => Acked::Open,
                    };
                    prop_assert_eq!(acked, expected);
                }
                Op::Bury { record, delivery, tag } => {
                    let id = DeliveryId::new(0, model.tag.wrapping_sub(tag), Seq(record as u64), delivery);
                    let popped = model.popped;
                    let found = model.records.get_mut(record).filter(|_| record >= popped && tag == 0);
                    let found = found.filter(|record| record.open.as_ref().is_some_and(|open| open.contains(&delivery)));
                    prop_assert_eq!(tracker.bury(id), found.is_some());
                    if let Some(record) = found {
                        record.disposition = Disposition::DeadLettered;
                    }
                }
                Op::Rewind => {
                    let done = model.done_in_front();
                    tracker.rewind();
                    model.tag += 1;
                    for record in &mut model.records[done..] {
                        record.open = None;
                        record.disposition = Disposition::Filtered;
                    }
                }
                Op::Pop => {
                    let done = model.done_in_front();
                    let expected: Vec<_> =
                        model.records[model.popped..done].iter().map(|record| (record.offset, record.disposition)).collect();
                    model.popped = done;
                    prop_assert_eq!(popped(&mut tracker), expected);
                }
                Op::Advance { by } => {
                    model.next += by;
                    tracker.advance(model.next);
                }
            }
            prop_assert_eq!(tracker.check(), Ok(()));
            prop_assert_eq!(tracker.frontier(), model.frontier());
            let held = &model.records[model.popped..];
            prop_assert_eq!(tracker.bytes(), held.iter().map(|record| u64::from(record.bytes)).sum::<u64>());
            let count = |state: fn(&Record) -> bool| held.iter().filter(|record| state(record)).count() as u64;
            let pending = Pending {
                unprocessed: count(|record| record.open.is_none()),
                open: count(|record| record.open.is_some() && !record.is_done()),
                done: count(Record::is_done),
            };
            prop_assert_eq!(tracker.pending(), pending);
            prop_assert_eq!(tracker.oldest().map(|(_, offset, _)| offset), held.iter().find(|r| !r.is_done()).map(|r| r.offset));
        }
    }
}
