//! Times as text and as parts: RFC 3339, CEL's durations, ISO 8601, fixed offsets.

use std::fmt::{self, Write};

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

pub(super) use crate::codec::time::parse_date;
use crate::codec::time::{self, SECONDS_MAX, SECONDS_MIN, from_units, span_from_units};

/// The range of durations, in nanoseconds: 64 bits, about 292 years, as the specification's suite has it.
const DURATION_MAX: u128 = i64::MAX as u128;
const NANOS: i128 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Seconds and nanoseconds of a timestamp, if it is in range.
pub(super) fn timestamp(nanos: i128) -> Option<(i64, u32)> {
    let seconds = i64::try_from(nanos.div_euclid(NANOS)).ok()?;
    in_range((seconds, nanos.rem_euclid(NANOS) as u32))
}

/// A timestamp from units per second, if it is in range.
pub(super) fn timestamp_of(value: i64, per_second: u32) -> Option<(i64, u32)> {
    in_range(from_units(value, per_second))
}

fn in_range(time: (i64, u32)) -> Option<(i64, u32)> {
    (SECONDS_MIN..=SECONDS_MAX)
        .contains(&time.0)
        .then_some(time)
}

/// Nanoseconds of a timestamp or a duration.
pub(super) fn nanos(seconds: i64, nanos: i64) -> i128 {
    i128::from(seconds) * NANOS + i128::from(nanos)
}

/// Seconds and nanoseconds, of the same sign, of a duration, if it is in range.
pub(super) fn duration(nanos: i128) -> Option<(i64, i32)> {
    let seconds = i64::try_from(nanos / NANOS)
        .ok()
        .filter(|_| nanos.unsigned_abs() <= DURATION_MAX)?;
    Some((seconds, (nanos % NANOS) as i32))
}

/// A duration from units per second, if it is in range.
pub(super) fn duration_of(value: i64, per_second: u32) -> Option<(i64, i32)> {
    let (seconds, rest) = span_from_units(value, per_second);
    duration(nanos(seconds, rest.into()))
}

/// 1970-01-01T00:00:00, where all counting starts. (`jiff::Timestamp` ends a day before CEL's range does.)
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// RFC 3339 and nothing near it: date, `T`, time with seconds, and a zone that is `Z` or `±hh:mm`.
pub(super) fn parse_timestamp(text: &str) -> Option<(i64, u32)> {
    let bytes = text.as_bytes();
    let zoned = matches!(
        bytes,
        [.., b'Z' | b'z'] | [.., b'+' | b'-', _, _, b':', _, _]
    );
    let strict = bytes.len() >= 20
        && matches!((bytes[10], bytes[16]), (b'T' | b't', b':'))
        && !bytes.contains(&b',');
    if strict && zoned {
        time::parse_timestamp(text)
    } else {
        None
    }
}

/// CEL's durations: `1h30m`, `-1.5s`, `10ms`, `0`.
pub(super) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some((0, 0));
    }
    let mut total = 0_i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = &rest[..digits(rest)];
        rest = &rest[whole.len()..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            fraction = &after[..digits(after)];
            rest = &after[fraction.len()..];
        }
        if whole.is_empty() && fraction.is_empty() || whole.len() > 20 {
            return None;
        }
        let (unit, per_unit) = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("μs", 1_000),
            ("ms", 1_000_000),
            ("s", NANOS),
            ("m", 60 * NANOS),
            ("h", 3_600 * NANOS),
        ]
        .into_iter()
        .find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        total = total.checked_add(whole.checked_mul(per_unit)?)?;
        let mut weight = per_unit;
        for digit in fraction.bytes() {
            // Digits below a nanosecond are cut off.
            weight /= 10;
            total = total.checked_add(i128::from(digit - b'0') * weight)?;
        }
    }
    duration(if negative { -total } else { total })
}

