//! Where a partition begins. The client runs with `auto.offset.reset=error`: it never jumps by itself.
//!
//! The first start of an empty group commits the initial positions of *all* partitions of a topic at once, and with
//! every commit the number of partitions the group knew then, so that later three things can be told apart: a
//! partition that is new (it begins at its beginning), one whose position expired (it stops and says so), and a group
//! that never ran. The member that owns partition 0 does it; the others read again until their position appears.
use super::{Millis, Note, Tp};
use crate::topology::plan::StartFrom;

/// How long to wait before positions are read again: `base` doubled per attempt, up to this.
pub const RETRY_MAX: Millis = Millis(10_000);

/// The first wait before positions are read again.
pub const RETRY_MIN: Millis = Millis(250);

/// A position that the group committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Next offset to read.
    pub offset: i64,
    /// Partitions that the group knows, if the commit says so.
    pub partitions: Option<u32>,
    /// What it says of its owner.
    pub note: Note,
}

impl Committed {
    /// A position and the metadata that was committed with it; any other tool may have written that.
    pub fn new(offset: i64, metadata: &str) -> Committed {
        let (partitions, note) = read(metadata);
        Committed {
            offset,
            partitions,
            note,
        }
    }
}

/// First offset that exists, and the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// First offset that exists.
    pub low: i64,
    /// Offset after the last record.
    pub high: i64,
}

/// Where a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Next offset to read.
    pub offset: i64,
    /// Partitions that the group knows: goes along with every later commit, unchanged.
    pub partitions: Option<u32>,
    /// Offset after the last record, when that was asked.
    pub end: i64,
    /// What the group's position says of its last owner.
    pub note: Note,
}

/// Why a partition cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartFault {
    /// The group is empty; the owner of partition 0 is about to commit the initial positions.
    #[error("waiting for the initial positions, which the owner of partition 0 commits")]
    Waiting,
    /// The broker could not be asked; the reason.
    #[error("could not read the positions: {0}; trying again")]
    Unreadable(String),
    /// The group has positions, but none for this partition, which is not new.
    #[error(
        "the group has no position for this partition although it {}: the position expired or was deleted. \
         Stop all workers and set it with kafka-consumer-groups --reset-offsets",
        match .known { Some(known) => format!("knows {known} partitions"), None => "has others".to_owned() }
    )]
    NoPosition {
        /// Partitions that the group knows, if any commit says so.
        known: Option<u32>,
    },
    /// The committed position does not exist (any more).
    #[error(
        "the committed position {offset} is outside the records that exist, {low} to {high}: {}. \
         Stop all workers and set it with kafka-consumer-groups --reset-offsets",
        if offset < low { "retention deleted records that were not read" } else { "the topic was truncated or recreated" }
    )]
    OutOfRange {
        /// The committed position.
        offset: i64,
        /// First offset that exists.
        low: i64,
        /// Offset after the last record.
        high: i64,
    },
}

impl StartFault {
    /// Reading again will not help: the partition stops until somebody acts.
    pub fn is_final(&self) -> bool {
        match self {
            StartFault::Waiting | StartFault::Unreadable(_) => false,
            StartFault::NoPosition { .. } | StartFault::OutOfRange { .. } => true,
        }
    }
}

/// What was read about a topic, the committed positions before the watermarks. Both by partition, as many as the topic
/// has; of watermarks those of the asked partitions are needed, and all of them while nothing is committed.
#[derive(Debug, Clone, Copy)]
pub struct TopicView<'a> {
    /// Committed positions of the group.
    pub committed: &'a [Option<Committed>],
    /// Watermarks, where read.
    pub watermarks: &'a [Option<Watermarks>],
    /// Where an empty group begins.
    pub start_from: StartFrom,
}

/// What follows for the asked partitions of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Initial positions by partition, to be committed first, in one request; then read again. Empty except for the
    /// owner of partition 0 at the first start.
    pub initial: Vec<(i32, Start)>,
    /// One answer per asked partition.
    pub positions: Vec<(i32, Result<Start, StartFault>)>,
}

impl Resolution {
    /// Adds it, as that of `topic`, to what follows for partitions of other topics.
    pub fn append_to(
        self,
        topic: u16,
        initial: &mut Vec<(Tp, Start)>,
        positions: &mut Vec<(Tp, Result<Start, StartFault>)>,
    ) {
        let tp = |partition| Tp { topic, partition };
        let located = self.initial.into_iter();
        initial.extend(located.map(|(partition, start)| (tp(partition), start)));
        let located = self.positions.into_iter();
        positions.extend(located.map(|(partition, start)| (tp(partition), start)));
    }
}

