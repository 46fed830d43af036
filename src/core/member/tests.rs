use super::*;
use crate::core::Guard;
use crate::core::guard::{Suspect, TRIES_MAX};

const CONFIG: MemberConfig = MemberConfig {
    commit_interval: Millis(1_000),
    drain_timeout: Millis(20_000),
    in_flight_records: 50,
    has_guard: true,
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
        stage.begun(request, tps, 100);
        stage
    }

    /// Positions are known and say that the partitions are owned.
    fn begun(&mut self, request: Request, tps: &[Tp], offset: i64) -> Vec<Action> {
        let (batch, entries) = commit(&self.positions(request, tps, offset));
        let expected: Vec<_> = tps.iter().map(|tp| (*tp, offset)).collect();
        assert_eq!(entries, expected);
        self.answer(batch, tps, true)
    }

    /// Runs partition A from offset 100, where this was found.
    fn found(note: Note) -> (Stage, Vec<Action>) {
        let mut stage = Stage::new();
        let request = request(&stage.tell(Event::Assigned(vec![A])));
        let start = Start { note, ..start(100) };
        let actions = stage.tell(Event::Positions {
            request,
            initial: vec![],
            positions: vec![(A, Ok(start))],
        });
        let (batch, _) = commit(&actions);
        let actions = stage.answer(batch, &[A], true);
        (stage, actions)
    }

    fn trying(&mut self, frontier: i64, offset: Option<i64>) -> Vec<Action> {
        let epoch = self.epoch(A);
        self.tell(Event::Trying {
            tp: A,
            epoch,
            frontier,
            offset,
        })
    }

    fn marked(&self, offset: Option<i64>) -> Action {
        let epoch = self.epoch(A);
        Action::Marked {
            tp: A,
            epoch,
            offset,
        }
    }

    fn positions(&mut self, request: Request, tps: &[Tp], offset: i64) -> Vec<Action> {
        let start = start(offset);
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

/// A partition that was left in order, of 1000 records.
fn start(offset: i64) -> Start {
    Start {
        offset,
        partitions: Some(2),
        end: 1_000,
        note: Note::default(),
    }
}

/// The notes of the only commit among the actions.
fn notes(actions: &[Action]) -> Vec<Note> {
    commit(actions);
    let entries = actions.iter().find_map(|action| match action {
        Action::Commit(_, entries) => Some(entries),
        _ => None,
    });
    entries
        .into_iter()
        .flatten()
        .map(|entry| entry.note)
        .collect()
}

const OPEN: Note = Note {
    is_open: true,
    deaths: 0,
    suspect: None,
    trying: None,
};

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
    let actions = stage.begun(asked, &[A], 100);
    let epoch = stage.member.accepts(A).unwrap();
    let open = Action::OpenLane {
        tp: A,
        epoch,
        offset: 100,
        note: OPEN,
        is_after_death: false,
        guard: None,
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
    assert_eq!(stage.begun(late, &[A], 170).len(), 2);
}

#[test]
fn a_partition_assigned_again_begins_under_a_new_epoch_and_the_old_one_is_deaf() {
    let mut stage = Stage::running(&[A]);
    let old = stage.epoch(A);
    stage.tell(Event::Lost(vec![A]));
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    stage.begun(asked, &[A], 100);
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
    let (batch, _) = commit(&stage.drained(A, 100, 0));
    let actions = stage.answer(batch, &[A], true);
    assert_eq!(actions[0], unassign(&[A]));
    assert_eq!(stage.begun(request(&actions), &[A], 100).len(), 2);
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
    let (batch, _) = commit(&stage.drained(A, 100, 0));
    assert_eq!(
        stage.answer(batch, &[A], true),
        [unassign(&[A])],
        "and it is not wanted again"
    );
    let (batch, _) = commit(&stage.drained(B, 100, 0));
    assert_eq!(stage.answer(batch, &[B], true), [unassign(&[A, B])]);
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
    let (batch, _) = commit(&stage.drained(A, 100, 0));
    assert_eq!(stage.answer(batch, &[A], true), []);
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
    let (batch, _) = commit(&stage.drained(A, 100, 3));
    let actions = stage.answer(batch, &[A], true);
    assert_eq!(actions.first(), Some(&unassign(&[A, B])));
    assert!(stage.member.is_done());
    assert_eq!(
        stage.tell(Event::Revoked(vec![])),
        [unassign(&[])],
        "also when it is over"
    );
}

fn empty_group(stage: &mut Stage, request: Request, tps: &[Tp]) -> Vec<Action> {
    let start = start(0);
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
    assert_eq!(stage.begun(asked, &[A], 0).len(), 2);
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

#[test]
fn a_position_says_that_it_is_owned_before_the_first_record_and_that_it_was_left_after_the_last() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let actions = stage.positions(asked, &[A], 100);
    assert_eq!(notes(&actions), [OPEN]);
    assert_eq!(stage.member.accepts(A), None);
    assert_eq!(stage.after(5_000), [], "the answer is waited for");
    stage.answer(commit(&actions).0, &[A], true);
    stage.frontier(A, 120);
    let actions = stage.after(1_000);
    assert_eq!(notes(&actions), [OPEN]);
    stage.answer(commit(&actions).0, &[A], true);
    stage.tell(Event::Revoked(vec![A]));
    let actions = stage.drained(A, 120, 0);
    assert_eq!(notes(&actions), [Note::default()], "though nothing moved");
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], true), [unassign(&[A])]);
}

