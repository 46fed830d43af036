//! Exact amounts and their rounding, one instant at three zones.

use std::sync::LazyLock;

use anyhow::anyhow;
use apache_avro::types::Value;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value as Json, json};

use super::{Fields, amount, decimal, maybe, record, unscaled, words};
use crate::job::{Job, Made};

pub static JOB: Job = Job {
    name: "money",
    what: "decimals and time zones",
    topology: include_str!("money/job.yaml"),
    schemas: [
        ("in", include_str!("money/in.avsc")),
        ("out", include_str!("money/out.avsc")),
    ],
    record: payment,
    mapping,
};

const CURRENCIES: &[&str] = &["EUR", "USD", "JPY"];

fn payment(random: &mut StdRng, index: usize) -> Json {
    let booked = 1_700_000_000_000_000i64 + random.random_range(0..90_000_000_000_000i64);
    json!({
        "id": 7_000_000 + index, "amount": amount(random, 1_000_000, 2), "fee": amount(random, 1_000, 4), "rate": amount(random, 10, 6),
        "quantity": random.random_range(1..500), "currency": CURRENCIES.choose(random),
        "booked_at": booked, "paid_at": maybe(random, 0.7, |random| (booked + random.random_range(0..200_000_000_000i64)).into()),
        "reference": words(random, 3),
    })
}

struct Zones {
    berlin: TimeZone,
    new_york: TimeZone,
    tokyo: TimeZone,
}

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let zone = |name| TimeZone::get(name).expect("a zone of the database");
    Zones {
        berlin: zone("Europe/Berlin"),
        new_york: zone("America/New_York"),
        tokyo: zone("Asia/Tokyo"),
    }
});

const DAY_MICROS: i64 = 86_400_000_000;

fn mapping(event: Value) -> anyhow::Result<Option<Made>> {
    let mut event = Fields::of(event)?;
    let (amount, fee) = (
        unscaled(&event.take("amount")?)?,
        unscaled(&event.take("fee")?)?,
    );
    let rate = unscaled(&event.take("rate")?)?;
    let (Value::Int(quantity), Value::TimestampMicros(booked)) =
        (event.take("quantity")?, event.take("booked_at")?)
    else {
        return Err(anyhow!("quantity and booked_at"));
    };
    let late = match event.take("paid_at")? {
        Value::Union(_, inner) => {
            matches!(*inner, Value::TimestampMicros(paid) if paid - booked > DAY_MICROS)
        }
        other => return Err(anyhow!("paid_at, not {other:?}")),
    };
    let zones = &*ZONES;
    let at = Timestamp::from_microsecond(booked)?;
    let berlin = zones.berlin.to_datetime(at).date();
    let new_york = zones.new_york.to_datetime(at);
    let tokyo = zones.tokyo.to_datetime(at);
    let local = format!(
        "{:02}.{:02}.{:04} {:02}:{:02}",
        tokyo.day(),
        tokyo.month(),
        tokyo.year(),
        tokyo.hour(),
        tokyo.minute()
    );
    Ok(Some(Made::Avro(record([
        ("id", event.take("id")?),
        ("gross", decimal(amount * i128::from(quantity) * 100 + fee)),
        ("net", decimal(half_even(amount * rate, 1_000_000))),
        ("share", decimal((amount * 2 + 3).div_euclid(6))),
        ("currency", event.take("currency")?),
        ("day", Value::String(berlin.to_string())),
        ("hour", Value::Int(new_york.hour().into())),
        ("local", Value::String(local)),
        (
            "due",
            Value::TimestampMillis((booked + 30 * DAY_MICROS).div_euclid(1_000)),
        ),
        ("late", Value::Boolean(late)),
        ("reference", event.take("reference")?),
    ]))))
}

/// A quotient of numbers that are not negative, a tie to the even digit.
fn half_even(number: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (number / divisor, number % divisor);
    match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
        std::cmp::Ordering::Greater => quotient + 1,
    }
}
