//! Timestamps, durations, days: from and to text, and their parts.

use jiff::civil::DateTime;

use super::super::eval::{Result, Run, mismatch};
use super::super::{Const, EvalFault, time};
use super::convert::{SECONDS, bad_range, same};
use super::needs::{Gives, Need, Of};
use super::prepared::Prepared;
use super::{Family, Function, Plain, Prepare, Unfit, With};
use crate::codec::Val;

/// Nanoseconds of a second.
const NANOS: i64 = 1_000_000_000;
const RANGE: &[&str] = &["time_range"];
const ZONED: &[&str] = &["bad_timezone", "time_range"];

/// A zone as the second argument.
pub(super) const ZONE: Prepare = Prepare {
    arg: 1,
    make: zone,
    rules_out: &["bad_timezone"],
};

/// A part of a timestamp in UTC, or of the first instant of a day.
const fn part(signature: &'static str, body: Plain) -> Function {
    Function::new(signature, body)
}

/// A part of a timestamp at a zone.
const fn zoned(signature: &'static str, body: With) -> Function {
    Function::with(signature, ZONE, body).fails(ZONED)
}

pub(super) static FAMILY: Family = Family {
    title: "Times",
    intro: "A zone is a name of the IANA database such as `Europe/Berlin` (the database is built in), a fixed offset such as `+02:00`, or `UTC`.",
    functions: &[
        Function::new("timestamp(timestamp) -> timestamp", same)
            .doc("The value itself.")
            .examples(&[("timestamp(timestamp(0)) == timestamp(0)", "true")]),
        Function::new("timestamp(date) -> timestamp", date_to_timestamp)
            .fails(RANGE)
            .doc("The first instant of a day, in UTC.")
            .examples(&[(
                "timestamp(date('2024-01-31'))",
                "timestamp('2024-01-31T00:00:00Z')",
            )])
            .converts(),
        Function::new("timestamp(int) -> timestamp", to_timestamp)
            .fails(RANGE)
            .needs(&[Need("time_range", Of::Whole(0, SECONDS.0, SECONDS.1))])
            .doc("Seconds since 1970-01-01T00:00:00Z.")
            .examples(&[("timestamp(60)", "timestamp('1970-01-01T00:01:00Z')")])
            .converts(),
        Function::new("timestamp(string) -> timestamp", to_timestamp)
            .fails(&["bad_timestamp"])
            .doc("RFC 3339: date, `T`, time, and `Z` or an offset.")
            .examples(&[(
                "timestamp('2024-01-31T12:00:00+02:00')",
                "timestamp('2024-01-31T10:00:00Z')",
            )])
            .converts(),
        Function::new("duration(duration) -> duration", same)
            .doc("The value itself.")
            .examples(&[("duration(duration('1s'))", "duration('1s')")]),
        Function::new("duration(string) -> duration", to_duration)
            .fails(&["bad_duration"])
            .doc("Numbers with the units `h`, `m`, `s`, `ms`, `us`, `ns`.")
            .examples(&[("duration('1h30m')", "duration('5400s')")])
            .converts(),
        Function::new("date(date) -> date", same)
            .doc("The value itself.")
            .examples(&[("date(date('2024-01-31'))", "date('2024-01-31')")]),
        Function::new("date(timestamp) -> date", timestamp_to_date)
            .doc("The day of an instant, in UTC.")
            .examples(&[(
                "date(timestamp('2024-01-31T23:00:00Z'))",
                "date('2024-01-31')",
            )]),
        Function::new("date(string) -> date", text_to_date)
            .fails(&["bad_timestamp"])
            .doc("ISO 8601: `2024-01-31`.")
            .examples(&[("date('2024-01-31').getDate()", "31")])
            .converts(),
        Function::new("time(string) -> time of day", text_to_clock)
            .fails(&["bad_timestamp"])
            .doc("ISO 8601: `10:20:30.5`.")
            .examples(&[("string(time('10:20:30.50'))", "'10:20:30.5'")])
            .converts(),
        Function::new("time(timestamp) -> time of day", timestamp_to_clock)
            .doc("The time of day of an instant, in UTC.")
            .examples(&[(
                "string(time(timestamp('2024-01-31T23:00:00Z')))",
                "'23:00:00'",
            )]),
        part("timestamp.getFullYear() -> int", year)
            .gives(Gives::Whole(0, 9999))
            .doc("The year.")
            .examples(&[("timestamp('2024-01-31T00:00:00Z').getFullYear()", "2024")]),
        part("date.getFullYear() -> int", year)
            .fails(RANGE)
            .gives(Gives::Whole(0, 9999))
            .doc("The year.")
            .examples(&[("date('2024-01-31').getFullYear()", "2024")]),
        zoned("timestamp.getFullYear(string) -> int", year_at)
            .gives(Gives::Whole(0, 9999))
            .doc("The year, at a zone.")
            .examples(&[(
                "timestamp('2023-12-31T23:00:00Z').getFullYear('+02:00')",
                "2024",
            )]),
        part("timestamp.getMonth() -> int", month)
            .gives(Gives::Whole(0, 11))
            .doc("The month, January being 0.")
            .examples(&[("timestamp('2024-01-31T00:00:00Z').getMonth()", "0")]),
        part("date.getMonth() -> int", month)
            .fails(RANGE)
            .gives(Gives::Whole(0, 11))
            .doc("The month, January being 0.")
            .examples(&[("date('2024-01-31').getMonth()", "0")]),
        zoned("timestamp.getMonth(string) -> int", month_at)
            .gives(Gives::Whole(0, 11))
            .doc("The month at a zone, January being 0.")
            .examples(&[("timestamp('2024-01-31T23:00:00Z').getMonth('+02:00')", "1")]),
        part("timestamp.getDate() -> int", day)
            .gives(Gives::Whole(1, 31))
            .doc("The day of the month, from 1.")
            .examples(&[("timestamp('2024-01-31T00:00:00Z').getDate()", "31")]),
        part("date.getDate() -> int", day)
            .fails(RANGE)
            .gives(Gives::Whole(1, 31))
            .doc("The day of the month, from 1.")
            .examples(&[("date('2024-01-31').getDate()", "31")]),
        zoned("timestamp.getDate(string) -> int", day_at)
            .gives(Gives::Whole(1, 31))
            .doc("The day of the month at a zone, from 1.")
            .examples(&[("timestamp('2024-01-31T23:00:00Z').getDate('+02:00')", "1")]),
        part("timestamp.getDayOfMonth() -> int", day_from_zero)
            .gives(Gives::Whole(0, 30))
            .doc("The day of the month, from 0.")
            .examples(&[("timestamp('2024-01-31T00:00:00Z').getDayOfMonth()", "30")]),
        part("date.getDayOfMonth() -> int", day_from_zero)
            .fails(RANGE)
            .gives(Gives::Whole(0, 30))
            .doc("The day of the month, from 0.")
            .examples(&[("date('2024-01-31').getDayOfMonth()", "30")]),
        zoned("timestamp.getDayOfMonth(string) -> int", day_from_zero_at)
            .gives(Gives::Whole(0, 30))
            .doc("The day of the month at a zone, from 0.")
            .examples(&[(
                "timestamp('2024-01-31T23:00:00Z').getDayOfMonth('+02:00')",
                "0",
            )]),
        part("timestamp.getDayOfWeek() -> int", weekday)
            .gives(Gives::Whole(0, 6))
            .doc("The day of the week, Sunday being 0.")
            .examples(&[("timestamp('2024-01-31T00:00:00Z').getDayOfWeek()", "3")]),
        part("date.getDayOfWeek() -> int", weekday)
            .fails(RANGE)
            .gives(Gives::Whole(0, 6))
            .doc("The day of the week, Sunday being 0.")
            .examples(&[("date('2024-01-31').getDayOfWeek()", "3")]),
        zoned("timestamp.getDayOfWeek(string) -> int", weekday_at)
            .gives(Gives::Whole(0, 6))
            .doc("The day of the week at a zone, Sunday being 0.")
            .examples(&[(
                "timestamp('2024-01-31T23:00:00Z').getDayOfWeek('+02:00')",
                "4",
            )]),
        part("timestamp.getDayOfYear() -> int", day_of_year)
            .gives(Gives::Whole(0, 365))
            .doc("The day of the year, from 0.")
            .examples(&[("timestamp('2024-02-01T00:00:00Z').getDayOfYear()", "31")]),
        part("date.getDayOfYear() -> int", day_of_year)
            .fails(RANGE)
            .gives(Gives::Whole(0, 365))
            .doc("The day of the year, from 0.")
            .examples(&[("date('2024-02-01').getDayOfYear()", "31")]),
        zoned("timestamp.getDayOfYear(string) -> int", day_of_year_at)
            .gives(Gives::Whole(0, 365))
            .doc("The day of the year at a zone, from 0.")
            .examples(&[(
                "timestamp('2024-01-31T23:00:00Z').getDayOfYear('+02:00')",
                "31",
            )]),
        part("timestamp.getHours() -> int", hours)
            .gives(Gives::Whole(0, 23))
            .doc("The hour.")
            .examples(&[("timestamp('2024-01-31T10:20:30.5Z').getHours()", "10")]),
        zoned("timestamp.getHours(string) -> int", hours_at)
            .gives(Gives::Whole(0, 23))
            .doc("The hour, at a zone.")
            .examples(&[
                (
                    "timestamp('2024-01-31T10:20:30.5Z').getHours('-05:30')",
                    "4",
                ),
                (
                    "timestamp('2024-07-31T10:20:30Z').getHours('Europe/Berlin')",
                    "12",
                ),
            ]),
        Function::new("duration.getHours() -> int", hours_of)
            .doc("All hours of a duration.")
            .examples(&[("duration('90m').getHours()", "1")]),
        part("timestamp.getMinutes() -> int", minutes)
            .gives(Gives::Whole(0, 59))
            .doc("The minute.")
            .examples(&[("timestamp('2024-01-31T10:20:30.5Z').getMinutes()", "20")]),
        zoned("timestamp.getMinutes(string) -> int", minutes_at)
            .gives(Gives::Whole(0, 59))
            .doc("The minute, at a zone.")
            .examples(&[(
                "timestamp('2024-01-31T10:20:30.5Z').getMinutes('-05:30')",
                "50",
            )]),
        Function::new("duration.getMinutes() -> int", minutes_of)
            .doc("All minutes of a duration.")
            .examples(&[("duration('90m').getMinutes()", "90")]),
        part("timestamp.getSeconds() -> int", seconds)
            .gives(Gives::Whole(0, 59))
            .doc("The second.")
            .examples(&[("timestamp('2024-01-31T10:20:30.5Z').getSeconds()", "30")]),
        zoned("timestamp.getSeconds(string) -> int", seconds_at)
            .gives(Gives::Whole(0, 59))
            .doc("The second, at a zone.")
            .examples(&[(
                "timestamp('2024-01-31T10:20:30.5Z').getSeconds('+02:00')",
                "30",
            )]),
        Function::new("duration.getSeconds() -> int", seconds_of)
            .doc("All seconds of a duration.")
            .examples(&[("duration('90m').getSeconds()", "5400")]),
        part("timestamp.getMilliseconds() -> int", millis)
            .gives(Gives::Whole(0, 999))
            .doc("The milliseconds of the second.")
            .examples(&[(
                "timestamp('2024-01-31T10:20:30.5Z').getMilliseconds()",
                "500",
            )]),
        zoned("timestamp.getMilliseconds(string) -> int", millis_at)
            .gives(Gives::Whole(0, 999))
            .doc("The milliseconds of the second.")
            .examples(&[(
                "timestamp('2024-01-31T10:20:30.5Z').getMilliseconds('+02:00')",
                "500",
            )]),
        Function::new("duration.getMilliseconds() -> int", millis_of)
            .doc("The milliseconds of the last second of a duration.")
            .examples(&[("duration('1.5s').getMilliseconds()", "500")]),
    ],
};

