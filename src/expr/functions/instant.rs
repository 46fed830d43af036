//! Times beyond CEL: patterns, units since the epoch, units of the calendar.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};

use super::super::eval::{Result, Run, int_overflow, mismatch};
use super::super::{EvalFault, time};
use super::convert::{SECONDS, bad_range};
use super::format::Writer;
use super::needs::{Gives, Need, Of};
use super::prepared::Prepared;
use super::strtime::{TO_READ, TO_READ_DAY, TO_WRITE, is_pattern, writes_all};
use super::time::{ZONE, bad_zone};
use super::{Family, Function, Prepare};
use crate::codec::Val;

const FORMATS: &[&str] = &["bad_format", "expression_limit", "time_range"];
const FORMATS_AT: &[&str] = &[
    "bad_format",
    "bad_timezone",
    "expression_limit",
    "time_range",
];
const PARSES: &[&str] = &["bad_timestamp", "time_range"];
const RANGE: &[&str] = &["time_range"];
const DAY: i64 = 86_400;

/// A zone as the third argument.
const ZONE_2: Prepare = Prepare { arg: 2, ..ZONE };

pub(super) static FAMILY: Family = Family {
    title: "Times as text and numbers",
    intro: "Patterns are those of `strftime`: `%Y-%m-%d %H:%M:%S%.f`, `%z` for an offset, `%d.%m.%Y`, `%b` for `Jan`, `%j` for the day of the year.",
    functions: &[
        Function::with("timestamp.format(string) -> string", TO_WRITE, format)
            .fails(FORMATS)
            .needs(&[Need("time_range", Of::Together(writes_all))])
            .doc("The time in UTC, as a pattern says.")
            .examples(&[("timestamp('2024-01-31T10:20:30Z').format('%d.%m.%Y %H:%M')", "'31.01.2024 10:20'")]),
        Function::with("timestamp.format(string, string) -> string", ZONE_2, format_at)
            .fails(FORMATS_AT)
            .checks(&[TO_WRITE])
            .doc("The time at a zone, as a pattern says.")
            .examples(&[("timestamp('2024-01-31T23:30:00Z').format('%Y-%m-%d %H:%M %:z', 'Europe/Berlin')", "'2024-02-01 00:30 +01:00'")]),
        Function::with("date.format(string) -> string", TO_WRITE, format)
            .fails(FORMATS)
            .doc("The day, as a pattern says.")
            .examples(&[("date('2024-01-31').format('%d/%m/%y')", "'31/01/24'")]),
        Function::new("timestamp(string, string) -> timestamp", parse)
            .fails(PARSES)
            .checks(&[TO_READ])
            .doc("The time that a text spells in a pattern, in UTC where the pattern has no `%z`; a pattern without a time is midnight.")
            .examples(&[
                ("timestamp('31.01.2024 10:20', '%d.%m.%Y %H:%M')", "timestamp('2024-01-31T10:20:00Z')"),
                ("timestamp('31.13.2024', '%d.%m.%Y')", "fails bad_timestamp"),
            ]),
        Function::with("timestamp(string, string, string) -> timestamp", ZONE_2, parse_at)
            .fails(&["bad_timestamp", "bad_timezone", "time_range"])
            .checks(&[TO_READ])
            .doc("The same, at a zone. A time that a change of clocks skips is moved by the gap; one that it repeats is the first.")
            .examples(&[("timestamp('2024-07-01 12:00', '%Y-%m-%d %H:%M', 'Europe/Berlin')", "timestamp('2024-07-01T10:00:00Z')")]),
        Function::new("date(string, string) -> date", parse_date)
            .fails(&["bad_timestamp"])
            .checks(&[TO_READ_DAY])
            .doc("The day that a text spells in a pattern.")
            .examples(&[("date('01/31/2024', '%m/%d/%Y')", "date('2024-01-31')")]),
        Function::with("date(timestamp, string) -> date", ZONE, date_at)
            .fails(&["bad_timezone"])
            .doc("The day of an instant at a zone.")
            .examples(&[("date(timestamp('2024-01-31T23:30:00Z'), 'Europe/Berlin')", "date('2024-02-01')")]),
        Function::new("date.plusDays(int) -> date", plus_days)
            .fails(RANGE)
            .doc("The day so many days later.")
            .examples(&[("date('2024-02-28').plusDays(2)", "date('2024-03-01')")]),
        Function::new("epoch.seconds(timestamp) -> int", to_seconds)
            .gives(Gives::Whole(SECONDS.0, SECONDS.1))
            .doc("Seconds since 1970-01-01T00:00:00Z, what is finer cut off towards the past.")
            .examples(&[("epoch.seconds(timestamp('1970-01-01T00:01:00Z'))", "60")]),
        Function::new("epoch.millis(timestamp) -> int", to_millis)
            .gives(Gives::Whole(SECONDS.0 * 1_000, SECONDS.1 * 1_000 + 1_000 - 1))
            .doc("Milliseconds since 1970-01-01T00:00:00Z.")
            .examples(&[("epoch.millis(timestamp('1970-01-01T00:00:01.5Z'))", "1500")]),
        Function::new("epoch.micros(timestamp) -> int", to_micros)
            .gives(Gives::Whole(SECONDS.0 * 1_000_000, SECONDS.1 * 1_000_000 + 1_000_000 - 1))
            .doc("Microseconds since 1970-01-01T00:00:00Z.")
            .examples(&[("epoch.micros(timestamp('1970-01-01T00:00:01.5Z'))", "1500000")]),
        Function::new("epoch.nanos(timestamp) -> int", to_nanos)
            .fails(&["int_overflow"])
            .doc("Nanoseconds since 1970-01-01T00:00:00Z; 64 bits reach from 1677 to 2262.")
            .examples(&[("epoch.nanos(timestamp('1970-01-01T00:00:01Z'))", "1000000000")]),
        Function::new("epoch.days(date) -> int", same_number)
            .doc("Days since 1970-01-01.")
            .examples(&[("epoch.days(date('1970-01-03'))", "2")]),
        Function::new("epoch.fromSeconds(int) -> timestamp", from_seconds)
            .fails(RANGE)
            .needs(&[Need("time_range", Of::Whole(0, SECONDS.0, SECONDS.1))])
            .doc("The time so many seconds after 1970-01-01T00:00:00Z.")
            .examples(&[("epoch.fromSeconds(60)", "timestamp('1970-01-01T00:01:00Z')")]),
        Function::new("epoch.fromMillis(int) -> timestamp", from_millis)
            .fails(RANGE)
            .needs(&[Need("time_range", Of::Whole(0, SECONDS.0 * 1_000, SECONDS.1 * 1_000 + 1_000 - 1))])
            .doc("The time so many milliseconds after 1970-01-01T00:00:00Z.")
            .examples(&[("epoch.fromMillis(1500)", "timestamp('1970-01-01T00:00:01.5Z')")]),
        Function::new("epoch.fromMicros(int) -> timestamp", from_micros)
            .fails(RANGE)
            .needs(&[Need("time_range", Of::Whole(0, SECONDS.0 * 1_000_000, SECONDS.1 * 1_000_000 + 1_000_000 - 1))])
            .doc("The time so many microseconds after 1970-01-01T00:00:00Z.")
            .examples(&[("epoch.fromMicros(1500000)", "timestamp('1970-01-01T00:00:01.5Z')")]),
        Function::new("epoch.fromNanos(int) -> timestamp", from_nanos)
            .doc("The time so many nanoseconds after 1970-01-01T00:00:00Z.")
            .examples(&[("epoch.fromNanos(1500000000)", "timestamp('1970-01-01T00:00:01.5Z')")]),
    ],
};

