//! A row of 200 columns, of which three are read.

use apache_avro::types::Value;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value as Json};

use super::{Fields, amount, maybe, record, words};
use crate::job::{Job, Made};

pub static JOB: Job = Job {
    name: "wide",
    what: "200 columns, 3 read",
    topology: include_str!("wide/job.yaml"),
    schemas: [
        ("in", include_str!("wide/in.avsc")),
        ("out", include_str!("wide/out.avsc")),
    ],
    record: row,
    mapping,
};

/// The types of the columns repeat every ten.
fn row(random: &mut StdRng, index: usize) -> Json {
    let mut columns = Map::new();
    for column in 0..200 {
        let value = match column % 10 {
            0 => (index as i64 * 200 + column).into(),
            1 => maybe(random, 0.5, |random| words(random, 2).into()),
            2 => words(random, 1).into(),
            3 => maybe(random, 0.5, |random| {
                random.random_range(0..5_000_000i64).into()
            }),
            4 => random.random_range(0..2_000i32).into(),
            5 => (f64::from(random.random_range(0..80_000)) / 8.0).into(),
            6 => maybe(random, 0.3, |random| {
                (f64::from(random.random_range(0..800)) / 8.0).into()
            }),
            7 => random.random_bool(0.8).into(),
            8 => maybe(random, 0.7, |random| {
                (1_700_000_000_000_000i64 + random.random_range(0..90_000_000_000_000i64)).into()
            }),
            _ => amount(random, 100_000, 2).into(),
        };
        columns.insert(format!("c{column:03}"), value);
    }
    columns.into()
}

fn mapping(event: Value) -> anyhow::Result<Option<Made>> {
    let mut event = Fields::of(event)?;
    Ok(Some(Made::Avro(record([
        ("id", event.take("c000")?),
        ("name", event.take("c102")?),
        ("amount", event.take("c199")?),
    ]))))
}
