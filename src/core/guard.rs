//! The crash-loop guard: a record that ends the whole process, where nothing can be caught, is found and left out.
//!
//! What is known of it stands in the metadata of the group's position, because a process that was ended says nothing
//! any more. An owner writes the word `open` before it takes the first record, and takes it away when it leaves in
//! order; so whoever finds it knows that the owner before died, was expelled, or could not say so.
//!
//! ```text
//! found open at a position where records wait    1, 2: go on as usual    3rd time: one by one
//! one by one                                     commit `trying X`, process X, commit `trying` the next, or nothing
//! found open with `trying X`                     1, 2: one by one        3rd time: X goes to the dead letters, unread
//! ```
//!
//! Deaths are counted at one position: when it moves, the count begins anew. So a process that is ended from outside
//! now and then is never suspected of anything, and a record is only suspected while it is being processed, not while
//! it waits for its delivery. Three times, because the mark also stands for the moment that its two commits take, in
//! which the process can end for another reason; and before a suspect is tried again everything stands still for a
//! while, without a mark, so that what else ends the process (an output on its way, a fetch, memory that grows) does so
//! then and adds nothing.
use std::fmt::Write as _;

/// Deaths at one position from which on its records are processed one by one.
pub const DEATHS_MAX: u32 = 3;

/// Deaths while one record was being processed, after which it is not processed any more.
pub const TRIES_MAX: u32 = 3;

/// What the metadata of a committed position says of its owner. Nothing at all, if the owner left in order and nobody
/// died here before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Note {
    /// An owner is at work, or died at it.
    pub is_open: bool,
    /// Owners that died while the group stood here, nobody knows of what.
    pub deaths: u32,
    /// The record that was being processed when an owner died.
    pub suspect: Option<Suspect>,
    /// Offset of the record that is being processed alone.
    pub trying: Option<i64>,
}

/// A record at which owners died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// Its offset.
    pub offset: i64,
    /// How often, at least once.
    pub deaths: u32,
}

impl Note {
    /// What the next owner writes, who found this note at `offset` of a partition that ends at `end`. Where no record
    /// waits, no record can have been the cause.
    pub fn taken_over(self, offset: i64, end: i64) -> Note {
        let mut note = Note {
            is_open: true,
            trying: None,
            ..self
        };
        if offset >= end {
            note.deaths = 0;
        } else if self.is_open {
            match self.trying {
                None => note.deaths = self.deaths.saturating_add(1),
                Some(offset) => {
                    let before = self.suspect.filter(|suspect| suspect.offset == offset);
                    let deaths = before.map_or(0, |suspect| suspect.deaths).saturating_add(1);
                    note.suspect = Some(Suspect { offset, deaths });
                }
            }
        }
        note.since(offset)
    }

    /// What is left of it when the group stands at `offset`.
    fn since(self, offset: i64) -> Note {
        Note {
            suspect: self.suspect.filter(|suspect| suspect.offset >= offset),
            ..self
        }
    }

    /// What is left of it when the position has moved to `offset`.
    pub fn moved(self, offset: i64) -> Note {
        Note {
            deaths: 0,
            ..self.since(offset)
        }
    }

    /// The last word of an owner who leaves in order. The deaths before it are still deaths at this position.
    pub fn closed(self) -> Note {
        Note {
            is_open: false,
            trying: None,
            ..self
        }
    }

    /// How an owner has to begin who [has taken over](Self::taken_over) at `offset` of a partition that ends at `end`;
    /// `None`: as usual. `records` is how many an owner has in flight at most.
    pub fn guard(self, offset: i64, end: i64, records: u64) -> Option<Guard> {
        let is_due = self.deaths >= DEATHS_MAX || self.suspect.is_some();
        (is_due && offset < end).then_some(Guard {
            until: end,
            records,
            suspect: self.suspect,
        })
    }

    /// The note among the words of a position's metadata. Words that are not known say nothing.
    pub(super) fn read<'a>(words: impl Iterator<Item = &'a str>) -> Note {
        let mut note = Note::default();
        let (mut suspect, mut tries) = (None, 0);
        for word in words {
            match word.split_once('=') {
                None => note.is_open |= word == "open",
                Some(("deaths", count)) => note.deaths = count.parse().unwrap_or(0),
                Some(("suspect", offset)) => suspect = offset.parse().ok(),
                Some(("tries", count)) => tries = count.parse().unwrap_or(0),
                Some(("trying", offset)) => note.trying = offset.parse().ok(),
                Some(_) => {}
            }
        }
        note.suspect = suspect.filter(|_| tries > 0).map(|offset| Suspect {
            offset,
            deaths: tries,
        });
        note
    }

    /// Appends the words, each after a space.
    pub(super) fn write(self, metadata: &mut String) {
        // Writing to a string cannot fail.
        if self.is_open {
            metadata.push_str(" open");
        }
        if self.deaths > 0 {
            let _ = write!(metadata, " deaths={}", self.deaths);
        }
        if let Some(Suspect { offset, deaths }) = self.suspect {
            let _ = write!(metadata, " suspect={offset} tries={deaths}");
        }
        if let Some(offset) = self.trying {
            let _ = write!(metadata, " trying={offset}");
        }
    }
}

/// The one-by-one phase of a lane: from the position at which owners died, past everything they can have had in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// It ends before this offset, where the partition ended at the assignment.
    pub until: i64,
    /// Records that are still tried at most.
    pub records: u64,
    /// The record at which owners died.
    pub suspect: Option<Suspect>,
}

/// What a guarded lane does with its next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Processes it, after the mark for it was committed.
    Try,
    /// The same, after a while in which nothing was processed and no mark stood: owners died at it.
    TryAgain,
    /// Sends it to the dead letters as it is.
    Quarantine,
    /// Waits until the dead letter has arrived: a mark behind it would make the group forget whose letter that is.
    Wait,
    /// As usual: the phase is over.
    Over,
}

impl Guard {
    /// What to do with the record at `offset`, next in a lane whose frontier is `frontier`.
    pub fn next(&self, offset: i64, frontier: i64) -> Next {
        match self.convicted() {
            Some(convicted) if offset == convicted => return Next::Quarantine,
            // Tried in any case: this record was passed before, and the convicted one was reached.
            Some(convicted) if offset < convicted => return Next::Try,
            Some(convicted) if frontier <= convicted => return Next::Wait,
            _ => {}
        }
        if self.suspect.is_some_and(|suspect| suspect.offset == offset) {
            return Next::TryAgain;
        }
        match offset >= self.until || self.records == 0 {
            true => Next::Over,
            false => Next::Try,
        }
    }

    /// The record that is not processed any more.
    pub fn convicted(&self) -> Option<i64> {
        let convicted = self.suspect.filter(|suspect| suspect.deaths >= TRIES_MAX);
        convicted.map(|suspect| suspect.offset)
    }

    /// A record was tried, and nothing happened.
    pub fn passed(&mut self) {
        self.records = self.records.saturating_sub(1);
    }

    /// Whether nothing is left to be tried before `frontier`.
    pub fn is_over(&self, frontier: i64) -> bool {
        frontier >= self.until
    }
}

#[cfg(test)]
mod tests;
