use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LIMITS: FlowLimits = FlowLimits {
    partition: Amount {
        records: 10,
        bytes: 1_000,
    },
    process: Amount {
        records: 40,
        bytes: 4_000,
    },
};
const EPOCH: Epoch = Epoch(1);

fn tp(partition: i32) -> Tp {
    Tp {
        topic: 0,
        partition,
    }
}

fn amount(records: u64, bytes: u64) -> Amount {
    Amount { records, bytes }
}

fn flow(partitions: i32) -> Flow {
    let mut flow = Flow::new(LIMITS);
    (0..partitions).for_each(|partition| flow.assigned(tp(partition), EPOCH, &mut Vec::new()));
    flow
}

fn turns(step: impl FnOnce(&mut Vec<Turn>)) -> Vec<Turn> {
    let mut turns = Vec::new();
    step(&mut turns);
    turns
}

#[test]
fn a_partition_pauses_at_its_limit_and_resumes_at_half() {
    let mut flow = flow(1);
    assert_eq!(turns(|out| flow.taken(tp(0), EPOCH, amount(9, 9), out)), []);
    assert_eq!(
        turns(|out| flow.taken(tp(0), EPOCH, amount(1, 1), out)),
        [Turn::Pause(tp(0))]
    );
    assert_eq!(
        flow.reasons(tp(0)).iter().collect::<Vec<_>>(),
        [Reason::Partition]
    );
    assert_eq!(turns(|out| flow.done(tp(0), EPOCH, amount(4, 4), out)), []);
    assert_eq!(
        turns(|out| flow.done(tp(0), EPOCH, amount(1, 1), out)),
        [Turn::Resume(tp(0))]
    );
    assert_eq!(
        turns(|out| flow.taken(tp(0), EPOCH, amount(1, 995), out)),
        [Turn::Pause(tp(0))],
        "bytes count too"
    );
}

#[test]
fn a_partition_flows_only_when_every_reason_has_ended() {
    let mut flow = flow(1);
    assert_eq!(
        turns(|out| flow.set(tp(0), EPOCH, Reason::Schema, true, out)),
        [Turn::Pause(tp(0))]
    );
    assert_eq!(
        turns(|out| flow.set(tp(0), EPOCH, Reason::Sink, true, out)),
        []
    );
    assert_eq!(
        turns(|out| flow.set(tp(0), EPOCH, Reason::Sink, true, out)),
        [],
        "a reason is there or not"
    );
    assert_eq!(
        turns(|out| flow.set(tp(0), EPOCH, Reason::Schema, false, out)),
        []
    );
    assert_eq!(
        turns(|out| flow.set(tp(0), EPOCH, Reason::Sink, false, out)),
        [Turn::Resume(tp(0))]
    );
}

#[test]
fn an_earlier_epoch_changes_nothing() {
    let mut flow = flow(1);
    flow.taken(tp(0), EPOCH, amount(10, 10), &mut Vec::new());
    let told = turns(|out| flow.assigned(tp(0), Epoch(2), out));
    assert_eq!(
        (told, flow.total()),
        (vec![Turn::Resume(tp(0))], Amount::default()),
        "a pause stays in the client"
    );
    flow.taken(tp(0), Epoch(2), amount(3, 3), &mut Vec::new());
    flow.done(tp(0), EPOCH, amount(10, 10), &mut Vec::new());
    flow.set(tp(0), EPOCH, Reason::Sink, true, &mut Vec::new());
    assert_eq!(
        (flow.held(tp(0)), flow.reasons(tp(0)).is_empty()),
        (amount(3, 3), true)
    );
}

#[test]
fn one_stuck_partition_does_not_stop_the_others() {
    let limits = FlowLimits {
        partition: amount(30, 3_000),
        ..LIMITS
    };
    let mut flow = Flow::new(limits);
    (0..4).for_each(|partition| flow.assigned(tp(partition), EPOCH, &mut Vec::new()));
    assert_eq!(flow.share(), amount(5, 500));
    let told = turns(|out| flow.taken(tp(0), EPOCH, amount(20, 20), out));
    assert_eq!(
        told,
        [Turn::Pause(tp(0))],
        "from half of the process limit on, whoever holds its share pauses"
    );
    assert_eq!(turns(|out| flow.taken(tp(1), EPOCH, amount(4, 4), out)), []);
    assert_eq!(
        turns(|out| flow.taken(tp(1), EPOCH, amount(1, 1), out)),
        [Turn::Pause(tp(1))]
    );
    assert_eq!(
        turns(|out| flow.done(tp(1), EPOCH, amount(3, 3), out)),
        [Turn::Resume(tp(1))]
    );
    let told = turns(|out| flow.done(tp(0), EPOCH, amount(14, 14), out));
    assert_eq!(
        told,
        [Turn::Resume(tp(0))],
        "at a quarter of the process limit nothing presses any more"
    );
}

