//! What must become of each record under the shipped topologies, said a second time and by hand: the demo's verdict rests on this,
//! not on what the worker says of itself.

use rand::Rng;
use rand::rngs::StdRng;

use super::shop::{Change, Row, Table};

/// The disposition that a record must end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Written to an output topic.
    Delivered,
    /// Dropped by a rule of the topology.
    Filtered,
    /// Written to the dead letter topic, for this reason.
    DeadLettered(Spoiled),
}

/// How a record was spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spoiled {
    /// The value is not in the Confluent wire format.
    BadFrame,
    /// The value names a schema id that the registry does not know.
    UnknownSchema,
    /// The datum ends early.
    Truncated,
    /// A value that a rule of the topology declares an error.
    BrokenRule,
}

impl Spoiled {
    /// All of them.
    pub const ALL: [Spoiled; 4] = [
        Spoiled::BadFrame,
        Spoiled::UnknownSchema,
        Spoiled::Truncated,
        Spoiled::BrokenRule,
    ];

    /// One of those that can befall a record of `table`, at random.
    pub fn draw(table: Table, rng: &mut StdRng) -> Self {
        let kinds = match table {
            Table::Customers => 3,
            Table::Orders => 4,
        };
        Self::ALL[rng.random_range(0..kinds)]
    }

    /// The reason code of the dead letter.
    pub fn reason(self) -> &'static str {
        match self {
            Spoiled::BadFrame => "bad_frame",
            Spoiled::UnknownSchema => "unknown_schema",
            Spoiled::Truncated => "truncated",
            Spoiled::BrokenRule => "rule",
        }
    }
}

impl Expect {
    /// Of a sound change.
    pub fn change(change: &Change) -> Self {
        match (change.table, change.op) {
            (_, "d") => Expect::Filtered,
            _ => Expect::Delivered,
        }
    }

    /// Of a tombstone.
    pub fn tombstone(_table: Table) -> Self {
        Expect::Delivered
    }
}

/// Gives the changed row a value that the topology declares an error.
pub fn break_rule(change: &mut Change) {
    if let Some(Row::Order(order)) = &mut change.after {
        order.quantity = 0;
    }
}