/// Whether a time could be written.
pub(super) fn write(civil: DateTime, offset: i32, pattern: &str, out: impl Write) -> bool {
    let mut parts = BrokenDownTime::from(civil);
    parts.set_offset(Offset::from_seconds(offset).ok());
    parts.format(pattern, StdFmtWrite(out)).is_ok()
}

/// Seconds and nanoseconds of a timestamp or a day.
fn instant(val: Val) -> Result<(i64, u32)> {
    match val {
        Val::Timestamp(seconds, nanos) => Ok((seconds, nanos)),
        Val::Int(days) => Ok((days.checked_mul(DAY).ok_or_else(bad_range)?, 0)),
        other => Err(mismatch(&[other])),
    }
}

fn written<'a>(
    run: &Run<'_, 'a>,
    (seconds, nanos): (i64, u32),
    offset: i32,
    pattern: &str,
) -> Result<Val<'a>> {
    run.step(pattern.len() / 4)?;
    let civil = time::civil(seconds, nanos, offset).ok_or_else(bad_range)?;
    let mut out = Writer::new(run);
    let is_written = write(civil, offset, pattern, &mut out);
    let text = out.finish()?;
    match is_written {
        true => Ok(text),
        false if is_pattern(pattern) => Err(EvalFault::new(
            "time_range",
            "the pattern has no text for a time: %y, %g and %D have the years 1969 to 2068, %s ends with 9999-12-30",
        )),
        false => Err(EvalFault::new(
            "bad_format",
            "a text is not a pattern for times",
        )),
    }
}

fn format<'a>(run: &Run<'_, 'a>, args: &[Val<'a>], _: Option<&'a Prepared>) -> Result<Val<'a>> {
    let [val, Val::Str(pattern)] = args else {
        return Err(mismatch(args));
    };
    written(run, instant(*val)?, 0, pattern)
}

