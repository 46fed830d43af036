//! A small shop whose rows live: customers sign up, change and leave; orders are placed, paid, shipped or cancelled, and removed.
//! Every step of a life is a change event with the values that Debezium would send for it.

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};

/// Live rows per table at most: keys recur, and memory stays flat however long the shop is open.
const CUSTOMERS_MAX: usize = 2_000;
const ORDERS_MAX: usize = 10_000;

const STREETS: [&str; 6] = [
    "Hauptstraße",
    "Ringweg",
    "Lindenallee",
    "Am Hafen",
    "Mühlgasse",
    "Praterstern",
];
const CITIES: [&str; 6] = ["Wien", "Zürich", "Köln", "Brno", "Łódź", "Málaga"];
const FIRST_NAMES: [&str; 8] = [
    "Käthe", "Jón", "Zoë", "Mehmet", "Aoife", "Łukasz", "Ines", "Bo",
];
const LAST_NAMES: [&str; 8] = [
    "Bauer",
    "Nováková",
    "O'Brien",
    "Yılmaz",
    "Sørensen",
    "Kim",
    "García",
    "Lee",
];
const TAGS: [&str; 5] = ["newsletter", "wholesale", "beta", "returning", "b2b"];
const NOTES: [&str; 5] = [
    "please ring twice",
    "gift: no invoice in the parcel",
    "for \"reception\"\nfloor 3",
    "Größe prüfen",
    "fragile, ship with straw",
];
const CURRENCIES: [&str; 8] = ["EUR", "EUR", "EUR", "EUR", "EUR", "USD", "CHF", "GBP"];

/// A captured table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `public.customers`, replica identity full.
    Customers,
    /// `public.orders`, replica identity default: only the key of a row's former state is real.
    Orders,
}

impl Table {
    /// Both tables, in the order of their indexes.
    pub const ALL: [Table; 2] = [Table::Customers, Table::Orders];

    /// The table's name in PostgreSQL.
    pub fn name(self) -> &'static str {
        match self {
            Table::Customers => "customers",
            Table::Orders => "orders",
        }
    }

    /// The topic that its changes go to.
    pub fn topic(self) -> &'static str {
        match self {
            Table::Customers => "shop.public.customers",
            Table::Orders => "shop.public.orders",
        }
    }
}

/// A row of `customers`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Customer {
    pub id: i64,
    pub email: String,
    pub full_name: Option<String>,
    pub vip: bool,
    pub tags: Vec<&'static str>,
    pub address: Option<String>,
    pub created_at: String,
}

/// A row of `orders`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Order {
    pub id: String,
    pub customer_id: i64,
    pub status: &'static str,
    pub currency: &'static str,
    pub price_cents: i64,
    pub quantity: i32,
    pub weight_kg: Option<f32>,
    pub discount: Option<f64>,
    pub note: Option<String>,
    pub placed_on_days: i32,
    pub ship_after_us: Option<i64>,
    pub updated_at_us: i64,
    pub payload: Option<Vec<u8>>,
}

/// The state of a row before or after a change.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Row {
    Customer(Customer),
    Order(Order),
}

/// What happened to one row.
#[derive(Clone, Debug)]
pub struct Change {
    /// The table of the row.
    pub table: Table,
    /// Debezium's code: `r` snapshot read, `c` insert, `u` update, `d` delete.
    pub op: &'static str,
    /// `source.snapshot`.
    pub snapshot: &'static str,
    /// The former state, as far as the table's replica identity gives it.
    pub before: Option<Row>,
    /// The new state; none for a delete.
    pub after: Option<Row>,
    /// When the transaction was committed, microseconds since the epoch.
    pub commit_us: i64,
    /// The position in PostgreSQL's log.
    pub lsn: i64,
    /// The transaction's number.
    pub transaction: i64,
}

impl Change {
    /// The row that changed, in the state that carries its key.
    pub fn row(&self) -> &Row {
        self.after
            .as_ref()
            .or(self.before.as_ref())
            .expect("a change has a state before or after it")
    }
}

