//! Dates and times as text and as numbers. The range is that of CEL and of most databases: years 1 to 9999.

use std::fmt::Write;

use super::Fault;

/// First second of 0001-01-01.
pub const SECONDS_MIN: i64 = -62_135_596_800;
/// Last second of 9999-12-31.
pub const SECONDS_MAX: i64 = 253_402_300_799;
const NANOS: i128 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Splits a number of units since the epoch into seconds and nanoseconds.
pub fn from_units(units: i64, per_second: u32) -> (i64, u32) {
    // A division by a constant is a multiplication.
    match per_second {
        1_000 => split::<1_000>(units),
        1_000_000 => split::<1_000_000>(units),
        1_000_000_000 => split::<1_000_000_000>(units),
        _ => {
            let per_second = i64::from(per_second);
            let (seconds, rest) = (units.div_euclid(per_second), units.rem_euclid(per_second));
            (seconds, (rest * (1_000_000_000 / per_second)) as u32)
        }
    }
}

#[inline(always)]
fn split<const PER_SECOND: i64>(units: i64) -> (i64, u32) {
    let (seconds, rest) = (units.div_euclid(PER_SECOND), units.rem_euclid(PER_SECOND));
    (seconds, (rest * (1_000_000_000 / PER_SECOND)) as u32)
}

/// The number of units since the epoch; digits finer than the unit are cut off towards the past, or refused if `exact`.
pub fn to_units(seconds: i64, nanos: u32, per_second: u32, exact: bool) -> Result<i64, Fault> {
    let step = 1_000_000_000 / i64::from(per_second);
    let nanos = i64::from(nanos);
    if exact && nanos % step != 0 {
        return Err(Fault::new(
            "unrepresentable",
            "the time has finer digits than the target's unit",
        ));
    }
    let units = i128::from(seconds) * i128::from(per_second) + i128::from(nanos / step);
    i64::try_from(units)
        .map_err(|_| Fault::new("unrepresentable", "the time does not fit the target's unit"))
}

/// Splits a span in units into seconds and nanoseconds of the same sign.
pub fn span_from_units(units: i64, per_second: u32) -> (i64, i32) {
    let per_second = i64::from(per_second);
    (
        units / per_second,
        ((units % per_second) * (1_000_000_000 / per_second)) as i32,
    )
}

/// The number of units of a span; finer digits are cut off towards zero, or refused if `exact`.
pub fn span_to_units(seconds: i64, nanos: i32, per_second: u32, exact: bool) -> Result<i64, Fault> {
    let step = NANOS / i128::from(per_second);
    let total = i128::from(seconds) * NANOS + i128::from(nanos);
    if exact && total % step != 0 {
        return Err(Fault::new(
            "unrepresentable",
            "the duration has finer digits than the target's unit",
        ));
    }
    i64::try_from(total / step).map_err(|_| {
        Fault::new(
            "unrepresentable",
            "the duration does not fit the target's unit",
        )
    })
}

/// Year, month and day of a day since 1970-01-01 (proleptic Gregorian).
pub fn civil(days: i64) -> (i64, u32, u32) {
    // The year is taken to begin in March, so that the leap day is its last; 146 097 days make 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097) as u32;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = i64::from(year_of_era) + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The day since 1970-01-01 of a date. The date is not checked.
pub fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Appends `2026-11-22`. Refuses years outside 1 to 9999.
pub fn write_date(days: i64, out: &mut String) -> Result<(), Fault> {
    if !(SECONDS_MIN.div_euclid(DAY)..=SECONDS_MAX.div_euclid(DAY)).contains(&days) {
        return Err(Fault::new(
            "unrepresentable",
            "the date is outside the years 1 to 9999",
        ));
    }
    let (year, month, day) = civil(days);
    digits(year as u64, 4, out);
    out.push('-');
    digits(u64::from(month), 2, out);
    out.push('-');
    digits(u64::from(day), 2, out);
    Ok(())
}

/// Appends `18:08:13`, with 3, 6 or 9 digits of a fraction if there is one.
pub fn write_time(second_of_day: u32, nanos: u32, out: &mut String) {
    digits(u64::from(second_of_day / 3_600), 2, out);
    out.push(':');
    digits(u64::from(second_of_day / 60 % 60), 2, out);
    out.push(':');
    digits(u64::from(second_of_day % 60), 2, out);
    fraction(nanos, out);
}

/// Appends `2026-11-22T18:08:13.411558`; the caller adds the `Z` of an instant. Refuses years outside 1 to 9999.
pub fn write_date_time(seconds: i64, nanos: u32, out: &mut String) -> Result<(), Fault> {
    write_date(seconds.div_euclid(DAY), out)?;
    out.push('T');
    write_time(seconds.rem_euclid(DAY) as u32, nanos, out);
    Ok(())
}

/// An instant as RFC 3339 in UTC.
pub fn rfc3339(seconds: i64, nanos: u32) -> Result<String, Fault> {
    let mut out = String::with_capacity(30);
    write_date_time(seconds, nanos, &mut out)?;
    out.push('Z');
    Ok(out)
}

/// Appends an ISO 8601 duration: `PT1H30M0.5S`, `-PT2S`.
pub fn write_span(seconds: i64, nanos: i32, out: &mut String) {
    if seconds < 0 || nanos < 0 {
        out.push('-');
    }
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    out.push_str("PT");
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        // Writing into a String cannot fail.
        let _ = write!(out, "{hours}H");
    }
    if minutes > 0 {
        let _ = write!(out, "{minutes}M");
    }
    if rest > 0 || nanos > 0 || (hours == 0 && minutes == 0) {
        let _ = write!(out, "{rest}");
        fraction(nanos, out);
        out.push('S');
    }
}