#[test]
fn it_is_limited_while_a_partition_is_paused_for_nothing_but_a_limit() {
    let mut flow = flow(2);
    flow.taken(tp(0), EPOCH, amount(9, 9), &mut Vec::new());
    assert!(!flow.is_limited());
    flow.taken(tp(0), EPOCH, amount(1, 1), &mut Vec::new());
    assert!(flow.is_limited());
    flow.set(tp(0), EPOCH, Reason::Sink, true, &mut Vec::new());
    assert!(!flow.is_limited(), "it waits for the sink now");
}

#[test]
fn partitions_that_leave_are_not_spoken_of() {
    let mut flow = flow(2);
    for partition in [0, 1] {
        flow.taken(tp(partition), EPOCH, amount(10, 10), &mut Vec::new());
    }
    assert_eq!(turns(|out| flow.removed(&[tp(0), tp(1)], out)), []);
    assert_eq!(flow.total(), Amount::default());
}

#[derive(Debug, Clone)]
enum Op {
    Assign(i32),
    Remove(i32),
    Take(i32, u64, u64),
    Done(i32, u64),
    Set(i32, usize, bool),
}

proptest! {
    /// Goal: if a paused partition hands over no records, what is in flight stays within the limits, but for what one
    /// poll hands over; and the client is told exactly what it must know.
    #[test]
    fn stays_within_the_limits_and_tells_every_change_once(ops in proptest::collection::vec(
        prop_oneof![
            1 => (0..4_i32).prop_map(Op::Assign),
            1 => (0..4_i32).prop_map(Op::Remove),
            8 => (0..4_i32, 1..4_u64, 1..300_u64).prop_map(|(tp, records, bytes)| Op::Take(tp, records, bytes)),
            6 => (0..4_i32, 1..4_u64).prop_map(|(tp, records)| Op::Done(tp, records)),
            1 => (0..4_i32, 2..7_usize, any::<bool>()).prop_map(|(tp, reason, is_set)| Op::Set(tp, reason, is_set)),
        ],
        0..300,
    )) {
        // Fewer than the partitions may hold together, so that the process limit is what bounds them.
        let process = amount(16, 1_600);
        let mut flow = Flow::new(FlowLimits { process, ..LIMITS });
        (0..4).for_each(|partition| flow.assigned(tp(partition), EPOCH, &mut Vec::new()));
        let (mut owned, mut paused): (BTreeSet<Tp>, BTreeSet<Tp>) = ((0..4).map(tp).collect(), BTreeSet::new());
        for op in ops {
            let mut out = Vec::new();
            match op {
                Op::Assign(partition) if owned.insert(tp(partition)) => flow.assigned(tp(partition), EPOCH, &mut out),
                Op::Remove(partition) if owned.remove(&tp(partition)) => flow.removed(&[tp(partition)], &mut out),
                Op::Take(partition, records, bytes) if owned.contains(&tp(partition)) && !paused.contains(&tp(partition)) => {
                    flow.taken(tp(partition), EPOCH, amount(records, bytes), &mut out);
                }
                Op::Done(partition, records) => {
                    let held = flow.held(tp(partition));
                    let records = records.min(held.records);
                    let bytes = if records == held.records { held.bytes } else { held.bytes * records / held.records };
                    flow.done(tp(partition), EPOCH, amount(records, bytes), &mut out);
                }
                Op::Set(partition, reason, is_set) => {
                    flow.set(tp(partition), EPOCH, Reason::ALL[reason], is_set, &mut out);
                }
                _ => {}
            }
            for turn in out {
                match turn {
                    Turn::Pause(tp) => prop_assert!(owned.contains(&tp) && paused.insert(tp), "paused twice"),
                    // After an assignment a resume is told in any case.
                    Turn::Resume(tp) => {
                        prop_assert!(owned.contains(&tp));
                        paused.remove(&tp);
                    }
                }
            }
            let (mut records, mut bytes) = (0, 0);
            for tp in &owned {
                let held = flow.held(*tp);
                prop_assert!(held.records < LIMITS.partition.records + 4 && held.bytes < LIMITS.partition.bytes + 300);
                prop_assert_eq!(paused.contains(tp), !flow.reasons(*tp).is_empty());
                records += held.records;
                bytes += held.bytes;
            }
            prop_assert_eq!(flow.total(), amount(records, bytes));
            prop_assert!(records < process.records + 4 * 4 && bytes < process.bytes + 4 * 300);
        }
    }
}