/// The shop: its live rows, and the random numbers that decide what happens to them.
pub struct Shop {
    rng: StdRng,
    customers: Vec<Customer>,
    orders: Vec<Order>,
    customer_id_next: i64,
    order_number_next: u64,
    lsn: i64,
    transaction: i64,
    /// Rows that the initial snapshot still reads, per table.
    snapshot_left: [usize; 2],
}

impl Shop {
    /// A shop whose first changes are a snapshot of `snapshot_rows` rows.
    pub fn new(rng: StdRng, snapshot_rows: usize) -> Self {
        let customers = (snapshot_rows / 4).min(CUSTOMERS_MAX / 2);
        let orders = (snapshot_rows - snapshot_rows / 4).min(ORDERS_MAX / 2);
        Shop {
            rng,
            customers: Vec::new(),
            orders: Vec::new(),
            customer_id_next: 1,
            order_number_next: 1,
            lsn: 26_504_176,
            transaction: 742,
            snapshot_left: [customers, orders],
        }
    }

    /// The random numbers, for those who spoil records.
    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    /// What happens next, at `now_us`; deletes only if `may_delete`, because a tombstone has to follow.
    pub fn next_change(&mut self, now_us: i64, may_delete: bool) -> Change {
        self.lsn += self.rng.random_range(40..400);
        self.transaction += 1;
        for (index, table) in Table::ALL.into_iter().enumerate() {
            if self.snapshot_left[index] > 0 {
                self.snapshot_left[index] -= 1;
                let snapshot = if self.snapshot_left[index] == 0 {
                    "last_in_data_collection"
                } else {
                    "true"
                };
                return self.insert(table, now_us, "r", snapshot);
            }
        }
        let table = if self.customers.is_empty() || self.rng.random_bool(0.2) {
            Table::Customers
        } else {
            Table::Orders
        };
        let (live, live_max) = match table {
            Table::Customers => (self.customers.len(), CUSTOMERS_MAX),
            Table::Orders => (self.orders.len(), ORDERS_MAX),
        };
        let draw = self.rng.random_range(0..100);
        match draw {
            _ if live < 10 => self.insert(table, now_us, "c", "false"),
            0..30 if live < live_max => self.insert(table, now_us, "c", "false"),
            0..15 | 88.. if may_delete => self.delete(table, now_us),
            _ => self.update(table, now_us),
        }
    }

    fn change(
        &self,
        table: Table,
        op: &'static str,
        now_us: i64,
        before: Option<Row>,
        after: Option<Row>,
    ) -> Change {
        Change {
            table,
            op,
            snapshot: "false",
            before,
            after,
            commit_us: now_us,
            lsn: self.lsn,
            transaction: self.transaction,
        }
    }

    fn insert(
        &mut self,
        table: Table,
        now_us: i64,
        op: &'static str,
        snapshot: &'static str,
    ) -> Change {
        let row = match table {
            Table::Customers => {
                let customer = self.new_customer(now_us);
                self.customers.push(customer.clone());
                Row::Customer(customer)
            }
            Table::Orders => {
                let order = self.new_order(now_us);
                self.orders.push(order.clone());
                Row::Order(order)
            }
        };
        Change {
            snapshot,
            ..self.change(table, op, now_us, None, Some(row))
        }
    }

    fn new_customer(&mut self, now_us: i64) -> Customer {
        let id = self.customer_id_next;
        self.customer_id_next += 1;
        let rng = &mut self.rng;
        let full_name = rng
            .random_bool(0.9)
            .then(|| format!("{} {}", pick(rng, &FIRST_NAMES), pick(rng, &LAST_NAMES)));
        let tag_count = rng.random_range(0..=2);
        Customer {
            id,
            email: format!("c{id}@example.org"),
            full_name,
            vip: rng.random_bool(0.1),
            tags: TAGS.choose_multiple(rng, tag_count).copied().collect(),
            address: rng.random_bool(0.8).then(|| address(rng)),
            created_at: zoned(now_us),
        }
    }