#[test]
fn a_partition_whose_owner_cannot_be_noted_begins_all_the_same_and_is_noted_later() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let (batch, _) = commit(&stage.positions(asked, &[A], 100));
    let actions = stage.answer(batch, &[A], false);
    assert!(
        matches!(actions[..], [Action::OpenLane { .. }, Action::Assign(_)]),
        "{actions:?}"
    );
    assert_eq!(stage.after(999), []);
    assert_eq!(notes(&stage.after(1)), [OPEN]);
}

#[test]
fn a_partition_that_is_noted_as_it_should_be_begins_at_once() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    // Its owner died, and nothing was there to die of.
    let start = Start {
        note: OPEN,
        ..start(1_000)
    };
    let actions = stage.tell(Event::Positions {
        request: asked,
        initial: vec![],
        positions: vec![(A, Ok(start))],
    });
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert!(stage.member.accepts(A).is_some());
}

#[test]
fn the_last_word_is_tried_once_and_not_waited_for_long() {
    for is_refused in [true, false] {
        let mut stage = Stage::running(&[A]);
        stage.tell(Event::Shutdown);
        let (batch, _) = commit(&stage.drained(A, 100, 0));
        let done = [Action::Done(vec![])];
        match is_refused {
            true => assert_eq!(stage.answer(batch, &[A], false), done),
            false => {
                assert_eq!(stage.after(1_999), []);
                assert_eq!(stage.after(1), done);
            }
        }
    }
}

#[test]
fn a_partition_taken_back_before_it_began_leaves_without_a_lane() {
    let mut stage = Stage::new();
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let (opening, _) = commit(&stage.positions(asked, &[A], 100));
    assert_eq!(stage.tell(Event::Revoked(vec![A])), []);
    let actions = stage.answer(opening, &[A], true);
    assert_eq!(notes(&actions), [Note::default()]);
    assert_eq!(
        stage.answer(commit(&actions).0, &[A], true),
        [unassign(&[A])]
    );
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    stage.positions(asked, &[A], 100);
    assert_eq!(stage.tell(Event::Lost(vec![A])), [unassign(&[A])]);
}

#[test]
fn the_third_death_at_a_position_opens_a_guarded_lane_and_a_move_forgets_it() {
    let dead = |deaths| Note { deaths, ..OPEN };
    let guard = Guard {
        until: 1_000,
        records: 50,
        suspect: None,
    };
    for (found, expected) in [(0, None), (1, None), (2, Some(guard))] {
        let (mut stage, actions) = Stage::found(dead(found));
        let opened = Action::OpenLane {
            tp: A,
            epoch: stage.epoch(A),
            offset: 100,
            note: dead(found + 1),
            is_after_death: true,
            guard: expected,
        };
        assert_eq!(actions[0], opened);
        // At once: the next death must not be counted with those at the position before.
        assert_eq!(notes(&stage.frontier(A, 101)), [OPEN]);
    }
}

#[test]
fn an_end_in_order_keeps_the_deaths_of_the_position_and_adds_none() {
    let dead = Note { deaths: 2, ..OPEN };
    let (mut stage, _) = Stage::found(dead.closed());
    stage.tell(Event::Revoked(vec![A]));
    assert_eq!(notes(&stage.drained(A, 100, 4)), [dead.closed()]);
}

