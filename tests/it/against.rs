//! `lockgate check --against`: every kind of change is found, from folders and from git, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockgate::topology::against::FINDINGS;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the shipped topologies and schemas.
fn copy_to(folder: &Path) {
    for part in ["avro", "topologies"] {
        let to = folder.join(part);
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(root().join(part)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// A folder with the earlier version in `old`, the present one beside it.
fn versions() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_to(folder.path());
    copy_to(&folder.path().join("old"));
    folder
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{}: {from}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Edits a schema's fields.
fn fields(path: &Path, edit: impl FnOnce(&mut Vec<Value>)) {
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    edit(schema["fields"].as_array_mut().unwrap());
    fs::write(path, schema.to_string()).unwrap();
}

fn check(folder: &Path, words: &[&str]) -> Output {
    check_path(folder, "topologies", words)
}

fn check_path(folder: &Path, checked: &str, words: &[&str]) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Command::new(env!("CARGO_BIN_EXE_lockgate"))
        .args(["check", checked])
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .output()
        .unwrap()
}

/// The exit code, and code and subject of every finding.
fn findings(folder: &Path, words: &[&str]) -> (Option<i32>, Vec<(String, String)>) {
    findings_of(folder, "topologies", words)
}

fn findings_of(
    folder: &Path,
    checked: &str,
    words: &[&str],
) -> (Option<i32>, Vec<(String, String)>) {
    let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    let output = check_path(folder, checked, &words);
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = json["findings"]
        .as_array()
        .unwrap_or_else(|| panic!("{json:#}"));
    let found = list
        .iter()
        .map(|one| (text(&one["code"]), text(&one["subject"])));
    (output.status.code(), found.collect())
}

#[test]
fn what_did_not_change_is_not_reported() {
    let folder = versions();
    assert_eq!(
        findings(folder.path(), &["--against", "old"]),
        (Some(0), Vec::new())
    );
    // Comments, layout and test cases are no changes either.
    let topology = folder.path().join("topologies/orders.yaml");
    edit(
        &topology,
        "event.after.quantity > 0",
        "event.after.quantity   >   0   # some",
    );
    fs::remove_file(folder.path().join("topologies/orders.test.yaml")).unwrap();
    assert_eq!(
        findings(folder.path(), &["--against", "old"]),
        (Some(0), Vec::new())
    );
}

#[test]
fn an_earlier_folder_of_topologies_has_its_schemas_beside_it() {
    let folder = versions();
    let words = ["--against", "old/topologies"];
    assert_eq!(findings(folder.path(), &words), (Some(0), Vec::new()));
    let orders = folder.path().join("topologies/orders.yaml");
    edit(&orders, "string(out.customer_id)", "out.order_id");
    let expected = vec![("key_changed".to_owned(), "orders, route big".to_owned())];
    assert_eq!(findings(folder.path(), &words), (Some(1), expected));
}

#[test]
fn what_cannot_be_compared_breaks() {
    let lost = |folder: &Path, words: &[&str]| {
        let (code, found) = findings(folder, words);
        assert_eq!(code, Some(1), "{found:?}");
        let lost = found.into_iter().filter(|(code, _)| code == "not_compared");
        lost.map(|(_, subject)| subject).collect::<Vec<_>>()
    };
    let folder = versions();
    // A topology without its schemas.
    fs::rename(folder.path().join("old/avro"), folder.path().join("moved")).unwrap();
    let found = lost(folder.path(), &["--against", "old"]);
    assert!(
        found.contains(&"old/topologies/orders.yaml".to_owned()),
        "{found:?}"
    );
    // A schema that no topology names, on either side.
    let folder = versions();
    let broken = |path: &str| fs::write(folder.path().join(path), "{").unwrap();
    broken("old/avro/events.avsc");
    assert_eq!(
        lost(folder.path(), &["--against", "old"]),
        ["schema events of old"]
    );
    fs::remove_file(folder.path().join("old/avro/events.avsc")).unwrap();
    broken("avro/events.avsc");
    let found = lost(folder.path(), &["--against", "old"]);
    assert_eq!(found, ["schema events of the present version"]);
    fs::remove_file(folder.path().join("avro/events.avsc")).unwrap();
    // In a version before the last, where all versions count.
    copy_to(&folder.path().join("all/v2"));
    copy_to(&folder.path().join("all/v1"));
    broken("all/v1/avro/events.avsc");
    let words = ["--against", "all"];
    assert_eq!(findings(folder.path(), &words), (Some(0), Vec::new()));
    let words = ["--against", "all", "--level", "BACKWARD_TRANSITIVE"];
    assert_eq!(lost(folder.path(), &words), ["schema events of all/v1"]);
}

#[test]
fn a_single_file_is_compared_alone() {
    let folder = versions();
    let words = ["--against", "old"];
    let orders = || findings_of(folder.path(), "topologies/orders.yaml", &words);
    assert_eq!(orders(), (Some(0), Vec::new()));
    // What belongs to the others may change as it likes.
    let other = folder.path().join("topologies/customers.yaml");
    edit(&other, "id: customers\n", "id: people\n");
    fs::remove_file(folder.path().join("avro/customers.clean-value.avsc")).unwrap();
    fs::write(folder.path().join("avro/events.avsc"), "{").unwrap();
    fs::write(folder.path().join("old/topologies/x.yaml"), "id: x\n").unwrap();
    assert_eq!(orders(), (Some(0), Vec::new()));
    // What it names may not.
    let clean = folder.path().join("avro/orders.clean-value.avsc");
    fields(&clean, |fields| {
        fields.push(serde_json::json!({ "name": "more", "type": "string", "default": "" }));
    });
    edit(
        &folder.path().join("topologies/orders.yaml"),
        "string(out.customer_id)",
        "out.order_id",
    );
    let (code, found) = orders();
    let found: BTreeSet<_> = found.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(code, Some(1));
    assert_eq!(found, BTreeSet::from(["field_added", "key_changed"]));
}

#[test]
fn a_comparison_that_errors_prevent_is_said_not_to_have_been_made() {
    let folder = versions();
    let orders = folder.path().join("topologies/orders.yaml");
    edit(&orders, "id: orders\n", "id: orders\nunknown: 1\n");
    let output = check(folder.path(), &["--against", "old"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(
        text.ends_with("against old: not compared; mend the errors first\n"),
        "{text}"
    );
    let output = check(folder.path(), &["--against", "old", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(json["against"], serde_json::json!(["old"]));
    assert_eq!(json.get("findings"), Some(&Value::Null), "{json}");
}

#[test]
fn every_kind_of_change_is_found() {
    let folder = versions();
    let (old, orders) = (
        folder.path().join("old"),
        folder.path().join("topologies/orders.yaml"),
    );
    let mut seen = BTreeSet::new();
    let mut look = |folder: &Path, words: &[&str]| -> Vec<String> {
        let (code, found) = findings(folder, words);
        let codes: Vec<String> = found.into_iter().map(|(code, _)| code).collect();
        let breaks = codes.iter().any(|code| {
            let known = FINDINGS.iter().find(|known| known.code == code).unwrap();
            known.severity == lockgate::topology::against::Severity::Break
        });
        assert_eq!(code, Some(i32::from(breaks)), "{codes:?}");
        seen.extend(codes.iter().cloned());
        codes
    };
    // Each on its own: what is changed in orders.yaml, and what must be found. Restored in between.
    let before = fs::read_to_string(&orders).unwrap();
    for (from, to, expected) in [
        ("id: orders\n", "id: sales\n", &["id_renamed"][..]),
        ("ordering: key", "ordering: none", &["ordering_weakened"]),
        (
            "ordering: key",
            "ordering: partition",
            &["ordering_strengthened"],
        ),
        (
            "start_from: earliest",
            "start_from: latest",
            &["start_from_changed"],
        ),
        (
            "replica_identity: default",
            "replica_identity: full",
            &["replica_identity_changed"],
        ),
        (
            "tombstones: forward",
            "tombstones: drop",
            &["filter_changed"],
        ),
        (
            "unavailable: dead_letter",
            "unavailable: keep",
            &["filter_changed"],
        ),
        (
            "key: { avro: shop.public.orders-key }",
            "key: { avro: shop.public.orders-key, subject: other }",
            &["source_changed"],
        ),
        (
            "event.after.quantity > 0",
            "event.after.quantity > 1",
            &["filter_changed"],
        ),
        ("default: \"1000\"", "default: \"500\"", &["filter_changed"]),
        (
            "match: all\nroutes:\n  - name: clean\n",
            "match: first\nunmatched: drop\nroutes:\n  - name: clean\n    when: meta.partition > 0\n",
            &["filter_changed"],
        ),
        (
            "dead_letter: { topic: orders.dlq }",
            "unmatched: dead_letter\ndead_letter: { topic: orders.dlq }",
            &["filter_changed"],
        ),
        (
            "{ topic: orders.dlq }",
            "{ topic: orders.dead }",
            &["dead_letter_changed"],
        ),
        (
            "topic: orders.big",
            "topic: orders.large",
            &["topic_changed"],
        ),
        (
            "value: { avro: shop.public.orders-value }",
            "value: { avro: shop.public.orders-value, id_from: confluent_header }",
            &["source_changed"],
        ),
        (
            "topic: orders.big",
            "topic: orders.big\n      cleared_for: [pii]",
            &["cleared"],
        ),
        (
            "topic: orders.big",
            "connection: other\n      topic: orders.big",
            &["connection_changed"],
        ),
        ("string(out.customer_id)", "out.order_id", &["key_changed"]),
        (
            "headers: { currency: \"${out.currency}\" }",
            "headers: { currency: EUR }",
            &["header_changed"],
        ),
        (
            "headers: { currency: \"${out.currency}\" }",
            "headers: { kind: big }",
            &["header_added", "header_removed"],
        ),
        (
            "source_lsn: event.source.lsn",
            "source_lsn: event.ts_ms",
            &["field_origin_changed"],
        ),
        (
            "  - name: big\n",
            "  - name: large\n",
            &["route_added", "route_removed"],
        ),
        (
            "schema: orders.big-value\n",
            "schema: orders.big-value\n      subject: big\n",
            &["output_schema_changed"],
        ),
    ] {
        edit(&orders, from, to);
        let found: BTreeSet<String> = look(folder.path(), &["--against", "old"])
            .into_iter()
            .collect();
        let expected: BTreeSet<String> = expected.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(found, expected, "{from} -> {to}");
        fs::write(&orders, &before).unwrap();
    }
    // Sources and whole topologies.
    edit(
        &orders,
        "sources:\n",
        "sources:\n  - { topic: more, envelope: debezium, key: { avro: shop.public.orders-key }, value: { avro: shop.public.orders-value }, tombstones: forward }\n",
    );
    assert_eq!(look(folder.path(), &["--against", "old"]), ["source_added"]);
    fs::rename(&orders, folder.path().join("kept")).unwrap();
    assert_eq!(
        look(folder.path(), &["--against", "old"]),
        ["topology_removed"]
    );
    fs::rename(folder.path().join("kept"), &orders).unwrap();
    let swapped = tempfile::tempdir().unwrap();
    copy_to(swapped.path());
    let was = folder.path().to_str().unwrap();
    assert_eq!(
        look(swapped.path(), &["--against", was]),
        ["source_removed"]
    );
    fs::remove_file(folder.path().join("topologies/customers.yaml")).unwrap();
    assert!(look(swapped.path(), &["--against", was]).contains(&"topology_added".to_owned()));
    // A version that this program does not understand is said to be left out.
    fs::write(
        old.join("topologies/customers.yaml"),
        "id: customers\nfrom: nowhere\n",
    )
    .unwrap();
    assert!(look(folder.path(), &["--against", "old"]).contains(&"not_compared".to_owned()));
    // Schemas.
    fs::write(&orders, &before).unwrap();
    let clean = folder.path().join("avro/orders.clean-value.avsc");
    fields(&clean, |fields| {
        fields.retain(|field| field["name"] != "weight_kg");
        fields.push(
            serde_json::json!({ "name": "more", "type": ["null", "string"], "default": null }),
        );
        for field in fields.iter_mut() {
            match field["name"].as_str() {
                Some("quantity") => field["type"] = "long".into(),
                Some("total") => field["type"]["scale"] = 4.into(),
                _ => {}
            }
        }
    });
    edit(&orders, "except: [payload]", "except: [payload, weight_kg]");
    edit(
        &orders,
        "from: out\n",
        "from: out\n      set: { total: \"out.price\" }\n",
    );
    fs::rename(
        folder.path().join("avro/customers.clean-value.avsc"),
        folder.path().join("avro/people.avsc"),
    )
    .unwrap();
    let found: BTreeSet<String> = look(folder.path(), &["--against", "old", "--level", "full"])
        .into_iter()
        .collect();
    for code in [
        "output_unreadable",
        "field_removed",
        "field_added",
        "schema_incompatible",
        "schema_meaning_changed",
        "schema_added",
        "schema_removed",
    ] {
        assert!(found.contains(code), "{code}: {found:?}");
    }
    fields(&clean, |fields| {
        for field in fields
            .iter_mut()
            .filter(|field| field["name"] == "quantity")
        {
            field["type"] = "int".into();
        }
    });
    fields(&old.join("avro/orders.clean-value.avsc"), |fields| {
        for field in fields
            .iter_mut()
            .filter(|field| field["name"] == "quantity")
        {
            field["type"] = "long".into();
        }
    });
    assert!(look(folder.path(), &["--against", "old"]).contains(&"field_type_changed".to_owned()));
    // There is one promise about repetition so far, so it cannot change.
    seen.insert("delivery_changed".to_owned());
    let all: BTreeSet<String> = FINDINGS.iter().map(|known| known.code.to_owned()).collect();
    assert_eq!(seen, all);
}

#[test]
fn the_transitive_levels_ask_every_version_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    copy_to(folder.path());
    let text = |default: &str| {
        format!(
            "{{\"type\":\"record\",\"name\":\"R\",\"fields\":[{{\"name\":\"a\",\"type\":\"int\"}}{default}]}}"
        )
    };
    let added = ",{\"name\":\"b\",\"type\":\"int\"}";
    let with_default = ",{\"name\":\"b\",\"type\":\"int\",\"default\":0}";
    // v9 before v10, by number: the last has the field, so only the transitive level sees the first.
    for (version, schema) in [("v9", text("")), ("v10", text(with_default))] {
        let avro = folder.path().join("versions").join(version).join("avro");
        fs::create_dir_all(&avro).unwrap();
        fs::write(avro.join("r.avsc"), schema).unwrap();
    }
    fs::write(folder.path().join("avro/r.avsc"), text(added)).unwrap();
    let of = |level: &str| {
        let (code, found) = findings(folder.path(), &["--against", "versions", "--level", level]);
        let of_r = found
            .into_iter()
            .filter(|(_, subject)| subject == "schema r");
        (code, of_r.map(|(code, _)| code).collect::<Vec<_>>())
    };
    for level in ["NONE", "BACKWARD", "FORWARD", "FULL", "FORWARD_TRANSITIVE"] {
        assert_eq!(of(level), (Some(0), Vec::new()), "{level}");
    }
    for level in ["BACKWARD_TRANSITIVE", "full_transitive"] {
        assert_eq!(
            of(level),
            (Some(1), vec!["schema_incompatible".to_owned()]),
            "{level}"
        );
    }
}

#[test]
fn an_earlier_version_may_be_a_git_revision() {
    let folder = tempfile::tempdir().unwrap();
    copy_to(folder.path());
    let git = |words: &[&str]| {
        let output = Command::new("git")
            .args([
                "-c",
                "user.email=a@example.org",
                "-c",
                "user.name=a",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(words)
            .current_dir(folder.path())
            .output()
            .expect("git is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "first"]);
    git(&["tag", "v1"]);
    let orders = folder.path().join("topologies/orders.yaml");
    edit(&orders, "string(out.customer_id)", "out.order_id");
    assert_eq!(
        findings(folder.path(), &["--against", "v1"]),
        (
            Some(1),
            vec![("key_changed".to_owned(), "orders, route big".to_owned())]
        )
    );
    git(&["commit", "-qam", "second"]);
    assert_eq!(findings(folder.path(), &["--against", "HEAD"]).0, Some(0));
    // Tables, too, are as they were: one beside the topology, and one that is elsewhere now.
    let tables = "tables:\n  codes: { file: codes.yaml, key: code, columns: { name: string } }\n  \
                  more: { file: ../tables/more.csv, key: code, columns: { name: string } }\nsources:\n";
    let before = fs::read_to_string(&orders).unwrap();
    fs::create_dir(folder.path().join("tables")).unwrap();
    fs::write(folder.path().join("tables/more.csv"), "code,name\na,b\n").unwrap();
    fs::write(
        folder.path().join("topologies/codes.yaml"),
        "- { code: a, name: b }\n",
    )
    .unwrap();
    edit(&orders, "sources:\n", tables);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "tables"]);
    fs::rename(
        folder.path().join("tables/more.csv"),
        folder.path().join("more.csv"),
    )
    .unwrap();
    edit(&orders, "../tables/more.csv", "../more.csv");
    assert_eq!(
        findings(folder.path(), &["--against", "HEAD"]),
        (Some(0), Vec::new())
    );
    git(&["checkout", "-q", "HEAD", "--", "."]);
    git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(fs::read_to_string(&orders).unwrap(), before);
    assert_eq!(findings(folder.path(), &["--against", "HEAD~1"]).0, Some(1));
    let output = check(folder.path(), &["--against", "HEAD~1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("break[key_changed]: orders, route big: the key was `string(out.customer_id)` and is `out.order_id`\n  --> topologies/orders.yaml:46\n  = for whom: "), "{text}");
    assert!(
        text.ends_with("against HEAD~1 (BACKWARD): 1 break, 0 changes\n"),
        "{text}"
    );
    for (words, said) in [
        (&["--against", "v2"][..], "has none of this name"),
        (&["--against=--upload-pack=x"], "has none of this name"),
        (
            &["--against", "v1", "--level", "half"],
            "write one of NONE, BACKWARD",
        ),
        (&["--level", "FULL"], "--against"),
        (&["--against", "topologies/orders.yaml"], "this is a file"),
    ] {
        let output = check(folder.path(), words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(
            output.stdout.is_empty() && !error.contains("fatal"),
            "{words:?}: {error}"
        );
    }
}
