//! The few encodings that everything else is made of, read from a slice with every bound checked.

/// What is wrong with a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Truncated,
    Varint,
    Length,
    Boolean,
    Utf8,
    UnionIndex,
    EnumIndex,
    Limit,
    Decimal,
    Trailing,
    Outgrown,
}

impl Trouble {
    /// The reason code that reaches the operator.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Trouble::Truncated => "truncated",
            Trouble::Varint => "bad_varint",
            Trouble::Length => "bad_length",
            Trouble::Boolean => "bad_boolean",
            Trouble::Utf8 => "bad_utf8",
            Trouble::UnionIndex => "bad_union_index",
            Trouble::EnumIndex => "bad_enum_index",
            Trouble::Limit => "avro_limit",
            Trouble::Decimal => "unrepresentable",
            Trouble::Trailing => "trailing_bytes",
            Trouble::Outgrown => "outgrown",
        }
    }
}

/// A length or count beyond this is no truncation any more but an attack or garbage: no Kafka message is as large.
const LENGTH_MAX: u64 = 1 << 28;

/// Reads a variable-length integer (before zigzag) at `pos`: the value and the position after it. At most ten bytes;
/// bits beyond 64 are refused, padding with zero groups is not (the specification allows it).
#[inline(always)]
pub(crate) fn varint(data: &[u8], pos: usize) -> Result<(u64, usize), Trouble> {
    match data.get(pos) {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), pos + 1)),
        Some(_) => wide_varint(data, pos),
        None => Err(Trouble::Truncated),
    }
}

/// Two bytes and more: eight are looked at in one go.
#[inline]
fn wide_varint(data: &[u8], pos: usize) -> Result<(u64, usize), Trouble> {
    if let Some(Ok(bytes)) = data.get(pos..pos + 8).map(<[u8; 8]>::try_from)
        && let Some((value, length)) = gathered(u64::from_le_bytes(bytes))
    {
        return Ok((value, pos + length));
    }
    last_varint(data, pos)
}

/// The same at the end of the data: its last eight bytes, those before the varint shifted out.
#[inline(never)]
fn last_varint(data: &[u8], pos: usize) -> Result<(u64, usize), Trouble> {
    let left = data.len() - pos;
    if let (Some(last), 1..8) = (data.last_chunk::<8>(), left)
        && let Some((value, length)) = gathered(u64::from_le_bytes(*last) >> (8 * (8 - left)))
        && length <= left
    {
        return Ok((value, pos + length));
    }
    slow_varint(data, pos)
}

/// The varint that begins in the lowest byte, and its bytes; `None` if it goes on behind the eighth. The groups of seven
/// bits are pushed together in three steps.
#[inline(always)]
fn gathered(word: u64) -> Option<(u64, usize)> {
    let stops = !word & 0x8080_8080_8080_8080;
    if stops == 0 {
        return None;
    }
    let bits = stops.trailing_zeros() + 1;
    let word = word & (u64::MAX >> (64 - bits)) & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let word = (word & 0x0000_3fff_0000_3fff) | ((word & 0x3fff_0000_3fff_0000) >> 2);
    let word = (word & 0x0fff_ffff) | ((word & 0x0fff_ffff_0000_0000) >> 4);
    Some((word, bits as usize / 8))
}

/// The first byte, if it is all of a varint.
#[inline(always)]
fn short_varint(data: &[u8], pos: usize) -> Option<u8> {
    data.get(pos).copied().filter(|byte| *byte < 0x80)
}

#[cold]
fn slow_varint(data: &[u8], pos: usize) -> Result<(u64, usize), Trouble> {
    let mut value = 0u64;
    for (i, &byte) in data[pos..].iter().take(10).enumerate() {
        if i == 9 && byte > 1 {
            return Err(Trouble::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, pos + i + 1));
        }
    }
    Err(if data.len() - pos >= 10 {
        Trouble::Varint
    } else {
        Trouble::Truncated
    })
}

/// The position after a variable-length integer, whose bits nobody asks for.
#[inline(always)]
pub(super) fn pass(data: &[u8], pos: usize) -> Result<usize, Trouble> {
    let stops = |word: &[u8; 8]| !u64::from_le_bytes(*word) & 0x8080_8080_8080_8080;
    match data.get(pos..).unwrap_or(&[]) {
        [0..0x80, ..] => Ok(pos + 1),
        rest => match rest.first_chunk::<8>().map(stops) {
            Some(stops) if stops != 0 => Ok(pos + stops.trailing_zeros() as usize / 8 + 1),
            _ => varint(data, pos).map(|(_, end)| end),
        },
    }
}

