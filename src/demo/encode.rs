//! Change events as Debezium writes them: the Avro datum of the shop's two tables, by hand and straight into a buffer.
//! The tests hold it against `apache-avro` and the schemas of `avro/`, so the generator owes nothing to the code it feeds.

use super::shop::{Change, Customer, Order, Row};

/// Appends Avro primitives to a buffer.
pub struct Datum<'a>(pub &'a mut Vec<u8>);

impl Datum<'_> {
    /// A `long` or `int`, or a union's branch: zigzag varint.
    pub fn long(&mut self, value: i64) {
        let mut left = ((value << 1) ^ (value >> 63)) as u64;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    fn boolean(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    fn bytes(&mut self, value: &[u8]) {
        self.long(value.len() as i64);
        self.0.extend_from_slice(value);
    }

    /// A `string`.
    pub fn string(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A value of `["null", T]`.
    fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.long(0),
            Some(value) => {
                self.long(1);
                write(self, value);
            }
        }
    }

    /// An unscaled decimal as the shortest big-endian two's complement, at least one byte, as Java's `BigInteger` writes it.
    fn unscaled(&mut self, value: i64) {
        let bytes = value.to_be_bytes();
        let sign = if value < 0 { 0xff } else { 0 };
        let mut start = 0;
        while start < 7 && bytes[start] == sign && (bytes[start + 1] & 0x80) == (sign & 0x80) {
            start += 1;
        }
        self.bytes(&bytes[start..]);
    }

    fn customer(&mut self, row: &Customer) {
        self.long(row.id);
        self.string(&row.email);
        self.nullable(row.full_name.as_deref(), Self::string);
        self.boolean(row.vip);
        if !row.tags.is_empty() {
            self.long(row.tags.len() as i64);
            for tag in &row.tags {
                self.nullable(Some(*tag), Self::string);
            }
        }
        self.long(0);
        self.nullable(row.address.as_deref(), Self::string);
        self.string(&row.created_at);
    }

    fn order(&mut self, row: &Order) {
        self.string(&row.id);
        self.long(row.customer_id);
        self.string(row.status);
        self.string(row.currency);
        self.unscaled(row.price_cents);
        self.long(i64::from(row.quantity));
        self.nullable(row.weight_kg, |datum, value| {
            datum.0.extend_from_slice(&value.to_le_bytes())
        });
        self.nullable(row.discount, |datum, value| {
            datum.0.extend_from_slice(&value.to_le_bytes())
        });
        self.nullable(row.note.as_deref(), Self::string);
        self.long(i64::from(row.placed_on_days));
        self.nullable(row.ship_after_us, Self::long);
        self.long(row.updated_at_us);
        self.nullable(row.payload.as_deref(), Self::bytes);
    }

    fn row(&mut self, row: &Row) {
        match row {
            Row::Customer(row) => self.customer(row),
            Row::Order(row) => self.order(row),
        }
    }

    /// The whole envelope: before, after, source, transaction, op, and three times of capture.
    pub fn envelope(&mut self, change: &Change) {
        self.nullable(change.before.as_ref(), Self::row);
        self.nullable(change.after.as_ref(), Self::row);
        let commit_us = change.commit_us;
        self.string("3.3.1.Final");
        self.string("postgresql");
        self.string("shop");
        self.long(commit_us / 1_000);
        self.long(0);
        self.string(change.snapshot);
        self.string("shop");
        self.nullable(Some(change.lsn), |datum, lsn| {
            let mut text = [0_u8; 48];
            let used = sequence(&mut text, lsn);
            datum.bytes(&text[..used]);
        });
        self.nullable(Some(commit_us), Self::long);
        self.nullable(Some(commit_us * 1_000), Self::long);
        self.string("public");
        self.string(change.table.name());
        self.nullable(Some(change.transaction), Self::long);
        self.nullable(Some(change.lsn), Self::long);
        self.long(0);
        self.long(0);
        self.string(change.op);
        // Debezium sees a change a little after its commit.
        let captured_us = commit_us + 1_850;
        self.nullable(Some(captured_us / 1_000), Self::long);
        self.nullable(Some(captured_us), Self::long);
        self.nullable(Some(captured_us * 1_000), Self::long);
    }
}

/// `["LSN","LSN"]`, the position as Debezium repeats it; returns the length.
fn sequence(text: &mut [u8; 48], lsn: i64) -> usize {
    use std::io::Write;
    let mut rest = &mut text[..];
    write!(rest, "[\"{lsn}\",\"{lsn}\"]").expect("two numbers of at most 20 characters fit");
    let left = rest.len();
    text.len() - left
}