fn to_timestamp<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Int(v)] => time::timestamp_of(*v, 1)
            .map(|(s, n)| Val::Timestamp(s, n))
            .ok_or_else(bad_range),
        [Val::Str(text)] => time::parse_timestamp(text)
            .map(|(s, n)| Val::Timestamp(s, n))
            .ok_or_else(|| {
                EvalFault::new("bad_timestamp", "a text is not a timestamp of RFC 3339")
            }),
        other => Err(mismatch(other)),
    }
}

fn to_duration<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] => time::parse_duration(text)
            .map(|(s, n)| Val::Duration(s, n))
            .ok_or_else(|| {
                EvalFault::new("bad_duration", "a text is not a duration such as 1h30m")
            }),
        other => Err(mismatch(other)),
    }
}

fn text_to_date<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Str(text)] => time::parse_date(text)
            .map(Val::Int)
            .ok_or_else(|| EvalFault::new("bad_timestamp", "a text is not a date of ISO 8601")),
        other => Err(mismatch(other)),
    }
}

fn text_to_clock<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let nanos = crate::codec::time::parse_time(text)
        .ok_or_else(|| EvalFault::new("bad_timestamp", "a text is not a time of ISO 8601"))?;
    Ok(Val::Duration(nanos / NANOS, (nanos % NANOS) as i32))
}

