//! What is fuzzed, as functions of bytes: the fuzz targets call them, and so does the test that replays the corpus. They panic where a
//! promise is broken.

use std::sync::{Arc, LazyLock};

use bumpalo::Bump;
use lockgate::codec::frame::{self, IdFrom, SchemaId, Side};
use lockgate::codec::json::{
    self, BigInts, Bytes, Decimals, NonFinite, Nulls, Policy, Times, Writer,
};
use lockgate::codec::{Emit, FieldSource, Scan, Slots, Want};
use lockgate::expr::{
    self, BeforeColumns, Cx, Datum, Env, Envelope, EventEnv, Facts, KeyEnv, Meta, Wants,
};
use lockgate::schema::Schema;
use lockgate::topology::fault::Source;
use lockgate::topology::files::Schemas;
use lockgate::topology::{Faults, Vars, compile_all};

/// The schemas that data are scanned with, by the first byte.
const SCHEMAS: [&str; 6] = [
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":["null","string"]},
        {"name":"c","type":{"type":"map","values":"double"}},{"name":"d","type":"bytes"},{"name":"e","type":"boolean"}]}"#,
    r#"{"type":"record","name":"L","fields":[{"name":"v","type":"long"},{"name":"next","type":["null","L"]},
        {"name":"of","type":{"type":"array","items":"L"}}]}"#,
    r#"{"type":"record","name":"D","fields":[
        {"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":40,"scale":3}},
        {"name":"b","type":{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9,"scale":2}},
        {"name":"c","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"d","type":{"type":"int","logicalType":"date"}},
        {"name":"e","type":{"type":"string","connect.name":"io.debezium.time.ZonedTimestamp"}},
        {"name":"f","type":{"type":"record","name":"V","connect.name":"io.debezium.data.VariableScaleDecimal","fields":[
            {"name":"scale","type":"int"},{"name":"value","type":"bytes"}]}}]}"#,
    r#"{"type":"record","name":"U","fields":[{"name":"u","type":["null","int","string",{"type":"array","items":"null"},
        {"type":"enum","name":"E","symbols":["A","B"]}]},{"name":"f","type":"float"}]}"#,
    r#"{"type":"record","name":"N","fields":[{"name":"n","type":{"type":"array","items":{"type":"array","items":{"type":"map","values":
        {"type":"record","name":"Z","fields":[]}}}}}]}"#,
    r#"{"type":"record","name":"T","fields":[{"name":"t","type":{"type":"fixed","name":"P","size":12,"logicalType":"duration"}},
        {"name":"u","type":{"type":"fixed","name":"Q","size":16,"logicalType":"uuid"}},
        {"name":"o","type":{"type":"long","logicalType":"time-micros"}}]}"#,
];

/// A schema with everything that runs on its data.
struct Road {
    schema: Arc<Schema>,
    scan: Scan,
    emit: Emit,
    writers: [Writer; 2],
}

static ROADS: LazyLock<Vec<Road>> =
    LazyLock::new(|| SCHEMAS.iter().map(|text| road(text)).collect());

fn road(text: &str) -> Road {
    let schema = Arc::new(Schema::parse(text).expect("the schemas here are sound"));
    let count = schema.fields(schema.root).len() as u32;
    let wants: Vec<Want> = (0..count).map(|field| Want { path: vec![field] }).collect();
    let scan = Scan::compile(&schema, &schema, &wants).expect("a schema reads itself");
    let sources: Vec<_> = (0..count as u16).map(FieldSource::Slot).collect();
    let emit = Emit::compile(&scan, &schema, &wants, &schema, &sources)
        .expect("a schema is copied into itself");
    let other = Policy {
        decimals: Decimals::Number,
        bytes: Bytes::Hex,
        big_ints: BigInts::Text,
        non_finite: NonFinite::Fault,
        times: Times::Epoch(1_000_000_000),
        nulls: Nulls::Drop,
    };
    Road {
        writers: [Policy::default(), other].map(|policy| Writer::compile(&schema, policy)),
        schema,
        scan,
        emit,
    }
}