/// A fixed offset in seconds: `+02:00`, `-05:30`, `02:00`, `UTC`, `Z`.
pub(super) fn parse_offset(text: &str) -> Option<i32> {
    if matches!(text, "UTC" | "Z" | "z" | "") {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1, &text[1..]),
        [b'+', ..] => (1, &text[1..]),
        _ => (1, text),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let number = |text: &str, max: i32| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| digits && *n <= max)
    };
    Some(sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60))
}

/// A zone: a fixed offset, or a name of the IANA database, which is built in.
pub(super) fn parse_zone(text: &str) -> Option<TimeZone> {
    match parse_offset(text) {
        Some(offset) => Offset::from_seconds(offset).ok().map(TimeZone::fixed),
        None => TimeZone::get(text).ok(),
    }
}

/// The offset of a zone at a time, in seconds. The last day of the range has the offset of the day before it.
pub(super) fn offset_at(zone: &TimeZone, seconds: i64) -> i32 {
    let (min, max) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let at = Timestamp::from_second(seconds.clamp(min, max)).unwrap_or_default();
    zone.to_offset(at).seconds()
}

/// The parts of a timestamp at an offset.
pub(super) fn civil(seconds: i64, nanos: u32, offset: i32) -> Option<DateTime> {
    let since = SignedDuration::new(seconds.checked_add(offset.into())?, nanos as i32);
    EPOCH.checked_add(since).ok()
}

/// Writes `2024-03-31T12:00:00.5Z`, with as many digits as are needed.
pub(super) fn write_timestamp(out: &mut impl Write, seconds: i64, nanos: u32) -> fmt::Result {
    let mut text = Digits([0; 32]);
    text.date(seconds.div_euclid(DAY))?;
    text.0[10] = b'T';
    let end = text.clock::<11>(seconds.rem_euclid(DAY), nanos)?;
    text.0[end] = b'Z';
    text.write(end + 1, out)
}

/// Writes `2024-03-31`.
pub(super) fn write_date(out: &mut impl Write, days: i64) -> fmt::Result {
    let mut text = Digits([0; 32]);
    if text.date(days).is_ok() {
        return text.write(10, out);
    }
    // Days outside of the years 1 to 9999, which a date, unlike a timestamp, may have.
    let date = days
        .checked_mul(DAY)
        .and_then(|seconds| civil(seconds, 0, 0))
        .ok_or(fmt::Error)?;
    let (year, month, day) = (date.year(), date.month(), date.day());
    write!(out, "{year:04}-{month:02}-{day:02}")
}

/// Writes `12:00:00.5`.
pub(super) fn write_clock(out: &mut impl Write, seconds: i64, nanos: u32) -> fmt::Result {
    let mut text = Digits([0; 32]);
    if let Ok(end) = text.clock::<0>(seconds, nanos) {
        return text.write(end, out);
    }
    // A column of times of day may hold what is none.
    write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )?;
    write_fraction(out, nanos)
}

/// The text of a time, written digit by digit into fixed places: the formatter costs ten times as much.
struct Digits([u8; 32]);

impl Digits {
    /// Two digits of a number below 100.
    #[inline(always)]
    fn two(&mut self, at: usize, number: u32) {
        self.0[at] = b'0' + (number / 10) as u8;
        self.0[at + 1] = b'0' + (number % 10) as u8;
    }

    /// The date of a day of the years 1 to 9999, in ten bytes.
    #[inline]
    fn date(&mut self, days: i64) -> fmt::Result {
        if !(SECONDS_MIN / DAY..=SECONDS_MAX / DAY).contains(&days) {
            return Err(fmt::Error);
        }
        let (year, month, day) = time::civil(days);
        let year = year as u32;
        self.two(0, year / 100);
        self.two(2, year % 100);
        self.0[4] = b'-';
        self.two(5, month);
        self.0[7] = b'-';
        self.two(8, day);
        Ok(())
    }