fn timestamp_to_clock<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Timestamp(seconds, nanos)] => {
            Ok(Val::Duration(seconds.rem_euclid(86_400), *nanos as i32))
        }
        other => Err(mismatch(other)),
    }
}

fn timestamp_to_date<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    match args {
        [Val::Timestamp(seconds, _)] => Ok(Val::Int(seconds.div_euclid(86_400))),
        other => Err(mismatch(other)),
    }
}

fn date_to_timestamp<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Int(days)] = args else {
        return Err(mismatch(args));
    };
    days.checked_mul(86_400)
        .and_then(|seconds| time::timestamp_of(seconds, 1))
        .map(|(s, n)| Val::Timestamp(s, n))
        .ok_or_else(bad_range)
}

/// A zone, checked.
fn zone(text: &Const) -> std::result::Result<Prepared, Unfit> {
    match text {
        Const::Str(text) => match time::parse_zone(text) {
            Some(zone) => Ok(Prepared::Zone(zone)),
            None => Err(Unfit {
                code: "bad_constant",
                message: format!("\"{text}\" is not a time zone"),
                help: "write a name of the IANA database such as \"Europe/Berlin\", an offset such as \"+02:00\", or \"UTC\"".into(),
            }),
        },
        _ => Ok(Prepared::Good),
    }
}

