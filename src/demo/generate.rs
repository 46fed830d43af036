//! The source records of the demo: the shop's changes as Debezium frames them, tombstones, and a share of poison; each with the
//! disposition it must end in. The same seed gives the same records (but for their times).

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::encode::Datum;
use super::expect::{Expect, Spoiled};
use super::shop::{Row, Shop, Table};

/// Partitions of each source topic.
pub const SOURCE_PARTITIONS: usize = 4;

/// A schema id that the registry does not know.
pub const UNKNOWN_SCHEMA_ID: u32 = 4_040_404;

/// The registry's ids of a table's two schemas.
#[derive(Clone, Copy, Debug)]
pub struct SchemaIds {
    /// Of the key.
    pub key: u32,
    /// Of the value.
    pub value: u32,
}

/// One source record, borrowed from the generator's buffers.
#[derive(Debug)]
pub struct Generated<'a> {
    /// Whose topic it goes to.
    pub table: Table,
    /// The partition of its key.
    pub partition: usize,
    /// Framed key.
    pub key: &'a [u8],
    /// Framed value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// What must become of it.
    pub expect: Expect,
}

/// Makes source records, one after another.
pub struct Generator {
    shop: Shop,
    ids: [SchemaIds; 2],
    poison_share: f64,
    /// Poison owed per table and partition. Spread evenly instead of drawn: a run of bad luck must not look like a poisoned stream.
    poison_debt: [[f64; SOURCE_PARTITIONS]; 2],
    /// Records spoiled per table and partition: the kinds take turns.
    spoiled: [[usize; SOURCE_PARTITIONS]; 2],
    /// Records still to come; `None` goes on for ever.
    left: Option<u64>,
    /// The table of the delete that the next record is the tombstone of.
    tombstone: Option<Table>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Generator {
    /// A generator of `records` records (or without end), of which the share `poison_share` is spoiled; `ids` by table.
    pub fn new(seed: u64, records: Option<u64>, poison_share: f64, ids: [SchemaIds; 2]) -> Self {
        let snapshot_rows = usize::try_from(records.unwrap_or(u64::MAX) / 20)
            .unwrap_or(usize::MAX)
            .min(2_000);
        let mut rng = StdRng::seed_from_u64(seed);
        let mut poison_debt = [[0.0; SOURCE_PARTITIONS]; 2];
        for debt in poison_debt.as_flattened_mut() {
            *debt = rng.random_range(0.0..1.0);
        }
        Generator {
            shop: Shop::new(rng, snapshot_rows),
            ids,
            poison_share,
            poison_debt,
            spoiled: [[0; SOURCE_PARTITIONS]; 2],
            left: records,
            tombstone: None,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The next record, of a change committed at `now_us` (microseconds since the epoch); `None` when all are made.
    pub fn next_record(&mut self, now_us: i64) -> Option<Generated<'_>> {
        let left = self.left.unwrap_or(u64::MAX);
        if left == 0 {
            return None;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        if let Some(table) = self.tombstone.take() {
            self.poison_debt[table as usize][partition_of(&self.key)] +=
                self.poison_share * weight(table);
            return Some(self.generated(table, None, Expect::tombstone(table)));
        }
        let change = self.shop.next_change(now_us, left >= 2);
        let table = change.table;
        self.write_key(table, change.row());
        self.value.clear();
        frame(&mut self.value, self.ids[table as usize].value);
        Datum(&mut self.value).envelope(&change);

        // A change of a row that is spoiled on its way; the row itself lives on. Deletes stay whole: their tombstone would tell.
        let partition = partition_of(&self.key);
        self.poison_debt[table as usize][partition] += self.poison_share * weight(table);
        let debt = &mut self.poison_debt[table as usize][partition];
        if *debt >= 1.0 && change.op != "d" {
            *debt -= 1.0;
            let turn = &mut self.spoiled[table as usize][partition];
            *turn += 1;
            let kinds = Spoiled::kinds(table);
            let spoiled = kinds[*turn % kinds.len()];
            self.spoil(spoiled, change);
            return Some(self.generated(table, Some(()), Expect::DeadLettered(spoiled)));
        }
        let expect = Expect::change(&change);
        if change.op == "d" {
            self.tombstone = Some(table);
        }
        Some(self.generated(table, Some(()), expect))
    }

    fn generated(&self, table: Table, value: Option<()>, expect: Expect) -> Generated<'_> {
        Generated {
            table,
            partition: partition_of(&self.key),
            key: &self.key,
            value: value.map(|()| self.value.as_slice()),
            expect,
        }
    }

    fn write_key(&mut self, table: Table, row: &Row) {
        self.key.clear();
        frame(&mut self.key, self.ids[table as usize].key);
        let mut datum = Datum(&mut self.key);
        match row {
            Row::Customer(row) => datum.long(row.id),
            Row::Order(row) => datum.string(&row.id),
        }
    }

    fn spoil(&mut self, spoiled: Spoiled, change: super::shop::Change) {
        match spoiled {
            Spoiled::BadFrame => {
                self.value.clear();
                self.value.extend_from_slice(
                    b"{\"op\":\"u\",\"after\":{\"note\":\"somebody wrote JSON\"}}",
                );
            }
            Spoiled::UnknownSchema => {
                self.value[1..5].copy_from_slice(&UNKNOWN_SCHEMA_ID.to_be_bytes())
            }
            Spoiled::Truncated => {
                let length = self.shop.rng().random_range(6..self.value.len());
                self.value.truncate(length);
            }
            Spoiled::BrokenRule => {
                let mut change = change;
                super::expect::break_rule(&mut change);
                self.value.truncate(5);
                Datum(&mut self.value).envelope(&change);
            }
        }
    }
}

/// How much of the poison befalls a table. Rules that a topology declares do not count for its poison limit, and only orders can
/// break one (a quarter of their poison): so both tables are given the same share of what counts, and together the share asked for.
fn weight(table: Table) -> f64 {
    match table {
        Table::Customers => 0.8,
        Table::Orders => 1.05,
    }
}

/// The Confluent wire format's five bytes.
fn frame(buffer: &mut Vec<u8>, schema_id: u32) {
    buffer.push(0);
    buffer.extend_from_slice(&schema_id.to_be_bytes());
}

/// Where a key lives, as Java's producer, and so Debezium, would have it.
fn partition_of(key: &[u8]) -> usize {
    let partition = crate::kafka::partition_for(key, SOURCE_PARTITIONS as i32);
    usize::try_from(partition).expect("a partition is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [SchemaIds; 2] = [
        SchemaIds { key: 1, value: 4 },
        SchemaIds { key: 5, value: 6 },
    ];
    const NOW_US: i64 = 1_795_370_894_536_000;

    fn count(generator: &mut Generator, mut of: impl FnMut(&Generated<'_>)) -> u64 {
        let mut records = 0;
        while let Some(record) = generator.next_record(NOW_US + records as i64) {
            of(&record);
            records += 1;
        }
        records
    }

    #[test]
    fn writes_exactly_as_many_records_as_asked_for_and_each_delete_has_its_tombstone() {
        for records in [1, 2, 3, 999, 20_001] {
            let mut last_was_delete = false;
            let mut generator = Generator::new(records, Some(records), 0.01, IDS);
            let made = count(&mut generator, |record| {
                let is_tombstone = record.value.is_none();
                assert_eq!(is_tombstone, last_was_delete, "seed {records}");
                last_was_delete = generator_op(record) == Some("d");
            });
            assert_eq!(made, records);
            assert!(!last_was_delete, "seed {records}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_records() {
        let record_bytes = |seed| {
            let mut all = Vec::new();
            count(
                &mut Generator::new(seed, Some(5_000), 0.05, IDS),
                |record| {
                    all.extend_from_slice(record.key);
                    all.extend_from_slice(record.value.unwrap_or(b"none"));
                },
            );
            all
        };
        assert_eq!(record_bytes(7), record_bytes(7));
        assert_ne!(record_bytes(7), record_bytes(8));
    }

    #[test]
    fn poison_is_the_share_asked_for_and_even_at_the_limit_never_stops_a_source() {
        let mut windows = vec![Vec::new(); 2 * SOURCE_PARTITIONS];
        let mut spoiled = 0_u32;
        let records = count(&mut Generator::new(3, Some(100_000), 0.2, IDS), |record| {
            let counts = match record.expect {
                Expect::DeadLettered(kind) => {
                    spoiled += 1;
                    // What a topology declares itself does not count for its limit.
                    kind != Spoiled::BrokenRule
                }
                _ => false,
            };
            windows[record.table as usize * SOURCE_PARTITIONS + record.partition]
                .push(u32::from(counts));
        });
        let share = f64::from(spoiled) / records as f64;
        assert!((0.195..=0.205).contains(&share), "{share}");
        for window in windows.iter().flat_map(|partition| partition.windows(100)) {
            assert!(window.iter().sum::<u32>() < 20);
        }
    }

    fn generator_op(record: &Generated<'_>) -> Option<&'static str> {
        let (before, after) = record.value.and_then(decoded_sides)?;
        Some(match (before, after) {
            (true, false) => "d",
            (false, true) => "c",
            _ => "u",
        })
    }

    /// Whether the envelope has a state before and one after, decoded by `apache-avro`; none if the value was spoiled.
    #[allow(deprecated)]
    fn decoded_sides(value: &[u8]) -> Option<(bool, bool)> {
        let schemas = schemas();
        let schema = &schemas
            .iter()
            .find(|(id, _)| value.len() > 5 && value[1..5] == id.to_be_bytes())?
            .1;
        let mut datum = &value[5..];
        let decoded = apache_avro::from_avro_datum(schema, &mut datum, None).ok()?;
        assert!(datum.is_empty(), "bytes are left after the datum");
        let apache_avro::types::Value::Record(fields) = decoded else {
            panic!("an envelope is a record")
        };
        let is_some = |name: &str| {
            let (_, value) = fields
                .iter()
                .find(|(field, _)| field == name)
                .expect("the envelope has the field");
            matches!(value, apache_avro::types::Value::Union(1, _))
        };
        Some((is_some("before"), is_some("after")))
    }

    fn schemas() -> &'static [(u32, apache_avro::Schema); 2] {
        static SCHEMAS: std::sync::OnceLock<[(u32, apache_avro::Schema); 2]> =
            std::sync::OnceLock::new();
        SCHEMAS.get_or_init(|| {
            let parse =
                |text| apache_avro::Schema::parse_str(text).expect("the shipped schema parses");
            [
                (
                    4,
                    parse(include_str!("../../avro/shop.public.customers-value.avsc")),
                ),
                (
                    6,
                    parse(include_str!("../../avro/shop.public.orders-value.avsc")),
                ),
            ]
        })
    }
}
