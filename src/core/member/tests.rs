use super::*;
use crate::core::start::Start;

const CONFIG: MemberConfig = MemberConfig {
    commit_interval: Millis(1_000),
    drain_timeout: Millis(20_000),
};
const A: Tp = Tp {
    topic: 0,
    partition: 0,
};
const B: Tp = Tp {
    topic: 0,
    partition: 1,
};

/// A member and its clock; every step returns what is to be done.
struct Stage {
    member: Member,
    now: u64,
}

impl Stage {
    fn new() -> Stage {
        Stage {
            member: Member::new(CONFIG),
            now: 0,
        }
    }

    fn tell(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.member.handle(Millis(self.now), event, &mut actions);
        actions
    }

    fn after(&mut self, ms: u64) -> Vec<Action> {
        self.now += ms;
        self.tell(Event::Tick)
    }

    /// Runs these partitions from offset 100.
    fn running(tps: &[Tp]) -> Stage {
        let mut stage = Stage::new();
        let request = request(&stage.tell(Event::Assigned(tps.to_vec())));
        stage.positions(request, tps, 100);
        stage
    }

    fn positions(&mut self, request: Request, tps: &[Tp], offset: i64) -> Vec<Action> {
        let start = Start {
            offset,
            partitions: Some(2),
        };
        let positions = tps.iter().map(|tp| (*tp, Ok(start))).collect();
        self.tell(Event::Positions {
            request,
            initial: vec![],
            positions,
        })
    }

    fn epoch(&self, tp: Tp) -> Epoch {
        match self.member.standings().find(|(other, _)| *other == tp) {
            Some((_, Standing::Running(positions) | Standing::Draining(positions))) => {
                positions.epoch
            }
            other => panic!("{tp:?} has no epoch: {other:?}"),
        }
    }

    fn frontier(&mut self, tp: Tp, offset: i64) -> Vec<Action> {
        let epoch = self.epoch(tp);
        self.tell(Event::Frontier { tp, epoch, offset })
    }

    fn drained(&mut self, tp: Tp, frontier: i64, released: u64) -> Vec<Action> {
        let epoch = self.epoch(tp);
        self.tell(Event::Drained {
            tp,
            epoch,
            frontier,
            released,
        })
    }

    fn answer(&mut self, batch: Batch, tps: &[Tp], is_good: bool) -> Vec<Action> {
        let results = tps.iter().map(|tp| (*tp, is_good)).collect();
        self.tell(Event::CommitAnswer { batch, results })
    }
}

fn request(actions: &[Action]) -> Request {
    let found = actions.iter().find_map(|action| match action {
        Action::ResolvePositions(request, _) => Some(*request),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no positions are asked for: {actions:?}"))
}

/// The only commit among the actions: its number, partitions and offsets.
fn commit(actions: &[Action]) -> (Batch, Vec<(Tp, i64)>) {
    let commits: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Commit(batch, entries) => {
                assert!(
                    entries.iter().all(|entry| entry.partitions == Some(2)),
                    "the number of partitions is kept"
                );
                Some((
                    *batch,
                    entries
                        .iter()
                        .map(|entry| (entry.tp, entry.offset))
                        .collect(),
                ))
            }
            _ => None,
        })
        .collect();
    assert_eq!(commits.len(), 1, "{actions:?}");
    commits[0].clone()
}

fn unassign(tps: &[Tp]) -> Action {
    Action::Unassign(tps.to_vec())
}

#[test]
fn an_assignment_is_answered_at_once_and_begins_when_its_position_is_known() {
    let mut stage = Stage::new();
    let actions = stage.tell(Event::Assigned(vec![A]));
    let asked = request(&actions);
    assert_eq!(
        actions,
        [
            Action::Assign(vec![]),
            Action::ResolvePositions(asked, vec![A])
        ]
    );
    assert_eq!(stage.member.accepts(A), None);
    let actions = stage.positions(asked, &[A], 100);
    let epoch = stage.member.accepts(A).unwrap();
    let open = Action::OpenLane {
        tp: A,
        epoch,
        offset: 100,
    };
    assert_eq!(
        actions,
        [open, Action::Assign(vec![(A, 100, epoch)])],
        "the lane is there before the first record"
    );
    assert_eq!(
        stage.tell(Event::Assigned(vec![])),
        [Action::Assign(vec![])]
    );
    assert_eq!(
        stage.tell(Event::Assigned(vec![A])),
        [Action::Assign(vec![])],
        "given twice, kept as it is"
    );
    assert_eq!(stage.member.accepts(A), Some(epoch));
}

