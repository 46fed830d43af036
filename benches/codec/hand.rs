//! Job J written by hand for its one schema, as a good engineer would with the same guarantees: every byte is validated, text is
//! UTF-8, every bound is checked, the envelope keeps its promises. Plain safe Rust over the bytes, into a reused buffer.

use crate::corpus::{FRAME, ID_OUT};

/// Why a record is refused. The real thing would name the place; a bench only needs it not to be free of checks.
#[derive(Clone, Copy, Debug)]
pub struct Bad;

type Result<T> = std::result::Result<T, Bad>;

/// Nothing of Kafka is longer.
const LENGTH_MAX: u64 = 1 << 28;
/// Items beyond the bytes of the datum that take no bytes themselves.
const EMPTY_ITEMS_MAX: u64 = 1024;

struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    items: u64,
}

/// What is read of a row; everything else of it is validated only.
struct Row<'a> {
    /// `id` and `customer_id`, which the output has side by side too.
    ids: &'a [u8],
    sku: &'a [u8],
    name: &'a [u8],
    description: &'a [u8],
    weight: f64,
    quantity: i32,
    price: &'a [u8],
    created: i64,
    status: &'a [u8],
    /// `tags` and `attributes`.
    lists: &'a [u8],
    city: &'a [u8],
    country: &'a [u8],
}

/// Appends the output of a framed record; `false` if it is not kept.
pub fn run(framed: &[u8], out: &mut Vec<u8>) -> Result<bool> {
    if framed.len() < FRAME || framed[0] != 0 {
        return Err(Bad);
    }
    let mut cursor = Cursor {
        data: &framed[FRAME..],
        at: 0,
        items: (framed.len() - FRAME) as u64 + EMPTY_ITEMS_MAX,
    };
    let before = cursor.optional(Cursor::row)?;
    let after = cursor.optional(Cursor::row)?;
    let lsn = cursor.source()?;
    cursor.optional(|cursor| {
        cursor.text()?;
        cursor.long()?;
        cursor.long()
    })?;
    let op = cursor.text()?;
    cursor.optional(Cursor::long)?;
    if cursor.at != cursor.data.len() {
        return Err(Bad);
    }
    let row = match (op, before, after) {
        (b"c", None, Some(after)) | (b"u", _, Some(after)) => after,
        (b"r", None, Some(_)) | (b"d", Some(_), None) => return Ok(false),
        _ => return Err(Bad),
    };
    write(&row, lsn, out)?;
    Ok(true)
}

fn write(row: &Row, lsn: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.push(0);
    out.extend_from_slice(&ID_OUT.to_be_bytes());
    out.extend_from_slice(row.ids);
    put_length(row.sku.len(), out);
    let start = out.len();
    out.extend_from_slice(row.sku);
    out[start..].make_ascii_uppercase();
    out.extend_from_slice(row.name);
    let weight = row.weight * f64::from(row.quantity);
    out.extend_from_slice(&weight.to_le_bytes());
    out.extend_from_slice(row.price);
    put_instant(row.created, out)?;
    out.extend_from_slice(row.status);
    let region: &[u8] = match row.country {
        b"DE" | b"FR" | b"GB" | b"ES" | b"IT" | b"PL" => b"\x08emea",
        b"SE" | b"NO" | b"DK" | b"FI" => b"\x0enordics",
        b"US" | b"CA" => b"\x08amer",
        b"MX" | b"BR" | b"AR" | b"CL" => b"\x0alatam",
        b"JP" | b"CN" | b"IN" | b"AU" => b"\x08apac",
        _ => b"\x0aother",
    };
    out.extend_from_slice(region);
    out.extend_from_slice(row.lists);
    out.extend_from_slice(row.city);
    out.extend_from_slice(row.description);
    out.extend_from_slice(lsn);
    Ok(())
}

