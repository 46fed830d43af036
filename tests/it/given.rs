//! What a topology is given beside its expressions, from the file to the delivery: tables in CSV and YAML, secrets by
//! reference, schemas of JSON columns.

use std::fs;
use std::path::Path;
use std::process::Command;

const TOPOLOGY: &str = r#"
id: visits
strict: true
vars:
  pii_key: { type: secret }
  other_key: { type: secret }
tables:
  countries: { file: tables/countries.csv, key: code, columns: { name: string, vat: decimal } }
  shops: { file: tables/shops.yaml, key: id, columns: { id: int, city: string, open: bool } }
sources:
  - topic: visits
    envelope: none
    value: { avro: visit }
steps:
  - name: open
    keep: default(lookup("shops", event.shop, "open"), false)
  - name: shape
    schema: visit-out
    set:
      visitor: tokenize(vars.pii_key, event.visitor)
      seal: hex.encode(hash.hmac_sha256(vars.other_key, event.visitor))
      country: default(lookup("countries", event.country, "name"), "?")
      vat: string(default(lookup("countries", event.country, "vat"), decimal("0")))
      city: default(lookup("shops", event.shop, "city"), "?")
      total: >-
        cel.bind(cart, try(json.parse(event.cart, "cart"), error("bad_cart")),
          cart.items.exists(i, i.gift) ? decimal("0.00") : cart.total)
      first: >-
        try(json.parse(event.cart, "cart").items[0].sku, "none")
routes:
  - name: all
    kafka: { topic: visits.out, key: out.city }
dead_letter: { topic: visits.dlq }
"#;

const VISIT: &str = r#"{"type":"record","name":"Visit","fields":[
 {"name":"visitor","type":"string"}, {"name":"country","type":"string"}, {"name":"shop","type":"long"},
 {"name":"cart","type":"string"}]}"#;

const OUT: &str = r#"{"type":"record","name":"VisitOut","fields":[
 {"name":"visitor","type":"string"}, {"name":"seal","type":"string"}, {"name":"country","type":"string"},
 {"name":"vat","type":"string"},
 {"name":"city","type":"string"},
 {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
 {"name":"first","type":"string"}]}"#;

const CART: &str = r#"{"type":"record","name":"Cart","fields":[
 {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
 {"name":"items","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
   {"name":"sku","type":"string"}, {"name":"gift","type":"boolean","default":false}]}},"default":[]}]}"#;

const CASES: &str = r#"
cases:
  - name: everything is there
    value: { visitor: ann, country: DE, shop: 7, cart: '{"total": "12.50", "items": [{"sku": "a"}], "more": 1}' }
    expect:
      deliveries:
        - route: all
          key: Wien
          value: { visitor: TOKEN, seal: SEAL, country: Germany, vat: "19", city: Wien, total: "12.50", first: a }
  - name: a gift is free, and a country may be unknown
    value: { visitor: ann, country: XX, shop: 7, cart: '{"total": 3, "items": [{"sku": "b", "gift": true}]}' }
    expect:
      deliveries:
        - { route: all, value: { country: "?", vat: "0", total: "0.00", first: b } }
  - name: a closed shop
    value: { visitor: ann, country: DE, shop: 8, cart: '{}' }
    expect: { filtered: open }
  - name: a shop that is in no table
    value: { visitor: ann, country: DE, shop: 9, cart: '{}' }
    expect: { filtered: open }
  - name: a cart that is none
    value: { visitor: ann, country: DE, shop: 7, cart: '{"total": "12.505"}' }
    expect: { dead_letter: { reason: bad_cart, step: shape } }
"#;

fn lockgate(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lockgate"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("OTHER_KEY", "0123456789abcdef")
        .output()
        .unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(shown).unwrap())
}

/// A folder with the topology, what it is given, and a configuration with references to its secrets.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for name in ["avro", "tables", "secrets"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    write("visits.yaml", TOPOLOGY);
    write("visits.test.yaml", &cases());
    write("avro/visit.avsc", VISIT);
    write("avro/visit-out.avsc", OUT);
    write("avro/cart.avsc", CART);
    write(
        "tables/countries.csv",
        "code,name,vat\nDE,Germany,19\nAT,Austria,20\n",
    );
    write(
        "tables/shops.yaml",
        "- { id: 7, city: Wien, open: true }\n- { id: 8, city: Graz, open: false }\n",
    );
    write("secrets/pii_key", "fedcba9876543210\n");
    let key = folder.path().join("secrets/pii_key");
    write(
        "lockgate.toml",
        &format!(
            "[vars]\npii_key = \"file:{}\"\nother_key = \"env:OTHER_KEY\"\n",
            key.display()
        ),
    );
    folder
}

/// The cases, with what another implementation says of the keyed functions.
fn cases() -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let hmac = |key: &[u8]| {
        let code = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        let code = code.chain_update(b"ann").finalize().into_bytes();
        code.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    CASES
        .replace("TOKEN", &hmac(b"fedcba9876543210")[..32])
        .replace("SEAL", &hmac(b"0123456789abcdef"))
}

#[test]
fn tables_secrets_and_schemas_of_json_work_from_the_file_to_the_delivery() {
    let folder = project();
    let (code, shown) = lockgate(folder.path(), &["check", "visits.yaml"]);
    assert_eq!(code, Some(0), "{shown}");
    let (code, shown) = lockgate(
        folder.path(),
        &["test", "visits.yaml", "--min-coverage", "100"],
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("5 passed"), "{shown}");
}

#[test]
fn what_is_given_wrongly_is_named_once() {
    let folder = project();
    let path = folder.path().join("visits.yaml");
    let text = fs::read_to_string(&path).unwrap();
    for (from, to, code) in [
        ("\"cart\"),", "\"cort\"),", "schema_missing"),
        ("cart.total)", "cart.totl)", "unknown_field"),
        (
            "lookup(\"shops\", event.shop, \"city\")",
            "lookup(\"shop\", event.shop, \"city\")",
            "unknown_name",
        ),
        (
            "lookup(\"shops\", event.shop, \"city\")",
            "lookup(\"shops\", event.country, \"city\")",
            "type_mismatch",
        ),
        (
            "lookup(\"shops\", event.shop, \"city\")",
            "lookup(\"shops\", event.shop, \"citty\")",
            "unknown_field",
        ),
        ("tables/shops.yaml", "tables/shop.yaml", "table_unreadable"),
        (
            "try(json.parse(event.cart, \"cart\"), error(\"bad_cart\"))",
            "json.parse(event.cart, \"cart\")",
            "can_fail",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let (exit, shown) = lockgate(folder.path(), &["check", "visits.yaml", "--json"]);
        assert_eq!(exit, Some(64), "{to}: {shown}");
        let report: serde_json::Value =
            serde_json::from_str(&shown).unwrap_or_else(|why| panic!("{why}: {shown}"));
        let faults = report["faults"].as_array().unwrap();
        let errors = faults.iter().filter(|fault| fault["severity"] == "error");
        let mut codes: Vec<_> = errors
            .map(|fault| fault["code"].as_str().unwrap())
            .collect();
        codes.dedup();
        assert_eq!(codes, [code], "{to}: {shown}");
    }
}