#[test]
fn a_revoked_partition_drains_commits_and_leaves_while_the_others_go_on() {
    let mut stage = Stage::running(&[A, B]);
    stage.now = 5_000;
    let epoch = stage.epoch(A);
    assert_eq!(
        stage.tell(Event::Revoked(vec![A])),
        [Action::DrainLane { tp: A, epoch }]
    );
    assert_eq!(stage.member.accepts(A), None);
    assert!(stage.member.accepts(B).is_some());
    stage.frontier(B, 150);
    let (batch, entries) = commit(&stage.after(1_000));
    assert_eq!(entries, [(B, 150)]);
    stage.answer(batch, &[B], true);
    let (batch, entries) = commit(&stage.drained(A, 130, 2));
    assert_eq!(
        entries,
        [(A, 130)],
        "the final commit waits for no interval"
    );
    assert_eq!(stage.answer(batch, &[A], true), [unassign(&[A])]);
}

#[test]
fn a_partition_revoked_while_its_commit_is_under_way_waits_for_the_answer() {
    let mut stage = Stage::running(&[A]);
    stage.frontier(A, 110);
    let (first, _) = commit(&stage.after(1_000));
    stage.tell(Event::Revoked(vec![A]));
    assert_eq!(stage.drained(A, 120, 0), [], "one commit at a time");
    let (last, entries) = commit(&stage.answer(first, &[A], true));
    assert_eq!(entries, [(A, 120)]);
    assert_eq!(stage.answer(last, &[A], true), [unassign(&[A])]);
}

#[test]
fn an_answer_to_an_earlier_question_for_positions_is_ignored() {
    let mut stage = Stage::new();
    let early = request(&stage.tell(Event::Assigned(vec![A])));
    assert_eq!(
        stage.tell(Event::Revoked(vec![A])),
        [unassign(&[A])],
        "answered, though it never began"
    );
    let late = request(&stage.tell(Event::Assigned(vec![A])));
    assert_eq!(
        stage.positions(early, &[A], 100),
        [],
        "somebody else may have committed since"
    );
    assert_eq!(stage.positions(late, &[A], 170).len(), 2);
}

#[test]
fn a_partition_assigned_again_begins_under_a_new_epoch_and_the_old_one_is_deaf() {
    let mut stage = Stage::running(&[A]);
    let old = stage.epoch(A);
    stage.tell(Event::Lost(vec![A]));
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    stage.positions(asked, &[A], 100);
    assert_ne!(stage.epoch(A), old);
    stage.tell(Event::Frontier {
        tp: A,
        epoch: old,
        offset: 999,
    });
    stage.tell(Event::Drained {
        tp: A,
        epoch: old,
        frontier: 999,
        released: 0,
    });
    assert_eq!(stage.after(5_000), []);
}

#[test]
fn a_partition_assigned_again_while_it_drains_is_given_back_first() {
    let mut stage = Stage::running(&[A]);
    stage.tell(Event::Revoked(vec![A]));
    assert_eq!(
        stage.tell(Event::Assigned(vec![A])),
        [Action::Assign(vec![])]
    );
    let actions = stage.drained(A, 100, 0);
    assert_eq!(actions[0], unassign(&[A]));
    assert_eq!(stage.positions(request(&actions), &[A], 100).len(), 2);
}

#[test]
fn a_partition_revoked_twice_drains_once_and_answers_both() {
    let mut stage = Stage::running(&[A, B]);
    stage.tell(Event::Revoked(vec![A]));
    stage.tell(Event::Assigned(vec![A]));
    let actions = stage.tell(Event::Revoked(vec![A, B]));
    assert_eq!(
        actions,
        [Action::DrainLane {
            tp: B,
            epoch: stage.epoch(B)
        }]
    );
    assert_eq!(
        stage.drained(A, 100, 0),
        [unassign(&[A])],
        "and it is not wanted again"
    );
    assert_eq!(stage.drained(B, 100, 0), [unassign(&[A, B])]);
    assert_eq!(stage.member.standings().count(), 0);
}

#[test]
fn what_is_lost_is_abandoned_without_a_commit() {
    let mut stage = Stage::running(&[A, B]);
    let epochs = (stage.epoch(A), stage.epoch(B));
    stage.frontier(A, 110);
    stage.tell(Event::Revoked(vec![B]));
    let actions = stage.tell(Event::Lost(vec![A, B]));
    let abandon = |tp, epoch| Action::AbandonLane { tp, epoch };
    let expected = [
        abandon(A, epochs.0),
        abandon(B, epochs.1),
        unassign(&[A, B]),
        unassign(&[B]),
    ];
    assert_eq!(actions, expected, "the revoke is answered as well");
    assert_eq!(stage.after(5_000), []);
}

