//! What a member is told, what it wants done, and how its partitions stand.
use crate::core::start::{Start, StartFault};
use crate::core::{Epoch, Guard, Note, Tp};

/// Number of a commit request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch(pub u64);

/// Number of a request for positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request(pub u64);

/// One partition of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitEntry {
    /// The partition.
    pub tp: Tp,
    /// Next offset to read.
    pub offset: i64,
    /// Partitions the group knows: [`start::metadata`](crate::core::start::metadata) of it and the note goes along.
    pub partitions: Option<u32>,
    /// What the position says of its owner.
    pub note: Note,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The group gave us partitions, possibly none.
    Assigned(Vec<Tp>),
    /// Answer to [`Action::ResolvePositions`], from [`start::resolve`](crate::core::start::resolve).
    Positions {
        /// The request that is answered.
        request: Request,
        /// Initial positions to be committed, if the first start is ours to make.
        initial: Vec<(Tp, Start)>,
        /// One per partition.
        positions: Vec<(Tp, Result<Start, StartFault>)>,
    },
    /// The group wants partitions back.
    Revoked(Vec<Tp>),
    /// The group has given partitions away already.
    Lost(Vec<Tp>),
    /// Answer to [`Action::DrainLane`] and [`Action::AbandonLane`], the last word of a lane.
    Drained {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Its last frontier.
        frontier: i64,
        /// Records that were taken and not done.
        released: u64,
    },
    /// A lane's frontier moved.
    Frontier {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Next offset to read.
        offset: i64,
    },
    /// A guarded lane is about to process a record alone, or (`None`) has ended to. Answered by [`Action::Marked`].
    Trying {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// The lane's frontier.
        frontier: i64,
        /// Offset of the record.
        offset: Option<i64>,
    },
    /// Answer to [`Action::Commit`], for each partition. A partition that is missing counts as failed.
    CommitAnswer {
        /// The request that is answered.
        batch: Batch,
        /// Whether the position was committed.
        results: Vec<(Tp, bool)>,
    },
    /// The answer to a commit said that the group has a newer generation, or does not know this member. Comes before the answer.
    MovedOn(Batch),
    /// Time went by. Expected several times a second.
    Tick,
    /// Drain everything, then [`Action::Done`].
    Shutdown,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read committed positions and watermarks (elsewhere), answer with [`Event::Positions`].
    ResolvePositions(Request, Vec<Tp>),
    /// Incremental assign. Must be called with an empty list too.
    Assign(Vec<(Tp, i64, Epoch)>),
    /// Open a lane. Comes before the partition is assigned, and after the group's position says that it is owned.
    OpenLane {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Offset of the first record at the earliest.
        offset: i64,
        /// What is known of the deaths of owners before.
        note: Note,
        /// The last owner died, and here were records to die of.
        is_after_death: bool,
        /// How the lane has to begin for that.
        guard: Option<Guard>,
    },
    /// The group's position says what the lane [is trying](Event::Trying).
    Marked {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
        /// Offset of the record.
        offset: Option<i64>,
    },
    /// Process nothing new, wait for what is under way, answer with [`Event::Drained`], close the lane.
    DrainLane {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
    },
    /// Wait for nothing, answer with [`Event::Drained`], close the lane. May come for a lane that is closed.
    AbandonLane {
        /// The partition.
        tp: Tp,
        /// Its assignment.
        epoch: Epoch,
    },
    /// Commit, answer with [`Event::CommitAnswer`].
    Commit(Batch, Vec<CommitEntry>),
    /// Incremental unassign, the answer to [`Event::Revoked`] and [`Event::Lost`]: the same partitions. Must be called
    /// with an empty list too.
    Unassign(Vec<Tp>),
    /// The group went on without us while we gave these partitions back: nothing is waited for any more. For the books; what is to be
    /// done comes as other actions.
    LeftBehind(Vec<Tp>),
    /// The partition has no position that may be used. It is ours and stands still.
    Stopped(Tp, StartFault),
    /// The shutdown is complete. What was left behind; empty if nothing was.
    Done(Vec<Leftover>),
}

/// What a shutdown left behind for the next owner: it will see these records again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// The partition.
    pub tp: Tp,
    /// Records taken and not done; `None` if the lane did not answer in time.
    pub records: Option<u64>,
    /// The frontier, if it could not be committed.
    pub uncommitted: Option<i64>,
}

/// How a partition stands, for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Ours; its position is being read. Why not yet, after the first answer.
    Resolving(Option<StartFault>),
    /// Ours, without a position that may be used.
    Stopped(StartFault),
    /// Flowing.
    Running(Positions),
    /// On its way out.
    Draining(Positions),
}

/// Positions of a partition under one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    /// The assignment.
    pub epoch: Epoch,
    /// Next offset to read, every record before it done.
    pub frontier: i64,
    /// The last position that the broker confirmed.
    pub committed: i64,
}