impl<'a> Cursor<'a> {
    fn row(&mut self) -> Result<Row<'a>> {
        let (ids, _) = self.span(|cursor| {
            cursor.long()?;
            cursor.long()
        })?;
        let quantity = self.int()?;
        let sku = self.text()?;
        let (name, _) = self.span(Cursor::text)?;
        let (description, _) = self.span(|cursor| cursor.optional(Cursor::text))?;
        self.optional(Cursor::text)?; // email
        self.boolean()?; // active
        let weight = self.double()?;
        self.optional(Cursor::double)?; // discount
        let (price, _) = self.span(Cursor::decimal)?;
        self.decimal()?; // tax
        let created = self.long()?;
        self.optional(Cursor::long)?; // updated_at
        let (status, _) = self.span(|cursor| cursor.index(5))?;
        let (lists, _) = self.span(|cursor| {
            cursor.texts(1)?;
            cursor.texts(2)
        })?;
        self.text()?; // street
        let (city, _) = self.span(Cursor::text)?;
        self.text()?; // zip
        self.double()?; // lat
        self.double()?; // lon
        self.optional(Cursor::text)?; // notes
        self.int()?; // version
        let country = self.text()?;
        Ok(Row {
            ids,
            sku,
            name,
            description,
            weight,
            quantity,
            price,
            created,
            status,
            lists,
            city,
            country,
        })
    }

    /// The encoding of `lsn`.
    fn source(&mut self) -> Result<&'a [u8]> {
        self.text()?; // version
        self.text()?; // connector
        self.text()?; // name
        self.long()?; // ts_ms
        self.optional(Cursor::text)?; // snapshot
        self.text()?; // db
        self.optional(Cursor::text)?; // sequence
        self.text()?; // schema
        self.text()?; // table
        self.optional(Cursor::long)?; // txId
        let (lsn, _) = self.span(|cursor| cursor.optional(Cursor::long))?;
        self.optional(Cursor::long)?; // xmin
        Ok(lsn)
    }

    /// What is read, and its encoding.
    #[inline(always)]
    fn span<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<(&'a [u8], T)> {
        let start = self.at;
        let value = read(self)?;
        Ok((&self.data[start..self.at], value))
    }

    /// A union of null and something.
    #[inline(always)]
    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.index(2)? {
            0 => Ok(None),
            _ => read(self).map(Some),
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64> {
        match self.data.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for (group, &byte) in self.data[self.at..].iter().take(10).enumerate() {
            if group == 9 && byte > 1 {
                return Err(Bad);
            }
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte < 0x80 {
                self.at += group + 1;
                return Ok(value);
            }
        }
        Err(Bad)
    }

    #[inline(always)]
    fn long(&mut self) -> Result<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    #[inline(always)]
    fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| Bad)
    }

    /// The index of a union branch or a symbol.
    #[inline(always)]
    fn index(&mut self, count: i32) -> Result<i32> {
        let index = self.int()?;
        if (0..count).contains(&index) {
            Ok(index)
        } else {
            Err(Bad)
        }
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let bytes = self.data[self.at..].get(..length).ok_or(Bad)?;
        self.at += length;
        Ok(bytes)
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.long()?).map_err(|_| Bad)?;
        self.take(length)
    }

    #[inline(always)]
    fn text(&mut self) -> Result<&'a [u8]> {
        let bytes = self.bytes()?;
        // Measured: most text is short and ASCII, for which this is the quicker question.
        if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
            Ok(bytes)
        } else {
            Err(Bad)
        }
    }

    #[inline(always)]
    fn boolean(&mut self) -> Result<bool> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Bad),
        }
    }

    #[inline(always)]
    fn double(&mut self) -> Result<f64> {
        let bytes = self.take(8)?.try_into().map_err(|_| Bad)?;
        Ok(f64::from_le_bytes(bytes))
    }

    /// A decimal of at most twelve digits, which eight bytes hold many times over.
    #[inline(always)]
    fn decimal(&mut self) -> Result<()> {
        let digits = self.bytes()?;
        let (Some(first), true) = (digits.first(), digits.len() <= 8) else {
            return Err(Bad);
        };
        let start = i64::from(*first as i8);
        let number = digits[1..]
            .iter()
            .fold(start, |number, byte| number << 8 | i64::from(*byte));
        if number.unsigned_abs() < 1_000_000_000_000 {
            Ok(())
        } else {
            Err(Bad)
        }
    }

    /// An array or a map of which each item is so many texts.
    #[inline(always)]
    fn texts(&mut self, each: u64) -> Result<()> {
        loop {
            let count = self.long()?;
            let mut end = None;
            if count < 0 {
                let size = usize::try_from(self.long()?).map_err(|_| Bad)?;
                if size > self.data.len() - self.at {
                    return Err(Bad);
                }
                end = Some(self.at + size);
            }
            let count = count.unsigned_abs();
            if count > LENGTH_MAX || count > self.items {
                return Err(Bad);
            }
            self.items -= count;
            for _ in 0..count * each {
                self.text()?;
            }
            if end.is_some_and(|end| end != self.at) {
                return Err(Bad);
            }
            if count == 0 {
                return Ok(());
            }
        }
    }
}

#[inline(always)]
fn put_length(length: usize, out: &mut Vec<u8>) {
    let mut raw = (length as u64) << 1;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Appends microseconds since 1970 as text of RFC 3339, with as many digits as are needed.
fn put_instant(micros: i64, out: &mut Vec<u8>) -> Result<()> {
    let (seconds, micros) = (
        micros.div_euclid(1_000_000),
        micros.rem_euclid(1_000_000) as u32,
    );
    let (days, second) = (
        seconds.div_euclid(86_400),
        seconds.rem_euclid(86_400) as u32,
    );
    if !(-719_162..=2_932_896).contains(&days) {
        return Err(Bad);
    }
    // Days since 0000-03-01 to a date of the Gregorian calendar, by eras of 400 years.
    let day = days as i32 + 719_468;
    let era = day.div_euclid(146_097);
    let day = day.rem_euclid(146_097) as u32;
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = (year as i32 + era * 400) as u32 + u32::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let mut two = |at: usize, number: u32| {
        text[at] = b'0' + (number / 10) as u8;
        text[at + 1] = b'0' + (number % 10) as u8;
    };
    two(0, year / 100);
    two(2, year % 100);
    two(5, month);
    two(8, date);
    two(11, second / 3_600);
    two(14, second / 60 % 60);
    two(17, second % 60);
    two(20, micros / 10_000);
    two(22, micros / 100 % 100);
    two(24, micros % 100);
    let mut end = 26;
    while text[end - 1] == b'0' && end > 20 {
        end -= 1;
    }
    if end == 20 {
        end = 19;
    }
    text[end] = b'Z';
    put_length(end + 1, out);
    out.extend_from_slice(&text[..=end]);
    Ok(())
}
