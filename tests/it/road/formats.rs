//! Schema ids in headers, keys in Avro, values in JSON: over the broker, not only in memory.

use std::collections::BTreeMap;

use lockgate::codec::{frame, json};
use lockgate::kafka::partition_for;
use lockgate::schema::Schema;
use rdkafka::message::{Header, OwnedHeaders};

use super::world::{PARTITIONS, World, done, drain, plan_of, until};

const KEY: &str = r#"{"type": "record", "name": "OutKey", "fields": [{"name": "key", "type": "string"},
    {"name": "parity", "type": "int"}]}"#;

const TOPOLOGY: &str = "
id: road
sources:
  - topic: in
    envelope: none
    key: string
    value: { avro: event, id_from: confluent_header }
routes:
  - name: out
    kafka:
      topic: out
      key: { schema: out-key, set: { key: event.key, parity: event.sequence % 2 } }
      format: json
dead_letter: { topic: dlq }
";

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_avro_stay_together_and_in_order_and_ids_come_from_headers() {
    const EVENTS: i64 = 600;
    let world = World::new().await;
    let key_id = world.registry.register("out-key", KEY);
    let guid = [&[1][..], &world.registry.guid(world.event_id)].concat();
    for index in 0..EVENTS {
        let (key, sequence) = (format!("key-{}", index % 7), index / 7);
        let framed = world.framed(world.event_id, &key, sequence, "\"näßig\"");
        // A topic on its way from frames to headers holds both.
        if index % 5 == 0 {
            world.send(key.as_bytes(), Some(&framed));
            continue;
        }
        let headers = OwnedHeaders::new().insert(Header {
            key: "__value_schema_id",
            value: Some(&guid),
        });
        world.send_with(
            key.as_bytes(),
            Some(&framed[frame::HEADER_BYTES..]),
            headers,
        );
    }
    let odd = OwnedHeaders::new().insert(Header {
        key: "__value_schema_id",
        value: Some("?"),
    });
    world.send_with(b"key-0", Some(b"xy"), odd);
    world.flush();
    let worker = world.worker_on(plan_of(TOPOLOGY, &[("out-key", KEY)]), &[]);
    until("all records are done", || {
        done(&worker) == EVENTS as u64 + 1
    })
    .await;
    let account = drain(worker).await;
    assert_eq!(account.disposed, [EVENTS as u64, 0, 1, 0]);

    let letters = world.read("dlq");
    assert_eq!(letters[0].header("lockgate.dlq.reason"), "bad_id_header");
    let schema = Schema::parse(KEY).unwrap();
    let mut last: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let arrivals = world.read("out");
    assert_eq!(arrivals.len() as i64, EVENTS);
    for arrival in arrivals {
        let bytes = arrival.key.unwrap();
        assert_eq!(arrival.partition, partition_for(&bytes, PARTITIONS));
        let (id, datum) = frame::split(&bytes).unwrap();
        assert_eq!(id, key_id);
        let key = json::to_json(&schema, datum).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&arrival.value.unwrap()).unwrap();
        assert_eq!(value["key"], key["key"]);
        assert_eq!(value["filler"], "\"näßig\"");
        let sequence = value["sequence"].as_i64().unwrap();
        assert_eq!(key["parity"], sequence % 2);
        let before = last.insert(bytes, sequence);
        assert!(
            before.is_none_or(|before| before + 2 == sequence),
            "{before:?} then {sequence}"
        );
    }
    assert_eq!(last.len(), 14);
}