#[inline(always)]
pub(crate) fn zigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

#[inline(always)]
pub(crate) fn long(data: &[u8], pos: usize) -> Result<(i64, usize), Trouble> {
    let (raw, end) = varint(data, pos)?;
    Ok((zigzag(raw), end))
}

/// An `int`: within 32 bits, at most five bytes.
#[inline(always)]
pub(crate) fn int(data: &[u8], pos: usize) -> Result<(i64, usize), Trouble> {
    if let Some(byte) = short_varint(data, pos) {
        return Ok((zigzag(u64::from(byte)), pos + 1));
    }
    let (raw, end) = varint(data, pos)?;
    if raw > u64::from(u32::MAX) || end - pos > 5 {
        return Err(Trouble::Varint);
    }
    Ok((zigzag(raw), end))
}

/// The index of a union branch or enum symbol below `count`, encoded as `int`.
#[inline(always)]
pub(crate) fn index(
    data: &[u8],
    pos: usize,
    count: u32,
    trouble: Trouble,
) -> Result<(u32, usize), Trouble> {
    match short_varint(data, pos) {
        // Even, so not negative.
        Some(byte) if byte & 1 == 0 && u32::from(byte >> 1) < count => {
            Ok((u32::from(byte >> 1), pos + 1))
        }
        _ => slow_index(data, pos, count, trouble),
    }
}

#[cold]
#[inline(never)]
fn slow_index(
    data: &[u8],
    pos: usize,
    count: u32,
    trouble: Trouble,
) -> Result<(u32, usize), Trouble> {
    let (value, end) = int(data, pos)?;
    match u32::try_from(value) {
        Ok(index) if index < count => Ok((index, end)),
        _ => Err(trouble),
    }
}

/// A length that takes one byte, and is below 64.
#[inline(always)]
pub(super) fn short_length(data: &[u8], pos: usize) -> Option<usize> {
    let byte = data.get(pos).copied()?;
    // Neither continued nor negative.
    (byte & 0x81 == 0).then_some(usize::from(byte >> 1))
}

/// A length-prefixed run of bytes: where it starts and ends.
#[inline(always)]
pub(crate) fn run(data: &[u8], pos: usize) -> Result<(usize, usize), Trouble> {
    if let Some(length) = short_length(data, pos) {
        let (start, end) = (pos + 1, pos + 1 + length);
        if end <= data.len() {
            return Ok((start, end));
        }
    }
    let (length, start) = long(data, pos)?;
    let length = length as u64;
    if length > (data.len() - start) as u64 {
        return Err(bad_length(length as i64));
    }
    Ok((start, start + length as usize))
}

#[cold]
fn bad_length(length: i64) -> Trouble {
    match length {
        ..0 => Trouble::Length,
        length if length as u64 > LENGTH_MAX => Trouble::Limit,
        _ => Trouble::Truncated,
    }
}

/// `size` bytes without a prefix: the position after them.
#[inline(always)]
pub(crate) fn skip(data: &[u8], pos: usize, size: u32) -> Result<usize, Trouble> {
    if size as usize > data.len() - pos {
        return Err(bad_length(i64::from(size)));
    }
    Ok(pos + size as usize)
}

#[inline(always)]
pub(crate) fn boolean(data: &[u8], pos: usize) -> Result<(bool, usize), Trouble> {
    match data.get(pos) {
        Some(0) => Ok((false, pos + 1)),
        Some(1) => Ok((true, pos + 1)),
        Some(_) => Err(Trouble::Boolean),
        None => Err(Trouble::Truncated),
    }
}

#[inline(always)]
pub(crate) fn float(data: &[u8], pos: usize) -> Result<(f32, usize), Trouble> {
    match data.get(pos..pos + 4).map(<[u8; 4]>::try_from) {
        Some(Ok(bytes)) => Ok((f32::from_le_bytes(bytes), pos + 4)),
        _ => Err(Trouble::Truncated),
    }
}

#[inline(always)]
pub(crate) fn double(data: &[u8], pos: usize) -> Result<(f64, usize), Trouble> {
    match data.get(pos..pos + 8).map(<[u8; 8]>::try_from) {
        Some(Ok(bytes)) => Ok((f64::from_le_bytes(bytes), pos + 8)),
        _ => Err(Trouble::Truncated),
    }
}