/// Where the schema id stands: the first byte chooses, the second says how long the header is.
pub fn frame(data: &[u8]) {
    let [choice, length, rest @ ..] = data else {
        return;
    };
    let from = [
        IdFrom::Payload,
        IdFrom::Confluent,
        IdFrom::ApicurioContent,
        IdFrom::ApicurioGlobal,
    ][usize::from(choice % 4)];
    let side = if choice & 4 == 0 {
        Side::Key
    } else {
        Side::Value
    };
    let (header, payload) = rest.split_at(rest.len().min(usize::from(*length)));
    let name = from.header(side).unwrap_or("other");
    let headers = [(name.as_bytes(), Some(header)), (&b"\xff"[..], None)];
    match frame::locate(from, side, &headers, payload) {
        Ok((id, datum)) => {
            assert!(payload.ends_with(datum));
            assert!(id != SchemaId::Number(0));
            if let (SchemaId::Number(number), true) = (id, datum.len() < payload.len()) {
                let mut again = Vec::new();
                frame::write(number, &mut again);
                again.extend_from_slice(datum);
                assert_eq!(again, payload);
            }
        }
        Err(reason) => assert!(matches!(reason, "bad_frame" | "bad_id_header")),
    }
}

/// A datum: what the scan accepts can be written, in Avro and as JSON, and means the same there.
pub fn scan(data: &[u8]) {
    let [choice, datum @ ..] = data else { return };
    let road = &ROADS[usize::from(*choice) % SCHEMAS.len()];
    let (mut slots, bump) = (Slots::new(), Bump::new());
    if road.scan.run(datum, &mut slots).is_err() {
        return;
    }
    let mut out = Vec::new();
    let mut text = String::new();
    for writer in &road.writers {
        out.clear();
        match writer.write(datum, &mut text, &mut out) {
            Ok(()) => {
                let parsed = serde_json::from_slice::<serde_json::Value>(&out);
                parsed.expect("what is written as JSON is JSON");
            }
            Err(_) => assert!(out.is_empty()),
        }
    }
    out.clear();
    let wrote = road
        .emit
        .run(&road.scan, datum, &slots, &[], &bump, &mut out);
    if wrote.is_ok() {
        let before = json::to_json(&road.schema, datum).map_err(|fault| fault.reason);
        let after = json::to_json(&road.schema, &out).map_err(|fault| fault.reason);
        assert_eq!(before, after);
    }
}

/// An expression: compiled against an event, and evaluated if it compiles.
pub fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let road = &ROADS[0];
    let env = Env {
        event: Some(EventEnv {
            schema: road.schema.clone(),
            envelope: Envelope::None,
            before: BeforeColumns::All,
            left_out: Vec::new(),
        }),
        key: KeyEnv::String,
        ..Env::default()
    };
    let mut wants = Wants::new();
    let compiled = match expr::compile(text, &env, &mut wants, &Facts::none()) {
        Ok(compiled) => compiled,
        Err(faults) => {
            assert!(!faults.is_empty());
            assert!(faults.iter().all(|fault| fault.start <= text.len()));
            return;
        }
    };
    let scan =
        Scan::compile(&road.schema, &road.schema, wants.value()).expect("a schema reads itself");
    let datum: &[u8] = &[14, 2, 4, b'h', b'i', 0, 4, 1, 2, 1];
    let (mut slots, bump) = (Slots::new(), Bump::new());
    scan.run(datum, &mut slots).expect("the datum is sound");
    let meta = Meta {
        topic: "t",
        partition: 0,
        offset: 1,
        timestamp_ms: Some(0),
        key: Some(b"k"),
        headers: &[],
    };
    let cx = Cx {
        value: Some(Datum {
            scan: &scan,
            bytes: datum,
            slots: &slots,
        }),
        ..Cx::without_record(&meta, &bump)
    };
    let _ = expr::eval(&compiled.node, &cx);
}

/// A topology file: it is compiled, or has faults that can be shown.
pub fn topology(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut faults = Faults::default();
    let source = Arc::new(Source::new("fuzz.yaml", text));
    let mut schemas = Schemas::embedded([("event", SCHEMAS[0])]);
    let plans = compile_all(&[source], &mut schemas, &Vars::new(), &mut faults);
    assert!(!plans.is_empty() || faults.iter().count() > 0);
    for fault in faults.iter() {
        assert!(fault.position().0 > 0);
    }
    faults.render(false);
}