    fn new_order(&mut self, now_us: i64) -> Order {
        let number = self.order_number_next;
        self.order_number_next += 1;
        let customer_id = self
            .customers
            .choose(&mut self.rng)
            .map_or(1, |customer| customer.id);
        let rng = &mut self.rng;
        let mut id = String::with_capacity(36);
        let random = rng.next_u64();
        write!(
            id,
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{number:012x}",
            random >> 32,
            random & 0xffff,
            (random >> 16) & 0xfff,
            (random >> 20) & 0xfff
        )
        .expect("a String takes what is written to it");
        Order {
            id,
            customer_id,
            status: "placed",
            currency: pick(rng, &CURRENCIES),
            // Many small orders, a few large ones.
            price_cents: if rng.random_bool(0.05) {
                rng.random_range(20_000..500_000)
            } else {
                rng.random_range(99..20_000)
            },
            quantity: rng.random_range(1..=9),
            weight_kg: rng
                .random_bool(0.7)
                .then(|| rng.random_range(1..400) as f32 / 10.0),
            discount: rng
                .random_bool(0.3)
                .then(|| f64::from(rng.random_range(1..30)) / 100.0),
            note: rng.random_bool(0.3).then(|| pick(rng, &NOTES).to_owned()),
            placed_on_days: i32::try_from(now_us.div_euclid(86_400_000_000)).unwrap_or(0),
            ship_after_us: rng
                .random_bool(0.4)
                .then(|| rng.random_range(14..36) * 1_800_000_000),
            updated_at_us: now_us,
            payload: rng
                .random_bool(0.1)
                .then(|| rng.next_u64().to_be_bytes().to_vec()),
        }
    }

    fn update(&mut self, table: Table, now_us: i64) -> Change {
        match table {
            Table::Customers => {
                let index = self.rng.random_range(0..self.customers.len());
                let before = self.customers[index].clone();
                let rng = &mut self.rng;
                let row = &mut self.customers[index];
                match rng.random_range(0..3) {
                    0 => row.vip = !row.vip,
                    1 => row.address = Some(address(rng)),
                    _ => row.tags = TAGS.choose_multiple(rng, 2).copied().collect(),
                }
                let after = row.clone();
                self.change(
                    table,
                    "u",
                    now_us,
                    Some(Row::Customer(before)),
                    Some(Row::Customer(after)),
                )
            }
            Table::Orders => {
                let index = self.rng.random_range(0..self.orders.len());
                let cancelled = self.rng.random_bool(0.1);
                let row = &mut self.orders[index];
                row.status = match row.status {
                    "placed" if cancelled => "cancelled",
                    "placed" => "paid",
                    "paid" => "shipped",
                    other => other,
                };
                row.updated_at_us = now_us;
                let after = row.clone();
                self.change(table, "u", now_us, None, Some(Row::Order(after)))
            }
        }
    }

    fn delete(&mut self, table: Table, now_us: i64) -> Change {
        let before = match table {
            Table::Customers => {
                let index = self.rng.random_range(0..self.customers.len());
                Row::Customer(self.customers.swap_remove(index))
            }
            Table::Orders => {
                let index = self.rng.random_range(0..self.orders.len());
                Row::Order(key_only(self.orders.swap_remove(index).id))
            }
        };
        self.change(table, "d", now_us, Some(before), None)
    }
}

/// The former state of a deleted order under replica identity default: the key, and invented values for the columns that are not nullable.
fn key_only(id: String) -> Order {
    Order {
        id,
        customer_id: 0,
        status: "placed",
        currency: "EUR",
        price_cents: 0,
        quantity: 0,
        weight_kg: None,
        discount: None,
        note: None,
        placed_on_days: 0,
        ship_after_us: None,
        updated_at_us: 0,
        payload: None,
    }
}

fn pick(rng: &mut StdRng, from: &[&'static str]) -> &'static str {
    from.choose(rng)
        .expect("the lists of this file are not empty")
}

fn address(rng: &mut StdRng) -> String {
    let (street, city) = (pick(rng, &STREETS), pick(rng, &CITIES));
    format!(
        "{{\"zip\": {}, \"city\": \"{city}\", \"street\": \"{street} {}\"}}",
        rng.random_range(1000..9999),
        rng.random_range(1..99)
    )
}

/// An instant as `io.debezium.time.ZonedTimestamp` writes it.
fn zoned(now_us: i64) -> String {
    jiff::Timestamp::from_microsecond(now_us).map_or_else(
        |_| "1970-01-01T00:00:00.000000Z".to_owned(),
        |instant| format!("{instant:.6}"),
    )
}