/// One block of an array or map.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// Items in the block; 0 ends the collection.
    pub(crate) items: u64,
    /// Where the block must end, if the writer gave its size.
    pub(crate) end: Option<usize>,
}

/// Reads a block's head. `item_bytes_min` is what an item takes at least; `budget` is how many more items the datum may hold.
#[inline(always)]
pub(crate) fn block(
    data: &[u8],
    pos: usize,
    item_bytes_min: u32,
    budget: &mut u64,
) -> Result<(Block, usize), Trouble> {
    // The end of a collection.
    if data.get(pos) == Some(&0) {
        let (items, end) = (0, None);
        return Ok((Block { items, end }, pos + 1));
    }
    begun_block(data, pos, item_bytes_min, budget)
}

#[inline(never)]
fn begun_block(
    data: &[u8],
    pos: usize,
    item_bytes_min: u32,
    budget: &mut u64,
) -> Result<(Block, usize), Trouble> {
    let (count, mut pos) = long(data, pos)?;
    let mut end = None;
    if count < 0 {
        let (size, after) = long(data, pos)?;
        pos = after;
        // A size that cannot be is met with a limit, not an allocation: nothing is ever reserved from it.
        match usize::try_from(size) {
            Ok(size) if size <= data.len() - pos => end = Some(pos + size),
            _ => return Err(Trouble::Limit),
        }
    }
    let items = count.unsigned_abs();
    let room = (data.len() - pos) as u64;
    if items.saturating_mul(u64::from(item_bytes_min)) > room {
        return Err(if items > LENGTH_MAX {
            Trouble::Limit
        } else {
            Trouble::Truncated
        });
    }
    if items > *budget {
        return Err(Trouble::Limit);
    }
    *budget -= items;
    Ok((Block { items, end }, pos))
}

/// Appends a zigzag varint.
#[inline]
pub(crate) fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    if raw < 0x80 {
        return out.push(raw as u8);
    }
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Appends a length-prefixed run of bytes.
#[inline]
pub(crate) fn put_run(bytes: &[u8], out: &mut Vec<u8>) {
    put_long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlong_and_overflowing_varints_are_refused() {
        assert_eq!(varint(&[0x80; 11], 0), Err(Trouble::Varint));
        assert_eq!(
            varint(
                &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
                0
            ),
            Err(Trouble::Varint)
        );
        assert_eq!(
            varint(
                &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
                0
            ),
            Ok((u64::MAX, 10))
        );
        assert_eq!(varint(&[0x80; 9], 0), Err(Trouble::Truncated));
        assert_eq!(varint(&[], 0), Err(Trouble::Truncated));
        assert_eq!(
            int(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 0),
            Err(Trouble::Varint)
        );
        assert_eq!(
            int(&[0xFE, 0xFF, 0xFF, 0xFF, 0x0F], 0),
            Ok((i64::from(i32::MAX), 5))
        );
        assert_eq!(
            int(&[0x80, 0x80, 0x80, 0x80, 0x10], 0),
            Err(Trouble::Varint)
        );
    }

    #[test]
    fn a_block_is_bounded_by_bytes_and_budget() {
        let read = |bytes: &[u8], min| block(bytes, 0, min, &mut 2_000).map(|(b, _)| b.items);
        let mut bomb = Vec::new();
        put_long(1_000_000_000, &mut bomb);
        assert_eq!(read(&bomb, 0), Err(Trouble::Limit));
        assert_eq!(read(&bomb, 2), Err(Trouble::Limit));
        let mut negative = Vec::new();
        put_long(-2, &mut negative);
        put_long(1_000, &mut negative);
        assert_eq!(read(&negative, 1), Err(Trouble::Limit));
        let mut least = Vec::new();
        put_long(i64::MIN, &mut least);
        put_long(0, &mut least);
        assert_eq!(read(&least, 0), Err(Trouble::Limit));
    }

    proptest! {
        #[test]
        fn varints_come_back(value in any::<i64>(), shift in 0u32..64, tail in proptest::collection::vec(any::<u8>(), 0..12)) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put_long(value, &mut bytes);
            let length = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(long(&bytes, 0), Ok((value, length)));
            prop_assert_eq!(slow_varint(&bytes, 0).map(|(v, e)| (zigzag(v), e)), Ok((value, length)));
        }
    }
}
