//! Expressions over the records that a real Debezium wrote.

use bumpalo::Bump;
use lockgate::codec::{Scan, Slots, Val, frame};
use lockgate::expr::{
    BeforeColumns, Cx, Datum, Env, Envelope, EventEnv, Facts, Meta, Wants, compile, eval,
};
use serde_json::Value as Json;

use crate::codec::allocations::allocations;
use crate::codec::{schema, unhex};

fn shop() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The orders: what was written, and what `fastavro` read.
fn orders(shop: &Json) -> Vec<(Vec<u8>, &Json)> {
    let records = shop["records"].as_array().unwrap().iter();
    let values = records
        .filter_map(|record| Some((unhex(record["value"].as_str()?), &record["value_decoded"])));
    values.filter(|(value, _)| value[4] == 6).collect()
}

fn env(shop: &Json) -> Env {
    let event = EventEnv {
        schema: schema(&shop["schemas"]["6"]),
        envelope: Envelope::Debezium,
        before: BeforeColumns::Only(vec!["id".into()]),
        left_out: Vec::new(),
    };
    Env {
        event: Some(event),
        ..Env::default()
    }
}

#[test]
fn expressions_read_real_events_as_another_reader_does() {
    let shop = shop();
    let env = env(&shop);
    let live = Facts::op_in(&["c", "u", "r"]);
    let mut seen = 0;
    // Each is true of every live order, by the values that the other reader found.
    type Oracle = fn(&Json) -> String;
    let claims: Vec<(&str, Oracle)> = vec![
        ("event.after.id", |row| text(&row["id"])),
        ("event.after.status", |row| text(&row["status"])),
        ("string(event.after.quantity * 2)", |row| {
            whole(&row["quantity"], 2)
        }),
        ("string(event.after.price)", |row| {
            text(&row["price"]["$decimal"])
        }),
        (
            "string(event.after.price * 1 == decimal('137.50'))",
            |row| (text(&row["price"]["$decimal"]) == "137.50").to_string(),
        ),
        ("string(int(event.after.updated_at) * 2)", |row| {
            (row["updated_at"].as_i64().unwrap().div_euclid(1_000_000) * 2).to_string()
        }),
        ("event.after.note == null ? '-' : event.after.note", |row| {
            row["note"].as_str().unwrap_or("-").to_owned()
        }),
        (
            "string(event.after.discount != null && event.after.discount > 0.05)",
            |row| {
                row["discount"]
                    .as_f64()
                    .is_some_and(|discount| discount > 0.05)
                    .to_string()
            },
        ),
    ];
    for (text, expected) in claims {
        let mut wants = Wants::new();
        let compiled = compile(text, &env, &mut wants, &live)
            .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        let reader = &env.event.as_ref().unwrap().schema;
        let scan = Scan::compile(reader, reader, wants.value()).unwrap();
        let (mut slots, mut bump) = (Slots::new(), Bump::new());
        for (value, decoded) in orders(&shop) {
            if decoded["after"].is_null() {
                continue;
            }
            bump.reset();
            let (_, datum) = frame::split(&value).unwrap();
            scan.run(datum, &mut slots).unwrap();
            let meta = Meta::default();
            let cx = Cx {
                value: Some(Datum {
                    scan: &scan,
                    bytes: datum,
                    slots: &slots,
                }),
                ..Cx::without_record(&meta, &bump)
            };
            let Val::Str(found) = eval(&compiled.node, &cx).unwrap() else {
                panic!("{text} is not text")
            };
            let expected = expected(&decoded["after"]);
            assert_eq!(found, expected, "{text} of {decoded}");
            seen += 1;
        }
    }
    assert!(seen > 100);
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

fn whole(json: &Json, times: i64) -> String {
    (json.as_i64().unwrap() * times).to_string()
}

/// Goal: conditions and arithmetic cost no allocation. Method: the counting allocator, after the arena has its first chunk.
#[test]
fn an_evaluation_allocates_nothing() {
    let shop = shop();
    let env = env(&shop);
    let texts = [
        "event.op in ['c', 'u', 'r', 'd']",
        "event.op == 'd' || event.after != null && event.after.quantity * 2 > 3",
        "has(event.after.note) && event.after.note.contains('x')",
        "event.after != null && event.after.price * event.after.quantity >= decimal('10.00')",
        "event.after != null && event.after.status.matches('^(paid|placed)$')",
        "meta.topic + '/' + string(meta.offset)",
    ];
    let mut wants = Wants::new();
    let compiled: Vec<_> = texts
        .iter()
        .map(|text| compile(text, &env, &mut wants, &Facts::none()).unwrap())
        .collect();
    let reader = &env.event.as_ref().unwrap().schema;
    let scan = Scan::compile(reader, reader, wants.value()).unwrap();
    let orders = orders(&shop);
    let (mut slots, mut bump) = (Slots::new(), Bump::new());
    let mut round = || {
        for (value, _) in &orders {
            bump.reset();
            let (_, datum) = frame::split(value).unwrap();
            scan.run(datum, &mut slots).unwrap();
            let meta = Meta {
                topic: "t",
                ..Meta::default()
            };
            let value = Datum {
                scan: &scan,
                bytes: datum,
                slots: &slots,
            };
            let cx = Cx {
                value: Some(value),
                ..Cx::without_record(&meta, &bump)
            };
            for one in &compiled {
                eval(&one.node, &cx).unwrap();
            }
        }
    };
    round();
    assert_eq!(allocations(&mut round), 0);
}