#[test]
fn a_failed_commit_is_driven_again_from_the_frontier_after_a_growing_wait() {
    let mut stage = Stage::running(&[A]);
    stage.frontier(A, 110);
    let (mut batch, mut frontier) = (commit(&stage.after(1_000)).0, 110);
    for wait in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        assert_eq!(stage.answer(batch, &[A], false), []);
        assert_eq!(stage.after(wait - 1), [], "{wait}");
        frontier += 1;
        stage.frontier(A, frontier);
        let (next, entries) = commit(&stage.after(1_000));
        assert_eq!(entries, [(A, frontier)]);
        batch = next;
    }
    assert_eq!(stage.answer(batch, &[A], true), []);
    assert_eq!(
        stage.after(60_000),
        [],
        "nothing moved, nothing is committed"
    );
}

#[test]
fn a_partition_that_the_answer_does_not_name_was_not_committed() {
    let mut stage = Stage::running(&[A, B]);
    stage.frontier(A, 110);
    stage.frontier(B, 110);
    let (batch, _) = commit(&stage.after(1_000));
    stage.answer(batch, &[B], true);
    assert_eq!(commit(&stage.after(2_000)).1, [(A, 110)]);
    assert_eq!(
        stage.answer(batch, &[A], true),
        [],
        "an answer that comes twice counts once"
    );
    assert_eq!(stage.after(5_000), [], "the second is still under way");
}

#[test]
fn a_lane_that_does_not_drain_in_time_is_abandoned_and_what_is_done_committed() {
    let mut stage = Stage::running(&[A]);
    let epoch = stage.epoch(A);
    stage.tell(Event::Revoked(vec![A]));
    assert_eq!(stage.after(14_999), []);
    assert_eq!(stage.after(1), [Action::AbandonLane { tp: A, epoch }]);
    assert_eq!(stage.after(1), []);
    let (batch, entries) = commit(&stage.drained(A, 105, 7));
    assert_eq!(entries, [(A, 105)]);
    assert_eq!(stage.answer(batch, &[A], true), [unassign(&[A])]);
}

#[test]
fn a_partition_is_given_back_at_the_deadline_whatever_does_not_answer() {
    let mut stage = Stage::running(&[A]);
    stage.tell(Event::Revoked(vec![A]));
    stage.after(15_000);
    assert_eq!(stage.after(4_999), []);
    assert_eq!(stage.after(1), [unassign(&[A])]);
}

#[test]
fn what_is_revoked_waits_no_longer_when_the_group_has_moved_on() {
    let kept = Tp { topic: 1, ..A };
    let mut stage = Stage::running(&[A, B, kept]);
    stage.frontier(A, 110);
    let (before, _) = commit(&stage.after(1_000));
    stage.tell(Event::Revoked(vec![A, B]));
    // Of the generation before: the group is where we are.
    assert_eq!(stage.tell(Event::MovedOn(before)), []);
    stage.answer(before, &[A], false);
    let (last, _) = commit(&stage.drained(B, 120, 0));
    let epoch = stage.epoch(A);
    let abandon = Action::AbandonLane { tp: A, epoch };
    let left_behind = Action::LeftBehind(vec![A, B]);
    let given_back = stage.tell(Event::MovedOn(last));
    assert_eq!(given_back, [left_behind, abandon, unassign(&[A, B])]);
    assert_eq!(stage.answer(last, &[B], false), []);
    // What was not revoked goes on: the client says so if it is lost too.
    assert!(stage.member.accepts(kept).is_some());
    assert_eq!(stage.tell(Event::MovedOn(last)), []);
}

#[test]
fn a_final_commit_that_fails_is_tried_until_the_deadline() {
    let mut stage = Stage::running(&[A]);
    stage.tell(Event::Shutdown);
    let mut actions = stage.drained(A, 120, 0);
    for _ in 0..19 {
        let (batch, _) = commit(&actions);
        assert_eq!(stage.answer(batch, &[A], false), []);
        actions = stage.after(1_000);
    }
    let (batch, _) = commit(&actions);
    stage.answer(batch, &[A], false);
    let leftover = Leftover {
        tp: A,
        records: Some(0),
        uncommitted: Some(120),
    };
    assert_eq!(stage.after(1_000), [Action::Done(vec![leftover])]);
    assert!(stage.member.is_done());
}

#[test]
fn a_shutdown_drains_all_and_names_what_is_pending() {
    let mut stage = Stage::running(&[A, B]);
    let (a, b) = (stage.epoch(A), stage.epoch(B));
    let drain = |tp, epoch| Action::DrainLane { tp, epoch };
    assert_eq!(stage.tell(Event::Shutdown), [drain(A, a), drain(B, b)]);
    assert_eq!(stage.tell(Event::Shutdown), []);
    assert_eq!(stage.drained(A, 100, 0), []);
    stage.after(15_000);
    let leftover = Leftover {
        tp: B,
        records: None,
        uncommitted: None,
    };
    assert_eq!(stage.after(5_000), [Action::Done(vec![leftover])]);
    assert_eq!(stage.after(1_000), [], "said once");
}

