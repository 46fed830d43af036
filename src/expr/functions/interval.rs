//! What Debezium has types of its own for, and the language has none: intervals of months, days and time, and bits.

use super::super::eval::{Result, Run, mismatch};
use super::super::{EvalFault, time};
use super::needs::{Need, Of};
use super::{Family, Function};
use crate::codec::{Decimal, Val};

pub(super) static FAMILY: Family = Family {
    title: "Intervals and bits",
    intro: "PostgreSQL keeps an interval as months, days and a time, none of which can be made of another. Debezium writes it as text under \
            `interval.handling.mode=string` (`io.debezium.time.Interval`). Columns of bits (`io.debezium.data.Bits`) are bytes, the lowest bit first.",
    functions: FUNCTIONS,
};

const FUNCTIONS: &[Function] = &[
    Function::new("interval.months(string) -> int", |_, args| {
        Ok(Val::Int(parsed(args)?.months))
    })
    .fails(&["bad_duration"])
    .doc("The years and months of an interval, in months.")
    .examples(&[
        ("interval.months('P1Y2M3DT4H5M6.78S')", "14"),
        ("interval.months('P1Y-2M')", "10"),
        ("interval.months('1 year')", "fails bad_duration"),
    ]),
    Function::new("interval.days(string) -> int", |_, args| {
        Ok(Val::Int(parsed(args)?.days))
    })
    .fails(&["bad_duration"])
    .doc("The days of an interval.")
    .examples(&[("interval.days('P1Y2M-3DT4H5M6.78S')", "-3")]),
    Function::new("interval.time(string) -> duration", |_, args| {
        let (seconds, nanos) = time::duration(parsed(args)?.nanos).ok_or_else(no_interval)?;
        Ok(Val::Duration(seconds, nanos))
    })
    .fails(&["bad_duration"])
    .doc("The hours, minutes and seconds of an interval.")
    .examples(&[
        (
            "interval.time('P1Y2M3DT4H5M6.78S')",
            "duration('4h5m6.78s')",
        ),
        ("interval.time('P0Y0M0DT0H0M-0.5S')", "duration('-0.5s')"),
    ]),
    Function::new("bits.test(bytes, int) -> bool", bit)
        .fails(&["bad_argument"])
        .needs(&[Need("bad_argument", Of::Whole(1, 0, i64::MAX))])
        .doc("Whether a bit is set, the lowest being 0. Beyond the end of the bytes no bit is.")
        .examples(&[
            ("bits.test(b'\\x05', 0) && bits.test(b'\\x05', 2)", "true"),
            ("bits.test(b'\\x05', 1) || bits.test(b'\\x05', 64)", "false"),
            ("bits.test(b'\\x05', -1)", "fails bad_argument"),
        ]),
];

const NANOS: i128 = 1_000_000_000;

/// An interval, taken apart.
#[derive(Default)]
struct Interval {
    months: i64,
    days: i64,
    nanos: i128,
}

fn no_interval() -> EvalFault {
    EvalFault::new(
        "bad_duration",
        "a text is not an interval such as P1Y2M3DT4H5M6.78S",
    )
}

fn parsed(args: &[Val]) -> Result<Interval> {
    let Val::Str(text) = args[0] else {
        return Err(mismatch(args));
    };
    read(text).ok_or_else(no_interval)
}

/// Reads numbers with a sign, each before the letter of its unit; those of a time behind a `T`.
fn read(text: &str) -> Option<Interval> {
    let mut rest = text.strip_prefix('P')?;
    let mut found = Interval::default();
    let (mut in_time, mut is_empty) = (false, true);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T').filter(|_| !in_time) {
            (rest, in_time) = (after, true);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = (&rest[..end], rest.as_bytes()[end]);
        let whole = || number.parse::<i64>().ok();
        match (in_time, unit) {
            (false, b'Y') => {
                let months = whole()?.checked_mul(12)?;
                found.months = found.months.checked_add(months)?;
            }
            (false, b'M') => found.months = found.months.checked_add(whole()?)?,
            (false, b'D') => found.days = found.days.checked_add(whole()?)?,
            (true, b'H') => found.nanos += i128::from(whole()?) * 3_600 * NANOS,
            (true, b'M') => found.nanos += i128::from(whole()?) * 60 * NANOS,
            (true, b'S') => {
                let seconds = Decimal::parse(number).ok()?.rescale(9).ok()?;
                found.nanos = found.nanos.checked_add(seconds.unscaled)?;
            }
            _ => return None,
        }
        rest = &rest[end + 1..];
        is_empty = false;
    }
    (!is_empty).then_some(found)
}

fn bit<'a>(_: &Run<'_, 'a>, args: &[Val<'a>]) -> Result<Val<'a>> {
    let [Val::Bytes(bytes), Val::Int(at)] = *args else {
        return Err(mismatch(args));
    };
    let at = u64::try_from(at)
        .map_err(|_| EvalFault::new("bad_argument", "the number of a bit is negative"))?;
    let byte = usize::try_from(at / 8).ok().and_then(|at| bytes.get(at));
    Ok(Val::Bool(
        byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1),
    ))
}
