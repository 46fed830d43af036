//! What must become of each record under the shipped topologies, said a second time and by hand: the demo's verdict rests on this,
//! not on what the worker says of itself.

use super::shop::{Change, Row, Table};

/// The disposition that a record must end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Written once to each of these output topics.
    Delivered(&'static [&'static str]),
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

    /// Those that can befall a record of `table`: only `orders.yaml` declares a rule.
    pub fn kinds(table: Table) -> &'static [Spoiled] {
        match table {
            Table::Customers => &Self::ALL[..3],
            Table::Orders => &Self::ALL,
        }
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

    /// What the reason code means, for people.
    pub fn meaning(reason: &str) -> &'static str {
        match Self::ALL
            .into_iter()
            .find(|spoiled| spoiled.reason() == reason)
        {
            Some(Spoiled::BadFrame) => "the value is not in the Confluent wire format",
            Some(Spoiled::UnknownSchema) => "the registry does not know the value's schema id",
            Some(Spoiled::Truncated) => "the Avro datum ends early",
            Some(Spoiled::BrokenRule) => "the quantity breaks a rule that orders.yaml declares",
            None => "not planted by the generator",
        }
    }
}

impl Expect {
    /// Of a sound change: deletes are dropped (their tombstones go on), the rest goes where the routes say.
    pub fn change(change: &Change) -> Self {
        let was_vip = matches!(&change.before, Some(Row::Customer(row)) if row.vip);
        match &change.after {
            None => Expect::Filtered,
            Some(Row::Customer(row)) if row.vip && !was_vip => {
                Expect::Delivered(&["customers.clean", "customers.vip"])
            }
            Some(Row::Customer(_)) => Expect::Delivered(&["customers.clean"]),
            Some(Row::Order(row))
                if row.price_cents * i64::from(row.quantity) >= BIG_FROM_CENTS =>
            {
                Expect::Delivered(&["orders.clean", "orders.big"])
            }
            Some(Row::Order(_)) => Expect::Delivered(&["orders.clean"]),
        }
    }

    /// Of a tombstone: it goes where the route needs nothing but the key.
    pub fn tombstone(table: Table) -> Self {
        match table {
            Table::Customers => Expect::Delivered(&["customers.clean"]),
            Table::Orders => Expect::Delivered(&["orders.clean"]),
        }
    }
}

/// From which total `orders.yaml` calls an order big.
const BIG_FROM_CENTS: i64 = 100_000;

/// Gives the changed row a value that `orders.yaml` declares an error.
pub fn break_rule(change: &mut Change) {
    if let Some(Row::Order(order)) = &mut change.after {
        order.quantity = 0;
    }
}
