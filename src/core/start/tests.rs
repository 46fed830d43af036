use proptest::prelude::*;

use super::*;
use crate::core::guard;

const MARKS: Watermarks = Watermarks { low: 5, high: 50 };

/// What the positions say of their owners.
const NOTE: Note = Note {
    is_open: true,
    deaths: 1,
    suspect: None,
    trying: None,
};

fn at(offset: i64, partitions: Option<u32>) -> Option<Committed> {
    Some(Committed {
        offset,
        partitions,
        note: NOTE,
    })
}

/// Where a partition begins at the position of somebody.
fn begins(offset: i64, partitions: Option<u32>) -> Start {
    Start {
        offset,
        partitions,
        end: MARKS.high,
        note: NOTE,
    }
}

/// Where it begins without one.
fn begins_anew(offset: i64, partitions: Option<u32>) -> Start {
    Start {
        note: Note::default(),
        ..begins(offset, partitions)
    }
}

fn resolve_in(committed: &[Option<Committed>], start_from: StartFrom, asked: &[i32]) -> Resolution {
    let watermarks = vec![Some(MARKS); committed.len()];
    resolve(
        &TopicView {
            committed,
            watermarks: &watermarks,
            start_from,
        },
        asked,
    )
}

#[test]
fn the_owner_of_partition_0_begins_an_empty_group_for_all_partitions() {
    for (start_from, offset) in [(StartFrom::Earliest, 5), (StartFrom::Latest, 50)] {
        let resolution = resolve_in(&[None; 3], start_from, &[0, 2]);
        let start = begins_anew(offset, Some(3));
        assert_eq!(resolution.initial, [(0, start), (1, start), (2, start)]);
        assert_eq!(
            resolution.positions,
            [(0, Err(StartFault::Waiting)), (2, Err(StartFault::Waiting))]
        );
    }
}

#[test]
fn the_others_wait_for_the_first_start() {
    let resolution = resolve_in(&[None; 3], StartFrom::Latest, &[1, 2]);
    assert_eq!(resolution.initial, []);
    assert!(
        resolution
            .positions
            .iter()
            .all(|(_, position)| *position == Err(StartFault::Waiting))
    );
}

#[test]
fn a_partition_beyond_the_known_number_begins_at_its_beginning_even_from_latest() {
    let committed = [at(7, Some(2)), at(8, Some(2)), None];
    let resolution = resolve_in(&committed, StartFrom::Latest, &[0, 2]);
    let expected = [
        (0, Ok(begins(7, Some(2)))),
        (2, Ok(begins_anew(5, Some(2)))),
    ];
    assert_eq!(resolution.positions, expected);
    assert_eq!(resolution.initial, []);
}

#[test]
fn a_known_partition_without_a_position_stops_and_says_so() {
    let committed = [at(7, Some(3)), None, at(8, Some(2))];
    let positions = resolve_in(&committed, StartFrom::Earliest, &[1]).positions;
    let fault = positions[0].1.clone().unwrap_err();
    assert_eq!(fault, StartFault::NoPosition { known: Some(3) });
    assert!(fault.is_final());
    assert!(
        fault.to_string().contains("knows 3 partitions")
            && fault.to_string().contains("--reset-offsets"),
        "{fault}"
    );
}

#[test]
fn a_position_outside_the_log_stops_and_says_so() {
    for (offset, why) in [(4, "retention"), (51, "recreated")] {
        let positions = resolve_in(&[at(offset, Some(1))], StartFrom::Earliest, &[0]).positions;
        let fault = positions[0].1.clone().unwrap_err();
        assert_eq!(
            fault,
            StartFault::OutOfRange {
                offset,
                low: 5,
                high: 50
            }
        );
        assert!(
            fault.is_final() && fault.to_string().contains(why),
            "{fault}"
        );
    }
    for offset in [5, 50] {
        let positions = resolve_in(&[at(offset, Some(1))], StartFrom::Earliest, &[0]).positions;
        assert_eq!(positions, [(0, Ok(begins(offset, Some(1))))]);
    }
}

#[test]
fn positions_set_by_another_tool_count_if_there_is_one_for_every_partition() {
    let positions = resolve_in(&[at(7, None), at(8, None)], StartFrom::Earliest, &[1]).positions;
    assert_eq!(positions, [(1, Ok(begins(8, Some(2))))]);
    let positions = resolve_in(&[at(7, None), None], StartFrom::Earliest, &[0, 1]).positions;
    assert_eq!(positions[0].1, Ok(begins(7, None)));
    assert_eq!(positions[1].1, Err(StartFault::NoPosition { known: None }));
}