#[test]
fn a_shutdown_of_what_is_drained_and_committed_names_nothing() {
    let mut stage = Stage::running(&[A]);
    stage.tell(Event::Shutdown);
    let (batch, _) = commit(&stage.drained(A, 101, 0));
    assert_eq!(stage.answer(batch, &[A], true), [Action::Done(vec![])]);
    assert_eq!(Stage::new().tell(Event::Shutdown), [Action::Done(vec![])]);
}

#[test]
fn a_rebalance_during_the_shutdown_is_answered_and_takes_nothing() {
    let mut stage = Stage::running(&[A]);
    stage.tell(Event::Shutdown);
    assert_eq!(
        stage.tell(Event::Assigned(vec![B])),
        [Action::Assign(vec![])]
    );
    assert_eq!(stage.tell(Event::Revoked(vec![A, B])), []);
    assert_eq!(stage.drained(A, 100, 3).first(), Some(&unassign(&[A, B])));
    assert!(stage.member.is_done());
    assert_eq!(
        stage.tell(Event::Revoked(vec![])),
        [unassign(&[])],
        "also when it is over"
    );
}

fn empty_group(stage: &mut Stage, request: Request, tps: &[Tp]) -> Vec<Action> {
    let start = Start {
        offset: 0,
        partitions: Some(2),
    };
    let initial = if tps.contains(&A) {
        vec![(A, start), (B, start)]
    } else {
        vec![]
    };
    let positions = tps
        .iter()
        .map(|tp| (*tp, Err(StartFault::Waiting)))
        .collect();
    stage.tell(Event::Positions {
        request,
        initial,
        positions,
    })
}

#[test]
fn the_first_start_is_committed_once_and_then_read_again() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let (batch, entries) = commit(&empty_group(&mut stage, asked, &[A]));
    assert_eq!(entries, [(A, 0), (B, 0)], "those of others too");
    assert_eq!(
        stage.after(600_000),
        [],
        "nothing is asked before the answer"
    );
    // Whether it was applied is not known when it failed: read again, with growing patience.
    assert_eq!(stage.answer(batch, &[], false), []);
    let asked = request(&stage.after(250));
    let (batch, _) = commit(&empty_group(&mut stage, asked, &[A]));
    stage.answer(batch, &[A, B], false);
    assert_eq!(stage.after(499), []);
    let asked = request(&stage.after(1));
    let (batch, _) = commit(&empty_group(&mut stage, asked, &[A]));
    let asked = request(&stage.answer(batch, &[A, B], true));
    assert_eq!(stage.positions(asked, &[A], 0).len(), 2);
}

#[test]
fn there_is_one_first_start_at_a_time() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let (batch, _) = commit(&empty_group(&mut stage, asked, &[A]));
    stage.tell(Event::Revoked(vec![A]));
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    assert_eq!(
        empty_group(&mut stage, asked, &[A]),
        [],
        "the other one could land on what was committed since"
    );
    assert_eq!(stage.answer(batch, &[A, B], true).len(), 1);
}

#[test]
fn a_first_start_is_left_to_whoever_owns_partition_0_by_then() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A, B])));
    stage.tell(Event::Revoked(vec![A]));
    let actions = empty_group(&mut stage, asked, &[A, B]);
    assert_eq!(actions, [], "partition 0 is not ours any more");
    assert!(
        matches!(stage.after(250)[..], [Action::ResolvePositions(_, ref tps)] if *tps == [B]),
        "but we go on asking"
    );
}

#[test]
fn positions_that_cannot_be_read_are_asked_for_again_after_a_growing_wait() {
    let mut stage = Stage::new();
    let mut asked = request(&stage.tell(Event::Assigned(vec![B])));
    for wait in [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
        // Every other answer forgets the partition.
        let fault = (B, Err(StartFault::Unreadable("timed out".to_owned())));
        let positions = if wait % 1_000 == 0 {
            vec![fault]
        } else {
            vec![]
        };
        stage.tell(Event::Positions {
            request: asked,
            initial: vec![],
            positions,
        });
        assert_eq!(stage.after(wait - 1), []);
        asked = request(&stage.after(1));
    }
}

#[test]
fn a_partition_without_a_usable_position_stops_and_can_be_taken_back() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let fault = StartFault::OutOfRange {
        offset: 1,
        low: 5,
        high: 9,
    };
    let positions = vec![(A, Err(fault.clone()))];
    let actions = stage.tell(Event::Positions {
        request: asked,
        initial: vec![],
        positions,
    });
    assert_eq!(actions, [Action::Stopped(A, fault.clone())]);
    assert_eq!(
        stage.member.standings().next(),
        Some((A, Standing::Stopped(fault)))
    );
    assert_eq!(stage.after(600_000), []);
    assert_eq!(stage.tell(Event::Revoked(vec![A])), [unassign(&[A])]);
}