fn fraction(nanos: u32, out: &mut String) {
    let (value, width) = match nanos {
        0 => return,
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1_000 == 0 => (n / 1_000, 6),
        n => (n, 9),
    };
    out.push('.');
    digits(u64::from(value), width, out);
}

fn digits(value: u64, width: usize, out: &mut String) {
    let mut divisor = 10u64.pow(width as u32 - 1);
    while divisor > 0 {
        out.push(char::from(b'0' + (value / divisor % 10) as u8));
        divisor /= 10;
    }
}

fn is_in_range(seconds: i64) -> bool {
    (SECONDS_MIN..=SECONDS_MAX).contains(&seconds)
}

/// Reads `2026-11-22`.
pub fn parse_date(text: &str) -> Option<i64> {
    let mut reader = Reader(text.as_bytes());
    let days = reader.date()?;
    (reader.0.is_empty() && is_in_range(days * DAY)).then_some(days)
}

/// Reads `18:08:13.411558` as nanoseconds since midnight.
pub fn parse_time(text: &str) -> Option<i64> {
    let mut reader = Reader(text.as_bytes());
    let (second, nanos) = reader.time()?;
    reader
        .0
        .is_empty()
        .then(|| i64::from(second) * 1_000_000_000 + i64::from(nanos))
}

/// Reads an instant with a zone (`Z` or `±hh:mm`), as (seconds, nanoseconds) since the epoch.
pub fn parse_timestamp(text: &str) -> Option<(i64, u32)> {
    let mut reader = Reader(text.as_bytes());
    let (seconds, nanos) = reader.date_time()?;
    let offset = reader.offset()?;
    let seconds = seconds - offset;
    (reader.0.is_empty() && is_in_range(seconds)).then_some((seconds, nanos))
}

/// Reads a date and time without a zone; a `Z` is allowed.
pub fn parse_local_timestamp(text: &str) -> Option<(i64, u32)> {
    let mut reader = Reader(text.strip_suffix('Z').unwrap_or(text).as_bytes());
    let found = reader.date_time()?;
    (reader.0.is_empty() && is_in_range(found.0)).then_some(found)
}

