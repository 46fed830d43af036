//! The 48 records that a real Debezium wrote for the shop go through the shipped topologies: verdicts, values, no
//! allocation.

use std::path::PathBuf;
use std::sync::Arc;

use lockgate::codec::frame::SchemaId;
use lockgate::codec::{frame, json};
use lockgate::pipeline::process::{Input, Outputs, Part, Processor, Verdict};
use lockgate::schema::Schema;
use lockgate::topology::{self, Plan, Vars};
use serde_json::Value;

use super::codec::allocations;

struct Record {
    topic: String,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    decoded: Value,
}

fn shop() -> (Vec<Record>, Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/shop.json");
    let data: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let records = data["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| Record {
            topic: record["topic"].as_str().unwrap().to_owned(),
            key: unhex(record["key"].as_str().unwrap()),
            value: record["value"].as_str().map(unhex),
            decoded: record["value_decoded"].clone(),
        });
    (records.collect(), data["schemas"].clone())
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn plans() -> Vec<Arc<Plan>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    topology::load(&[root.join("topologies")], None, &Vars::new())
        .unwrap_or_else(|faults| panic!("{}", faults.render(false)))
}

/// A plan, its processor, and the programs of the writer schemas of its source.
struct Road {
    plan: Arc<Plan>,
    processor: Processor,
    key: topology::program::KeyProgram,
    value: topology::program::ValueProgram,
}

fn road(plan: Arc<Plan>, schemas: &Value, records: &[Record]) -> Road {
    let record = records
        .iter()
        .find(|record| record.topic == plan.sources[0].topic && record.value.is_some())
        .unwrap();
    let ids = plan
        .ids(0, Some(&record.key), record.value.as_deref(), &[])
        .unwrap();
    let writer = |id: Option<SchemaId>| {
        Schema::parse(&schemas[id.unwrap().to_string()].to_string()).unwrap()
    };
    let schema_ids = (0..plan.schemas.len() as u32)
        .map(|index| 100 + index)
        .collect();
    Road {
        key: plan
            .compile_key(0, ids.key.unwrap(), &writer(ids.key))
            .unwrap(),
        value: plan
            .compile_value(0, ids.value.unwrap(), &writer(ids.value))
            .unwrap(),
        processor: Processor::new(plan.clone(), schema_ids),
        plan,
    }
}

impl Road {
    fn process(&mut self, record: &Record, outputs: &mut Outputs) -> Verdict {
        let input = Input {
            source: 0,
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: Some(&record.key),
            value: record.value.as_deref(),
            headers: &[],
        };
        let value = record.value.as_ref().map(|_| &self.value);
        self.processor
            .process(Some(&self.key), value, &input, outputs)
    }
}

#[test]
fn all_48_records_of_the_shop_end_as_they_must() {
    let (records, schemas) = shop();
    assert_eq!(records.len(), 48);
    let mut seen = 0;
    for plan in plans() {
        let mut road = road(plan.clone(), &schemas, &records);
        for record in records
            .iter()
            .filter(|record| record.topic == plan.sources[0].topic)
        {
            seen += 1;
            let mut outputs = Outputs::default();
            let verdict = road.process(record, &mut outputs);
            match record.decoded["op"].as_str() {
                Some("d") => {
                    let Verdict::Filtered(step) = verdict else {
                        panic!("{verdict:?}")
                    };
                    assert_eq!(plan.steps[usize::from(step)].name, "live");
                }
                Some(_) => {
                    assert_eq!(verdict, Verdict::Deliver);
                    delivered(&road.plan, record, &outputs);
                }
                None => {
                    assert_eq!(verdict, Verdict::Deliver);
                    assert_eq!(outputs.list.len(), 1);
                    assert_eq!(outputs.list[0].value, Part::Null);
                }
            }
        }
    }
    assert_eq!(seen, 48);
}

/// The first output holds the row that `fastavro` read.
fn delivered(plan: &Plan, record: &Record, outputs: &Outputs) {
    let after = &record.decoded["after"];
    let output = outputs.list[0];
    let (id, datum) = frame::split(outputs.part(output.value, None).unwrap()).unwrap();
    let out = json::to_json(&plan.schemas[id as usize - 100].schema, datum).unwrap();
    let same: &[(&str, &str)] = match plan.id.as_str() {
        "orders" => &[
            ("order_id", "id"),
            ("customer_id", "customer_id"),
            ("status", "status"),
            ("currency", "currency"),
            ("quantity", "quantity"),
            ("discount", "discount"),
            ("note", "note"),
        ],
        _ => &[
            ("id", "id"),
            ("email", "email"),
            ("full_name", "full_name"),
            ("vip", "vip"),
            ("tags", "tags"),
            ("address", "address"),
            ("created_at", "created_at"),
        ],
    };
    for (to, from) in same {
        assert_eq!(out[to], after[from], "{to} of {out}");
    }
    if plan.id == "orders" {
        let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        let price = after["price"]["$decimal"].as_str().unwrap();
        assert_eq!(out["price"], price);
        let total = cents(price) * after["quantity"].as_i64().unwrap();
        assert_eq!(cents(out["total"].as_str().unwrap()), total);
        let announced = outputs
            .list
            .iter()
            .any(|output| plan.routes[usize::from(output.route)].name == "big");
        assert_eq!(announced, total >= 100_000, "a total of {total} cents");
        let day: jiff::civil::Date = out["placed_on"].as_str().unwrap().parse().unwrap();
        let days = day.since(jiff::civil::date(1970, 1, 1)).unwrap().get_days();
        assert_eq!(i64::from(days), after["placed_on"].as_i64().unwrap());
        let updated: jiff::civil::DateTime = out["updated_at"].as_str().unwrap().parse().unwrap();
        let updated = updated
            .to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap()
            .timestamp()
            .as_microsecond();
        assert_eq!(updated, after["updated_at"].as_i64().unwrap());
    }
}

/// The shipped topology of orders, with every route in JSON, and keys in Avro.
fn orders_as_json() -> Arc<Plan> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("topologies/orders.yaml")).unwrap();
    let key = "key: meta.key.id";
    assert!(text.contains(key));
    let text = text.replace(
        key,
        "key: { schema: shop.public.orders-key, set: { id: meta.key.id } }",
    );
    let text = text.replace("    kafka:\n", "    kafka:\n      format: json\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.yaml");
    std::fs::write(&path, text).unwrap();
    topology::load(&[path], Some(&root.join("avro")), &Vars::new())
        .unwrap_or_else(|faults| panic!("{}", faults.render(false)))
        .remove(0)
}

#[test]
fn a_record_allocates_nothing_on_its_way() {
    let (records, schemas) = shop();
    for plan in plans().into_iter().chain([orders_as_json()]) {
        let mut road = road(plan.clone(), &schemas, &records);
        let own: Vec<_> = records
            .iter()
            .filter(|record| record.topic == plan.sources[0].topic)
            .collect();
        let mut outputs = Outputs::default();
        let mut round = |outputs: &mut Outputs| {
            for record in &own {
                outputs.clear();
                road.process(record, outputs);
            }
        };
        // The first rounds let buffers grow to their size.
        round(&mut outputs);
        round(&mut outputs);
        let allocated = allocations(|| round(&mut outputs));
        assert_eq!(allocated, 0, "{} of {} records", plan.id, own.len());
    }
}