fn format_at<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    zone: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [val, Val::Str(pattern), Val::Str(name)] = args else {
        return Err(mismatch(args));
    };
    let at = instant(*val)?;
    let offset = match zone {
        Some(Prepared::Zone(zone)) => time::offset_at(zone, at.0),
        _ => time::offset_at(&time::parse_zone(name).ok_or_else(bad_zone)?, at.0),
    };
    written(run, at, offset, pattern)
}

fn not_a_time() -> EvalFault {
    EvalFault::new("bad_timestamp", "a text is not a time in this pattern")
}

/// The parts of a time that a text spells.
fn read(run: &Run<'_, '_>, text: &str, pattern: &str) -> Result<BrokenDownTime> {
    run.step((text.len() + pattern.len()) / 4)?;
    BrokenDownTime::parse(pattern, text).map_err(|_| not_a_time())
}

/// The civil time of parts; midnight if they have no time.
pub(super) fn civil(parts: &BrokenDownTime) -> Result<DateTime> {
    let date = parts.to_date().map_err(|_| not_a_time())?;
    let time = match parts.hour() {
        None => jiff::civil::Time::midnight(),
        Some(_) => parts.to_time().map_err(|_| not_a_time())?,
    };
    Ok(date.to_datetime(time))
}

fn at_zone<'a>(parts: &BrokenDownTime, zone: &TimeZone) -> Result<Val<'a>> {
    let zone = match parts.offset() {
        Some(offset) => TimeZone::fixed(offset),
        None => zone.clone(),
    };
    let at: Timestamp = zone
        .to_ambiguous_timestamp(civil(parts)?)
        .compatible()
        .map_err(|_| bad_range())?;
    time::timestamp(at.as_nanosecond())
        .map(|(seconds, nanos)| Val::Timestamp(seconds, nanos))
        .ok_or_else(bad_range)
}

fn parse<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Str(pattern)] = args else {
        return Err(mismatch(args));
    };
    at_zone(&read(run, text, pattern)?, &TimeZone::UTC)
}

fn parse_at<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    zone: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Str(pattern), Val::Str(name)] = args else {
        return Err(mismatch(args));
    };
    let parts = read(run, text, pattern)?;
    match zone {
        Some(Prepared::Zone(zone)) => at_zone(&parts, zone),
        _ => at_zone(&parts, &time::parse_zone(name).ok_or_else(bad_zone)?),
    }
}

fn parse_date<'a>(run: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text), Val::Str(pattern)] = args else {
        return Err(mismatch(args));
    };
    let date = read(run, text, pattern)?
        .to_date()
        .map_err(|_| not_a_time())?;
    let (year, month, day) = (date.year(), date.month(), date.day());
    Ok(Val::Int(crate::codec::time::days(
        year.into(),
        month.unsigned_abs().into(),
        day.unsigned_abs().into(),
    )))
}

fn date_at<'a>(_: &Run<'_, 'a>, args: &[Val<'a>], zone: Option<&'a Prepared>) -> Result<Val<'a>> {
    let [Val::Timestamp(seconds, _), Val::Str(name)] = args else {
        return Err(mismatch(args));
    };
    let offset = match zone {
        Some(Prepared::Zone(zone)) => time::offset_at(zone, *seconds),
        _ => time::offset_at(&time::parse_zone(name).ok_or_else(bad_zone)?, *seconds),
    };
    Ok(Val::Int((seconds + i64::from(offset)).div_euclid(DAY)))
}

fn plus_days<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Int(date), Val::Int(days)] = args else {
        return Err(mismatch(args));
    };
    date.checked_add(*days)
        .filter(|sum| {
            sum.checked_mul(DAY)
                .and_then(|at| time::timestamp_of(at, 1))
                .is_some()
        })
        .map(Val::Int)
        .ok_or_else(bad_range)
}

fn same_number<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    args.first().copied().ok_or_else(|| mismatch(args))
}

/// Conversions between times and units since the epoch.
macro_rules! epochs {
    ($($to:ident, $from:ident: $per_second:expr;)*) => {$(
        fn $to<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
            let [Val::Timestamp(seconds, nanos)] = args else {
                return Err(mismatch(args));
            };
            crate::codec::time::to_units(*seconds, *nanos, $per_second, false)
                .map(Val::Int)
                .map_err(|_| int_overflow())
        }

        fn $from<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
            let [Val::Int(units)] = args else {
                return Err(mismatch(args));
            };
            time::timestamp_of(*units, $per_second)
                .map(|(seconds, nanos)| Val::Timestamp(seconds, nanos))
                .ok_or_else(bad_range)
        }
    )*};
}

epochs! {
    to_seconds, from_seconds: 1;
    to_millis, from_millis: 1_000;
    to_micros, from_micros: 1_000_000;
    to_nanos, from_nanos: 1_000_000_000;
}