    /// A time of a day, from this byte on; where it ends.
    #[inline]
    fn clock<const AT: usize>(&mut self, seconds: i64, nanos: u32) -> Result<usize, fmt::Error> {
        if !(0..DAY).contains(&seconds) {
            return Err(fmt::Error);
        }
        let seconds = seconds as u32;
        self.two(AT, seconds / 3_600);
        self.0[AT + 2] = b':';
        self.two(AT + 3, seconds / 60 % 60);
        self.0[AT + 5] = b':';
        self.two(AT + 6, seconds % 60);
        if nanos == 0 {
            return Ok(AT + 8);
        }
        self.0[AT + 8] = b'.';
        let (micros, nanos) = (nanos / 1_000, nanos % 1_000);
        self.two(AT + 9, micros / 10_000);
        self.two(AT + 11, micros / 100 % 100);
        self.two(AT + 13, micros % 100);
        let mut end = AT + 15;
        if nanos != 0 {
            self.two(AT + 15, nanos / 10);
            self.0[AT + 17] = b'0' + (nanos % 10) as u8;
            end = AT + 18;
        }
        while self.0[end - 1] == b'0' {
            end -= 1;
        }
        Ok(end)
    }

    fn write(&self, end: usize, out: &mut impl Write) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.0[..end]).map_err(|_| fmt::Error)?)
    }
}

/// Writes `-3600.5s`.
pub(super) fn write_duration(out: &mut impl Write, seconds: i64, nanos: i32) -> fmt::Result {
    if seconds < 0 || nanos < 0 {
        out.write_char('-')?;
    }
    write!(out, "{}", seconds.unsigned_abs())?;
    write_fraction(out, nanos.unsigned_abs())?;
    out.write_char('s')
}

fn write_fraction(out: &mut impl Write, nanos: u32) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    let (mut digits, mut width) = (nanos, 9);
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    write!(out, ".{digits:0width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_strictly_and_written_back() {
        for text in [
            "2024-03-31T12:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "1969-12-31T23:59:59.25Z",
        ] {
            let (seconds, nanos) = parse_timestamp(text).unwrap();
            let mut out = String::new();
            write_timestamp(&mut out, seconds, nanos).unwrap();
            assert_eq!(out, text);
        }
        for text in ["1970-01-01T02:00:00+02:00", "1970-01-01T23:59:00+23:59"] {
            assert_eq!(parse_timestamp(text), Some((0, 0)), "{text}");
        }
        assert_eq!(
            parse_timestamp("1970-01-01T00:00:00.1234567899Z"),
            Some((0, 123_456_789))
        );
        for text in [
            "2024-03-31",
            "2024-03-31 12:00:00Z",
            "2024-03-31T12:00:00",
            "10000-01-01T00:00:00Z",
            "0000-12-31T23:59:59Z",
            "2024-02-30T00:00:00Z",
            "2024-03-31T12:00:00Z[UTC]",
            "",
            "éééééééééééééééééééé",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        let written = |text: &str| {
            let (seconds, nanos) = parse_duration(text)?;
            let mut out = String::new();
            write_duration(&mut out, seconds, nanos).unwrap();
            Some(out)
        };
        assert_eq!(written("1h30m").as_deref(), Some("5400s"));
        assert_eq!(written("-1.5s").as_deref(), Some("-1.5s"));
        assert_eq!(written("-10ms").as_deref(), Some("-0.01s"));
        assert_eq!(written("0").as_deref(), Some("0s"));
        for text in [
            "",
            "-",
            "1",
            "s",
            "1x",
            "999999999999h",
            "1.s.",
            "99999999999999999999999s",
        ] {
            assert_eq!(written(text), None, "{text}");
        }
    }

    #[test]
    fn days_and_offsets() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!(parse_date("1969-12-31"), Some(-1));
        assert_eq!(parse_date("2024-13-01"), None);
        assert_eq!(parse_date("2024-1-01é"), None);
        assert_eq!(parse_offset("-05:30"), Some(-19_800));
        assert_eq!(parse_offset("5:30"), None);
    }
}