#[test]
fn a_record_is_tried_when_the_position_says_so_and_the_next_mark_takes_its_place() {
    let (mut stage, _) = Stage::found(Note { deaths: 2, ..OPEN });
    let bears = |offset, deaths| Note {
        deaths,
        trying: offset,
        ..OPEN
    };
    let actions = stage.trying(100, Some(100));
    assert_eq!(notes(&actions), [bears(Some(100), 3)], "at once");
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], true), [stage.marked(Some(100))]);
    // The mark travels with the frontier as the lane knows it.
    let actions = stage.trying(101, Some(103));
    assert_eq!(commit(&actions).1, [(A, 101)]);
    assert_eq!(notes(&actions), [bears(Some(103), 0)]);
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], false), [], "refused");
    let actions = stage.after(1_000);
    assert_eq!(notes(&actions), [bears(Some(103), 0)]);
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], true), [stage.marked(Some(103))]);
    let actions = stage.trying(101, None);
    assert_eq!(notes(&actions), [OPEN]);
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], true), [stage.marked(None)]);
}

#[test]
fn a_mark_that_may_have_been_written_is_taken_away() {
    let (mut stage, _) = Stage::found(Note { deaths: 2, ..OPEN });
    let (batch, _) = commit(&stage.trying(100, Some(100)));
    assert_eq!(stage.trying(100, None), [], "the first one is under way");
    assert_eq!(stage.answer(batch, &[A], false), []);
    let actions = stage.after(1_000);
    assert_eq!(notes(&actions), [Note { deaths: 3, ..OPEN }]);
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], true), [stage.marked(None)]);
}

#[test]
fn a_record_at_which_three_owners_died_is_convicted_and_forgotten_when_it_was_passed() {
    let died = |deaths| Suspect {
        offset: 117,
        deaths,
    };
    let found = Note {
        trying: Some(117),
        suspect: Some(died(TRIES_MAX - 1)),
        ..OPEN
    };
    let (mut stage, actions) = Stage::found(found);
    let Action::OpenLane { guard, note, .. } = actions[0] else {
        panic!("{actions:?}")
    };
    assert_eq!(guard.and_then(|guard| guard.convicted()), Some(117));
    let convicted = Note {
        suspect: Some(died(TRIES_MAX)),
        ..OPEN
    };
    assert_eq!(note, convicted);
    stage.frontier(A, 117);
    assert_eq!(notes(&stage.after(1_000)), [convicted]);
    let (mut stage, _) = Stage::found(found);
    assert_eq!(notes(&stage.frontier(A, 118)), [OPEN]);
}

#[test]
fn without_the_guard_no_commit_says_anything_and_nothing_found_is_heeded() {
    let config = MemberConfig {
        has_guard: false,
        ..CONFIG
    };
    let mut stage = Stage::new();
    stage.member = Member::new(config);
    let asked = request(&stage.tell(Event::Assigned(vec![A])));
    let convicted = Note {
        deaths: 3,
        suspect: Some(Suspect {
            offset: 100,
            deaths: TRIES_MAX,
        }),
        ..OPEN
    };
    let start = Start {
        note: convicted,
        ..start(100)
    };
    let actions = stage.tell(Event::Positions {
        request: asked,
        initial: vec![],
        positions: vec![(A, Ok(start))],
    });
    let opened = Action::OpenLane {
        tp: A,
        epoch: stage.epoch(A),
        offset: 100,
        note: Note::default(),
        is_after_death: false,
        guard: None,
    };
    assert_eq!(actions[0], opened, "without a commit before it");
    stage.frontier(A, 120);
    let actions = stage.after(1_000);
    assert_eq!(notes(&actions), [Note::default()]);
    stage.answer(commit(&actions).0, &[A], true);
    stage.tell(Event::Shutdown);
    assert_eq!(stage.drained(A, 120, 0), [Action::Done(vec![])]);
}

#[test]
fn a_partition_that_may_bear_a_mark_is_not_given_back_before_its_time() {
    let (mut stage, _) = Stage::found(Note { deaths: 2, ..OPEN });
    let (batch, _) = commit(&stage.trying(100, Some(100)));
    stage.answer(batch, &[A], true);
    stage.tell(Event::Revoked(vec![A]));
    let (batch, _) = commit(&stage.drained(A, 100, 1));
    assert_eq!(stage.answer(batch, &[A], false), [], "the mark stands");
    let actions = stage.after(2_500);
    assert_eq!(notes(&actions), [Note { deaths: 3, ..OPEN }.closed()]);
    let (batch, _) = commit(&actions);
    assert_eq!(stage.answer(batch, &[A], true), [unassign(&[A])]);
}
