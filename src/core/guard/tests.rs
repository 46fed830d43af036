use proptest::prelude::*;

use super::*;

const END: i64 = 1_000;

/// One life of an owner that finds `note` at `offset` and ends while it says what it says at the end.
fn lives(note: Note, offset: i64) -> Note {
    note.taken_over(offset, END)
}

fn guard(note: Note, offset: i64) -> Option<Guard> {
    note.guard(offset, END, 10)
}

fn trying(note: Note, offset: i64) -> Note {
    Note {
        trying: Some(offset),
        ..note
    }
}

#[test]
fn a_record_that_ends_every_process_is_quarantined_after_three_deaths_and_three_tries() {
    let mut note = Note::default();
    for deaths in 0..DEATHS_MAX {
        note = lives(note, 40);
        assert_eq!((note.deaths, guard(note, 40)), (deaths, None));
    }
    for tries in 0..TRIES_MAX {
        note = lives(note, 40);
        let guard = guard(note, 40).unwrap();
        assert_eq!(note.suspect.map_or(0, |suspect| suspect.deaths), tries);
        let expected = match tries {
            0 => Next::Try,
            _ => Next::TryAgain,
        };
        assert_eq!(
            (guard.next(40, 40), guard.next(42, 40)),
            (Next::Try, expected)
        );
        note = trying(note, 42);
    }
    note = lives(note, 40);
    let guard = guard(note, 40).unwrap();
    assert_eq!(guard.next(41, 40), Next::Try);
    assert_eq!(guard.next(42, 40), Next::Quarantine);
    assert_eq!(guard.next(43, 42), Next::Wait, "its letter has not arrived");
    assert_eq!(guard.next(43, 43), Next::Try, "there may be another one");
    assert_eq!(
        note.moved(43),
        Note {
            is_open: true,
            ..Note::default()
        }
    );
}

#[test]
fn a_position_that_moves_and_an_end_in_order_are_no_deaths() {
    let mut note = Note::default();
    for offset in 0..50 {
        note = lives(note, offset).moved(offset + 1);
        assert_eq!(guard(note, offset + 1), None);
    }
    let mut note = lives(lives(Note::default(), 40), 40);
    assert_eq!(note.deaths, 1);
    for _ in 0..10 {
        note = lives(note.closed(), 40);
        assert_eq!(note.deaths, 1, "nor do they undo one");
    }
}

#[test]
fn where_no_record_waits_nobody_died_of_one() {
    let mut note = Note::default();
    for _ in 0..10 {
        note = note.taken_over(END, END);
        assert_eq!((note.deaths, note.guard(END, END, 10)), (0, None));
    }
}

#[test]
fn a_death_at_another_record_clears_the_first_suspect() {
    let open = Note {
        is_open: true,
        ..Note::default()
    };
    let note = lives(trying(lives(trying(open, 42), 40), 41), 40);
    assert_eq!(
        note.suspect,
        Some(Suspect {
            offset: 41,
            deaths: 1
        })
    );
    assert_eq!(guard(note, 40).unwrap().convicted(), None);
    // A death before any record is tried accuses nobody.
    let note = lives(note, 40);
    assert_eq!(
        note.suspect,
        Some(Suspect {
            offset: 41,
            deaths: 1
        })
    );
    // The group stands behind it: it was passed.
    assert_eq!(lives(note, 42).suspect, None);
}

#[test]
fn the_phase_ends_at_the_end_or_after_its_records_but_not_before_the_convicted() {
    let mut guard = Guard {
        until: 50,
        records: 2,
        suspect: None,
    };
    assert_eq!(guard.next(50, 49), Next::Over);
    assert_eq!((guard.is_over(49), guard.is_over(50)), (false, true));
    guard.passed();
    assert_eq!(guard.next(45, 40), Next::Try);
    guard.passed();
    assert_eq!(guard.next(46, 40), Next::Over);
    guard.suspect = Some(Suspect {
        offset: 47,
        deaths: TRIES_MAX,
    });
    let next: Vec<Next> = [(46, 40), (47, 40), (48, 47), (48, 48)]
        .map(|(offset, frontier)| guard.next(offset, frontier))
        .to_vec();
    assert_eq!(next, [Next::Try, Next::Quarantine, Next::Wait, Next::Over]);
}

fn any_note() -> impl Strategy<Value = Note> {
    let suspect = (0..60_i64, 1..9_u32).prop_map(|(offset, deaths)| Suspect { offset, deaths });
    (
        any::<bool>(),
        0..9_u32,
        proptest::option::of(suspect),
        proptest::option::of(0..60_i64),
    )
        .prop_map(|(is_open, deaths, suspect, trying)| Note {
            is_open,
            deaths,
            suspect,
            trying,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(note in any_note()) {
        let mut words = String::new();
        note.write(&mut words);
        prop_assert_eq!(Note::read(words.split(' ')), note);
    }

    /// Goal: metadata of anybody is read as a note, and never as one that convicts a record for less than it takes.
    #[test]
    fn nobody_is_convicted_by_words_without_sense(
        words in "( ?(open|deaths|suspect|tries|trying|lockgate|[a-z=]{0,4})=?-?[0-9]{0,20}){0,8}", offset in 0..60_i64,
    ) {
        let note = Note::read(words.split(' ')).taken_over(offset, END);
        let Some(convicted) = note.guard(offset, END, 10).and_then(|guard| guard.convicted()) else { return Ok(()) };
        let mut values = words.split(' ').filter_map(|word| word.split_once('=')?.1.parse().ok());
        prop_assert!(convicted >= offset && values.any(|value: i64| value == convicted));
    }

    /// Goal: whoever owns and however they end, a record is convicted by deaths at which its mark stood, no others.
    #[test]
    fn only_deaths_at_its_mark_convict_a_record(
        lives in proptest::collection::vec((0..4_i64, proptest::option::of(0..20_i64), any::<bool>()), 0..40),
    ) {
        let (mut note, mut offset) = (Note::default(), 0);
        let mut marked = std::collections::BTreeMap::<i64, u32>::new();
        for (moves, trying, is_clean) in lives {
            note = note.taken_over(offset, END);
            if let Some(guard) = note.guard(offset, END, 10) {
                if let Some(convicted) = guard.convicted() {
                    prop_assert!(marked.get(&convicted).is_some_and(|deaths| *deaths >= TRIES_MAX));
                }
                note.trying = trying.map(|ahead| offset + ahead);
            }
            if moves > 0 {
                offset += moves;
                note = Note { trying: note.trying.filter(|trying| *trying >= offset), ..note.moved(offset) };
            }
            if is_clean {
                note = note.closed();
            } else if let Some(trying) = note.trying {
                *marked.entry(trying).or_default() += 1;
            }
        }
    }
}