/// The parts of a timestamp or of a day, in UTC.
fn civil(args: &[Val]) -> Result<DateTime> {
    let (seconds, nanos) = match args {
        [Val::Timestamp(seconds, nanos)] => (*seconds, *nanos),
        [Val::Int(days)] => (days.checked_mul(86_400).ok_or_else(bad_range)?, 0),
        other => return Err(mismatch(other)),
    };
    time::civil(seconds, nanos, 0).ok_or_else(bad_range)
}

/// The parts of a timestamp, at a zone.
fn civil_at(args: &[Val], zone: Option<&Prepared>) -> Result<DateTime> {
    let [Val::Timestamp(seconds, nanos), Val::Str(text)] = args else {
        return Err(mismatch(args));
    };
    let offset = match zone {
        Some(Prepared::Zone(zone)) => time::offset_at(zone, *seconds),
        _ => {
            let zone = time::parse_zone(text).ok_or_else(bad_zone)?;
            time::offset_at(&zone, *seconds)
        }
    };
    time::civil(*seconds, *nanos, offset).ok_or_else(bad_range)
}

pub(super) fn bad_zone() -> EvalFault {
    let message = "a text is not a time zone such as Europe/Berlin or +02:00";
    EvalFault::new("bad_timezone", message)
}

/// Functions that give a part of a civil time, in UTC and at a zone.
macro_rules! parts {
    ($($name:ident, $name_at:ident: |$civil:ident| $part:expr;)*) => {$(
        fn $name<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
            let $civil = civil(args)?;
            Ok(Val::Int(i64::from($part)))
        }

        fn $name_at<'a>(_: &Run<'_, 'a>, args: &[Val<'a>], zone: Option<&'a Prepared>) -> Result<Val<'a>> {
            let $civil = civil_at(args, zone)?;
            Ok(Val::Int(i64::from($part)))
        }
    )*};
}

parts! {
    year, year_at: |civil| civil.year();
    month, month_at: |civil| civil.month() - 1;
    day, day_at: |civil| civil.day();
    day_from_zero, day_from_zero_at: |civil| civil.day() - 1;
    weekday, weekday_at: |civil| civil.weekday().to_sunday_zero_offset();
    day_of_year, day_of_year_at: |civil| civil.day_of_year() - 1;
    hours, hours_at: |civil| civil.hour();
    minutes, minutes_at: |civil| civil.minute();
    seconds, seconds_at: |civil| civil.second();
    millis, millis_at: |civil| civil.millisecond();
}

fn hours_of<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Duration(seconds, _)] = args else {
        return Err(mismatch(args));
    };
    Ok(Val::Int(seconds / 3_600))
}

fn minutes_of<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Duration(seconds, _)] = args else {
        return Err(mismatch(args));
    };
    Ok(Val::Int(seconds / 60))
}

fn seconds_of<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Duration(seconds, _)] = args else {
        return Err(mismatch(args));
    };
    Ok(Val::Int(*seconds))
}

fn millis_of<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Duration(_, nanos)] = args else {
        return Err(mismatch(args));
    };
    Ok(Val::Int(i64::from(nanos / 1_000_000)))
}