/// Decides where the partitions `asked` of a topic begin. The first start is ours to make if partition 0 is among them.
pub fn resolve(view: &TopicView<'_>, asked: &[i32]) -> Resolution {
    if view.committed.iter().any(Option::is_some) {
        let positions = asked
            .iter()
            .map(|&partition| (partition, position(view, partition)))
            .collect();
        return Resolution {
            initial: Vec::new(),
            positions,
        };
    }
    let (initial, fault) = match initial(view) {
        Ok(initial) if asked.contains(&0) => (initial, StartFault::Waiting),
        Ok(_) => (Vec::new(), StartFault::Waiting),
        Err(fault) if asked.contains(&0) => (Vec::new(), fault),
        Err(_) => (Vec::new(), StartFault::Waiting),
    };
    Resolution {
        initial,
        positions: asked
            .iter()
            .map(|&partition| (partition, Err(fault.clone())))
            .collect(),
    }
}

/// The initial positions of every partition of a topic for which nothing is committed.
fn initial(view: &TopicView<'_>) -> Result<Vec<(i32, Start)>, StartFault> {
    let partitions = Some(view.committed.len() as u32);
    let start = |partition: usize| {
        let Watermarks { low, high } = watermarks(view, partition)?;
        let offset = match view.start_from {
            StartFrom::Earliest => low,
            StartFrom::Latest => high,
        };
        let start = Start {
            offset,
            partitions,
            end: high,
            note: Note::default(),
        };
        Ok((partition as i32, start))
    };
    (0..view.committed.len()).map(start).collect()
}

/// Where one partition of a topic begins of which the group has positions.
fn position(view: &TopicView<'_>, partition: i32) -> Result<Start, StartFault> {
    let index = partition as usize;
    let Some(committed) = view.committed.get(index) else {
        let count = view.committed.len();
        return Err(StartFault::Unreadable(format!(
            "partition {partition} is not among the {count} of the topic"
        )));
    };
    let partitions = known(view.committed);
    let Watermarks { low, high } = watermarks(view, index)?;
    let start = |offset, note| Start {
        offset,
        partitions,
        end: high,
        note,
    };
    match *committed {
        Some(Committed { offset, note, .. }) if (low..=high).contains(&offset) => {
            Ok(start(offset, note))
        }
        Some(Committed { offset, .. }) => Err(StartFault::OutOfRange { offset, low, high }),
        None if partitions.is_some_and(|known| index >= known as usize) => {
            Ok(start(low, Note::default()))
        }
        None => Err(StartFault::NoPosition { known: partitions }),
    }
}

/// Partitions that the group knows. Positions set by another tool do not say; if there is one for every partition,
/// the group knows those. The number is never raised afterwards: a later partition without a position then begins at
/// its beginning, always, which can repeat records but not lose them.
fn known(committed: &[Option<Committed>]) -> Option<u32> {
    let said = committed
        .iter()
        .flatten()
        .filter_map(|committed| committed.partitions)
        .max();
    said.or_else(|| {
        committed
            .iter()
            .all(Option::is_some)
            .then_some(committed.len() as u32)
    })
}

fn watermarks(view: &TopicView<'_>, partition: usize) -> Result<Watermarks, StartFault> {
    view.watermarks
        .get(partition)
        .copied()
        .flatten()
        .ok_or_else(|| {
            StartFault::Unreadable(format!(
                "the first and last offset of partition {partition} are not known"
            ))
        })
}

/// The first word of the metadata of a commit: what does not begin with it was written by another tool.
const METADATA_NAME: &str = "lockgate";

/// The metadata of a commit. Versions before the guard read the number of partitions only where the note is empty; where
/// it is not, they take the position as that of another tool, and begin there too.
pub fn metadata(partitions: Option<u32>, note: Note) -> String {
    let mut words = String::new();
    if let Some(partitions) = partitions {
        words = format!(" partitions={partitions}");
    }
    note.write(&mut words);
    match words.is_empty() {
        true => words,
        false => format!("{METADATA_NAME}{words}"),
    }
}

/// What the metadata of a commit says: the partitions that the group knew, and the note. Another tool's say nothing.
fn read(metadata: &str) -> (Option<u32>, Note) {
    let mut words = metadata.split(' ');
    if words.next() != Some(METADATA_NAME) {
        return (None, Note::default());
    }
    let partitions = words
        .clone()
        .find_map(|word| word.strip_prefix("partitions=")?.parse().ok());
    (partitions, Note::read(words))
}

/// The partitions of `tps` by topic, for one [`resolve`] each.
pub fn by_topic(tps: &[Tp]) -> std::collections::BTreeMap<u16, Vec<i32>> {
    let mut topics = std::collections::BTreeMap::<u16, Vec<i32>>::new();
    for tp in tps {
        topics.entry(tp.topic).or_default().push(tp.partition);
    }
    topics
}

#[cfg(test)]
mod tests;