#[test]
fn what_could_not_be_read_is_read_again_and_begins_nothing() {
    let watermarks = [Some(MARKS), None];
    let view = |committed| TopicView {
        committed,
        watermarks: &watermarks,
        start_from: StartFrom::Earliest,
    };
    let resolution = resolve(&view(&[None, None]), &[0]);
    assert_eq!(
        resolution.initial,
        [],
        "a first start is of all partitions or of none"
    );
    assert!(matches!(
        resolution.positions[0].1,
        Err(StartFault::Unreadable(_))
    ));
    let resolution = resolve(&view(&[at(6, Some(2)), at(6, Some(2))]), &[0, 1, 9]);
    assert!(resolution.positions[0].1.is_ok());
    for (_, position) in &resolution.positions[1..] {
        assert!(
            position.as_ref().is_err_and(|fault| !fault.is_final()),
            "{position:?}"
        );
    }
}

#[test]
fn the_metadata_says_how_many_partitions_the_group_knows_and_how_its_owner_fares() {
    let quiet = Note::default();
    let note = Note {
        is_open: true,
        deaths: 3,
        suspect: Some(guard::Suspect {
            offset: 17,
            deaths: 1,
        }),
        trying: Some(18),
    };
    for (partitions, note, text) in [
        (None, quiet, ""),
        (Some(12), quiet, "lockgate partitions=12"),
        (
            Some(12),
            note,
            "lockgate partitions=12 open deaths=3 suspect=17 tries=1 trying=18",
        ),
        (None, NOTE, "lockgate open deaths=1"),
    ] {
        assert_eq!(metadata(partitions, note), text);
        assert_eq!(read(text), (partitions, note), "{text}");
    }
    for foreign in [
        "",
        "12",
        "open deaths=9",
        "lockgate-partitions=12",
        "lockgate partitions=",
        "lockgate partitions=99999999999",
        "lockgate partitions=-1",
    ] {
        assert_eq!(read(foreign), (None, quiet), "{foreign:?}");
    }
    let later = "lockgate partitions=12 open since=noon maybe";
    assert_eq!(read(later).0, Some(12), "a later version may say more");
}

/// Versions before the guard read no more than this, and the whole of it.
#[test]
fn a_position_that_was_left_in_order_is_read_by_versions_before_the_guard() {
    let left = metadata(Some(12), NOTE.moved(7).closed());
    let as_then = left.strip_prefix("lockgate partitions=").unwrap();
    assert_eq!(as_then.parse::<u32>(), Ok(12));
}

fn any_committed() -> impl Strategy<Value = Vec<Option<Committed>>> {
    let committed = (-1..60_i64, proptest::option::of(0..8_u32))
        .prop_map(|(offset, partitions)| at(offset, partitions).unwrap());
    proptest::collection::vec(proptest::option::of(committed), 1..8)
}

proptest! {
    /// Goal: whatever the group says, a partition begins where the group stands, or at the beginning of a partition it
    /// never knew, or nowhere; initial positions are committed by one member only and only over nothing.
    #[test]
    fn never_begins_where_records_would_be_skipped(
        committed in any_committed(), asked in proptest::collection::btree_set(0..9_i32, 1..9), is_latest: bool,
    ) {
        let start_from = if is_latest { StartFrom::Latest } else { StartFrom::Earliest };
        let asked: Vec<i32> = asked.into_iter().collect();
        let resolution = resolve_in(&committed, start_from, &asked);
        let is_empty = committed.iter().all(Option::is_none);
        prop_assert_eq!(!resolution.initial.is_empty(), is_empty && asked.contains(&0));
        if !resolution.initial.is_empty() {
            prop_assert_eq!(resolution.initial.len(), committed.len());
        }
        prop_assert_eq!(resolution.positions.len(), asked.len());
        let known = committed.iter().flatten().filter_map(|committed| committed.partitions).max();
        for (partition, position) in resolution.positions {
            let Ok(Start { offset, .. }) = position else { continue };
            prop_assert!(!is_empty);
            match committed[partition as usize] {
                Some(committed) => prop_assert_eq!(offset, committed.offset),
                None => prop_assert!(offset == MARKS.low && known.is_some_and(|known| partition >= known as i32)),
            }
        }
    }
}