/// Reads the ISO 8601 durations that [`write_span`] writes, days included.
pub fn parse_span(text: &str) -> Option<(i64, i32)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut rest = text.strip_prefix('P')?;
    let (mut total, mut in_time, mut seen) = (0i128, false, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, in_time) = (after, true);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let number = super::Decimal::parse(&rest[..end]).ok()?;
        let unit: i128 = match (in_time, rest.as_bytes()[end]) {
            (false, b'D') => 86_400,
            (true, b'H') => 3_600,
            (true, b'M') => 60,
            (true, b'S') => 1,
            _ => return None,
        };
        let nanos = number.rescale(9).ok()?.unscaled;
        total = total.checked_add(nanos.checked_mul(unit)?)?;
        rest = &rest[end + 1..];
        seen = true;
    }
    let total = if negative { -total } else { total };
    let seconds = i64::try_from(total / NANOS).ok()?;
    seen.then_some((seconds, (total % NANOS) as i32))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, width: usize) -> Option<u32> {
        let (head, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        head.iter().try_fold(0, |n, b| {
            b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0'))
        })
    }

    fn byte(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        wanted.contains(first).then_some(*first)
    }

    /// Days since 1970-01-01, from the year 0 on: with an offset its last hours are in the year 1.
    fn date(&mut self) -> Option<i64> {
        let year = self.number(4)?;
        self.byte(b"-")?;
        let month = self.number(2)?;
        self.byte(b"-")?;
        let day = self.number(2)?;
        if !(1..=12).contains(&month) || day == 0 {
            return None;
        }
        let days = days(i64::from(year), month, day);
        // The 31st of a short month becomes another date and is refused by that.
        (civil(days) == (i64::from(year), month, day)).then_some(days)
    }

    fn time(&mut self) -> Option<(u32, u32)> {
        let hour = self.number(2)?;
        self.byte(b":")?;
        let minute = self.number(2)?;
        let second = if self.0.first() == Some(&b':') {
            self.0 = &self.0[1..];
            self.number(2)?
        } else {
            0
        };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut nanos = 0;
        if let Some((b'.' | b',', rest)) = self.0.split_first() {
            let all = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if all == 0 {
                return None;
            }
            // What is finer than a nanosecond is cut off, as most readers of RFC 3339 do.
            let width = all.min(9);
            self.0 = rest;
            nanos = self.number(width)? * 10u32.pow(9 - width as u32);
            self.0 = &rest[all..];
        }
        Some((hour * 3_600 + minute * 60 + second, nanos))
    }

    fn date_time(&mut self) -> Option<(i64, u32)> {
        let days = self.date()?;
        self.byte(b"Tt ")?;
        let (second, nanos) = self.time()?;
        Some((days * DAY + i64::from(second), nanos))
    }

    fn offset(&mut self) -> Option<i64> {
        match self.byte(b"Zz+-")? {
            b'Z' | b'z' => Some(0),
            sign => {
                let hours = self.number(2)?;
                if self.0.first() == Some(&b':') {
                    self.0 = &self.0[1..];
                }
                let minutes = if self.0.is_empty() {
                    0
                } else {
                    self.number(2)?
                };
                let seconds = i64::from(hours * 3_600 + minutes * 60);
                (hours <= 23 && minutes <= 59).then_some(if sign == b'-' {
                    -seconds
                } else {
                    seconds
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times_are_written_and_read() {
        assert_eq!(
            rfc3339(1_795_370_893, 411_558_000).unwrap(),
            "2026-11-22T18:08:13.411558Z"
        );
        assert_eq!(
            parse_timestamp("2026-11-22T19:08:13.411558+01:00"),
            Some((1_795_370_893, 411_558_000))
        );
        for (text, seconds, nanos) in [
            (
                "2026-11-22T18:08:13.4115580009Z",
                1_795_370_893,
                411_558_000,
            ),
            (
                "2026-11-22T18:08:13.99999999999999999999Z",
                1_795_370_893,
                999_999_999,
            ),
            ("0000-12-31T23:00:00-02:00", SECONDS_MIN + 3_600, 0),
            ("1970-01-02T00:00:00+23:59", 60, 0),
            ("1970-01-01T00:01:00-23:59", 86_400, 0),
        ] {
            assert_eq!(parse_timestamp(text), Some((seconds, nanos)), "{text}");
        }
        assert_eq!(parse_date("0000-12-31"), None);
        assert_eq!(parse_local_timestamp("0000-12-31T23:00:00"), None);
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(
            parse_date("9999-12-31").map(|d| d * 86_400 + 86_399),
            Some(SECONDS_MAX)
        );
        assert_eq!(
            parse_date("0001-01-01").map(|d| d * 86_400),
            Some(SECONDS_MIN)
        );
        assert!(rfc3339(SECONDS_MAX + 1, 0).is_err());
        assert!(rfc3339(SECONDS_MIN - 1, 0).is_err());
        let mut text = String::new();
        write_span(5_400, 500_000_000, &mut text);
        assert_eq!(text, "PT1H30M0.500S");
        assert_eq!(parse_span(&text), Some((5_400, 500_000_000)));
        assert_eq!(parse_span("-PT0.000001S"), Some((0, -1_000)));
        assert_eq!(parse_span("PT"), None);
        for wrong in [
            "",
            "2026-11-22",
            "2026-11-22T24:00:00Z",
            "2026-11-22T18:08:13",
            "２026-11-22T18:08:13Z",
            "2026-11-22T18:08:13.Z",
            "2026-11-22T18:08:13+24:00",
            "0000-12-31T23:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse_timestamp(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn times_come_back_and_agree_with_jiff(seconds in SECONDS_MIN..=SECONDS_MAX, nanos in 0u32..1_000_000_000) {
            let text = rfc3339(seconds, nanos).unwrap();
            prop_assert_eq!(parse_timestamp(&text), Some((seconds, nanos)));
            let jiff: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(jiff.as_nanosecond(), i128::from(seconds) * NANOS + i128::from(nanos));
        }

        #[test]
        fn units_come_back(units in any::<i64>(), digits in 0u32..10) {
            let per_second = 10u32.pow(digits);
            let (s, n) = from_units(units, per_second);
            prop_assert_eq!(to_units(s, n, per_second, true).unwrap(), units);
            let (s, n) = span_from_units(units, per_second);
            prop_assert_eq!(span_to_units(s, n, per_second, true).unwrap(), units);
            let mut text = String::new();
            write_span(s, n, &mut text);
            prop_assert_eq!(parse_span(&text), Some((s, n)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = (parse_timestamp(&text), parse_local_timestamp(&text), parse_date(&text), parse_time(&text), parse_span(&text));
        }
    }
}
