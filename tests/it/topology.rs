//! Topologies: every fault code has a file that provokes it, the shipped topologies hold what they promise, documents and
//! JSON Schema agree with the code. `UPDATE=1 cargo test` writes the expected texts anew: read the diff.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lockgate::topology::files::Schemas;
use lockgate::topology::{self, Faults, Vars, codes};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a text with a committed file, or writes the file if asked to.
fn assert_committed(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, text).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "{} differs from what the code makes; run with UPDATE=1 and read the diff:\n{text}",
        path.display()
    );
}

fn check(paths: &[&Path]) -> Faults {
    check_with(paths, &Vars::new())
}

/// With the configuration's variables, and the test cases that stand beside a sound file.
fn check_with(paths: &[&Path], vars: &Vars) -> Faults {
    use lockgate::topology::cases;
    let avro = Path::new("tests/check/avro");
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let (plans, mut faults) = topology::check(&paths, Some(avro), vars);
    for plan in &plans {
        if let Some(path) = cases::beside(&plan.path) {
            cases::read(&path, plan, &mut Schemas::new(Some(avro)), &mut faults);
        }
    }
    faults.sort();
    faults
}

/// The variables that a file is checked with, where they stand beside it: `x.vars.json` beside `x.yaml`.
fn vars_beside(path: &Path) -> Vars {
    match fs::read_to_string(path.with_extension("vars.json")) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => Vars::new(),
    }
}

#[test]
fn every_fault_code_has_a_file_that_provokes_it_and_its_text() {
    let mut provoked = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(root().join("tests/check"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "yaml"))
        .filter(|path| path.file_name().is_some_and(|name| name != "avro"))
        .filter(|path| !path.to_string_lossy().ends_with(".test.yaml"))
        .collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let shown = Path::new("tests/check").join(entry.file_name().unwrap());
        let faults = check_with(&[&shown], &vars_beside(&entry));
        let found: BTreeSet<_> = faults.iter().map(|fault| fault.code).collect();
        // `can_fail-strict` is a second file for the code `can_fail`; one that ends in `-handled` shows how it is avoided.
        let (code, kind) = name.split_once('-').unwrap_or((&name, ""));
        let expected = match kind {
            _ if kind.ends_with("handled") => !found.contains(code),
            // One mistake is one fault: nothing is told that only follows from it.
            _ if kind.ends_with("once") => {
                faults.iter().map(|fault| fault.code).collect::<Vec<_>>() == [code]
            }
            _ => code == "ten" || found.contains(code),
        };
        if !expected {
            wrong.push(format!("{name}: found {found:?}"));
        }
        for fault in faults.iter() {
            assert!(
                codes::faults().any(|known| known.code == fault.code),
                "{name}: the code {} is not in the table",
                fault.code
            );
        }
        provoked.extend(found);
        assert_committed(&entry.with_extension("txt"), &faults.render(false));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for known in codes::faults() {
        assert!(
            provoked.contains(known.code),
            "no file in tests/check provokes {}",
            known.code
        );
    }
}

#[test]
fn all_fields_that_nothing_reads_are_in_the_json() {
    let faults = check(&[Path::new("tests/check/unread_fields-nested.yaml")]);
    let json = faults.to_json();
    let note = json["faults"].as_array().unwrap().iter();
    let names: Vec<_> = note
        .filter(|fault| fault["code"] == "unread_fields")
        .flat_map(|fault| fault["names"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    let agent = "name version engine platform language height depth mobile touch cookies";
    let agent = agent.split(' ').map(|name| format!("agent.{name}"));
    let home = [
        "home.floor",
        "home.place.lat",
        "home.place.lon",
        "home.place.around.lon",
        "home.place.around.around",
        "work",
    ];
    let expected: Vec<_> = home.map(String::from).into_iter().chain(agent).collect();
    assert_eq!(names, expected);
}

#[test]
fn the_language_reference_is_made_from_the_table_of_functions() {
    assert_committed(
        &root().join("docs/LANGUAGE.md"),
        &lockgate::expr::reference(),
    );
}

#[test]
fn ten_planted_faults_are_all_named_in_one_run() {
    let faults = check(&[Path::new("tests/check/ten")]);
    let found: Vec<_> = faults
        .iter()
        .map(|fault| {
            let file = fault
                .file
                .path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (file, fault.position().0, fault.code)
        })
        .collect();
    let expected = [
        ("a.yaml", "wrong_value"),
        ("a.yaml", "unknown_field"),
        ("a.yaml", "unknown_field"),
        ("a.yaml", "unknown_field"),
        ("a.yaml", "key_type"),
        ("a.yaml", "dead_letter_topic"),
        ("b.yaml", "duplicate_id"),
        ("b.yaml", "yaml_tag"),
        ("b.yaml", "schema_missing"),
        ("b.yaml", "yaml_quote"),
    ];
    let mut left = found.clone();
    for (file, code) in expected {
        let at = left.iter().position(|one| one.0 == file && one.2 == code);
        left.remove(at.unwrap_or_else(|| panic!("{file}: {code} is missing in {found:?}")));
    }
}

#[test]
fn faults_as_json_are_as_the_contract_says() {
    let faults = check(&[Path::new("tests/check/unknown_key.yaml")]).to_json();
    let first = &faults["faults"][0];
    for key in [
        "code", "severity", "file", "line", "column", "message", "help",
    ] {
        assert!(first.get(key).is_some(), "{key} is missing in {first}");
    }
    assert_eq!(first["file"], "tests/check/unknown_key.yaml");
    assert_eq!(first["severity"], "error");
}

/// Runs the cases of all topologies of a folder; panics with the differences.
fn run_cases(folder: &str, avro: &str) -> usize {
    use lockgate::topology::cases::{self, Outcome};
    let avro = root().join(avro);
    let plans = topology::load(&[root().join(folder)], Some(&avro), &Vars::new());
    let plans = plans.unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    let mut count = 0;
    for plan in &plans {
        let path = cases::beside(&plan.path).expect("every topology has test cases");
        let mut faults = Faults::default();
        let cases = cases::read(&path, plan, &mut Schemas::new(Some(&avro)), &mut faults)
            .unwrap_or_else(|| panic!("{}", faults.render(false)));
        for case in &cases.list {
            count += 1;
            match cases::run(plan, case).outcome {
                Outcome::Passed => {}
                Outcome::Failed(differences) => {
                    let shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
                    panic!("{}: {}\n{}", plan.id, case.name, shown.join("\n"));
                }
                Outcome::Broken(why) => panic!("{}: {}: {why}", plan.id, case.name),
            }
        }
    }
    count
}

#[test]
fn the_shipped_topologies_pass_their_test_cases() {
    assert!(run_cases("topologies", "avro") >= 19);
}

#[test]
fn every_turn_of_the_road_ends_as_its_case_says() {
    assert!(run_cases("tests/topologies", "avro") >= 19);
}

#[test]
fn every_format_of_keys_and_values_comes_out_as_its_case_says() {
    assert!(run_cases("tests/formats", "tests/formats/avro") >= 8);
}

#[test]
fn a_key_in_avro_is_checked_like_a_mapping() {
    let text = fs::read_to_string(root().join("tests/formats/keys.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wrong = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let path = folder.path().join("keys.yaml");
        fs::write(&path, text.replace(from, to)).unwrap();
        let avro = root().join("tests/formats/avro");
        let faults = topology::load(&[path], Some(&avro), &Vars::new()).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(found.len(), 1, "{}", faults.render(false));
        (found[0], faults.render(false))
    };
    let (code, shown) = wrong("value: event.number", "set: { number: event.number }");
    assert_eq!(code, "missing_key");
    assert!(shown.contains("`number-key` is no record"), "{shown}");
    let (code, shown) = wrong("value: event.number", "value: event.number, from: event");
    assert_eq!(code, "conflicting_keys");
    assert!(shown.contains("it has no fields"), "{shown}");
    let (code, shown) = wrong(
        "from: event, except: [note]",
        "value: event.id, from: event, except: [note]",
    );
    assert_eq!(code, "conflicting_keys", "{shown}");
    let (code, shown) = wrong("value: event.number", "value: event.note");
    assert_eq!(code, "may_be_null", "{shown}");
    let (code, shown) = wrong("value: event.number", "value: event.id");
    assert_eq!(code, "wrong_field_type");
    assert!(shown.contains("number-key"), "{shown}");
    let (code, shown) = wrong(
        "{ id: event.id, amount: event.amount }",
        "{ amount: event.amount }",
    );
    assert_eq!(code, "field_missing", "{shown}");
    let (code, shown) = wrong("schema: number-key", "schema: numer-key");
    assert_eq!(code, "schema_missing", "{shown}");
}

#[test]
fn a_route_that_says_two_things_about_its_value_is_refused() {
    let text = fs::read_to_string(root().join("tests/formats/json.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let avro = root().join("tests/formats/avro");
    let path = folder.path().join("json.yaml");
    for (from, to, shown) in [
        (
            "topic: json.own, format: json",
            "topic: json.own, value: out.note",
            "makes another one",
        ),
        (
            "value: event.note",
            "value: event.note, format: avro",
            "in no format",
        ),
        ("format: json, json: {", "json: {", "this route writes none"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let faults =
            topology::load(std::slice::from_ref(&path), Some(&avro), &Vars::new()).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(found, ["conflicting_keys"], "{}", faults.render(false));
        assert!(
            faults.render(false).contains(shown),
            "{}",
            faults.render(false)
        );
    }
}

#[test]
fn only_schemas_whose_id_is_sent_must_be_registered() {
    let load = |file: &str| {
        let path = root().join("tests/formats").join(file);
        topology::load(
            &[path],
            Some(&root().join("tests/formats/avro")),
            &Vars::new(),
        )
        .unwrap()
    };
    let framed = |file: &str| {
        let plan = load(file).remove(0);
        let framed = plan.schemas.iter().filter(|schema| schema.is_framed);
        framed
            .map(|schema| schema.subject.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(framed("json.yaml"), [""; 0]);
    assert_eq!(
        framed("keys.yaml"),
        ["line-key", "number-key", "erasable-key"]
    );
}

#[test]
fn a_wrong_expectation_fails_its_case() {
    use lockgate::topology::cases::{self, Outcome};
    let folder = tempfile::tempdir().unwrap();
    let topology = folder.path().join("orders.yaml");
    fs::copy(root().join("topologies/orders.yaml"), &topology).unwrap();
    let text = fs::read_to_string(root().join("topologies/orders.test.yaml")).unwrap();
    let wrong = text.replace("total: \"59.97\"", "total: \"59.98\"");
    fs::write(folder.path().join("orders.test.yaml"), wrong).unwrap();
    let plans = topology::load(&[topology], Some(&root().join("avro")), &Vars::new()).unwrap();
    let path = cases::beside(&plans[0].path).unwrap();
    let cases = cases::read(
        &path,
        &plans[0],
        &mut Schemas::new(None),
        &mut Faults::default(),
    )
    .unwrap();
    let Outcome::Failed(differences) = cases::run(&plans[0], &cases.list[0]).outcome else {
        panic!("the case passed")
    };
    assert_eq!(
        differences[0].to_string(),
        "deliveries[0].value.total\n  - \"59.98\"\n  + \"59.97\""
    );
}

#[test]
fn a_file_that_holds_nothing_is_no_sound_topology() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.yaml");
    for text in ["", "# not yet\n", "---\n...\n"] {
        fs::write(&path, text).unwrap();
        let faults = topology::load(std::slice::from_ref(&path), None, &Vars::new()).unwrap_err();
        assert!(faults.iter().count() > 0, "{text:?}");
    }
}

#[test]
fn faults_of_test_cases_are_named() {
    use lockgate::topology::cases;
    let plans =
        topology::load(&[root().join("topologies/orders.yaml")], None, &Vars::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.test.yaml");
    let text = "cases:\n  - name: a\n    source: nowhere\n    expect: { filtered: x }\n  - name: b\n    value_hex: 0g\n    \
                expected: {}\n    expect: { filtered: x }\n  - name: c\n    key_base64: \"*\"\n    expect: { filtered: x }\n  \
                - name: d\n    value: null\n    value_hex: \"00\"\n    expect: { filtered: x }\n";
    fs::write(&path, text).unwrap();
    let mut faults = Faults::default();
    assert!(cases::read(&path, &plans[0], &mut Schemas::new(None), &mut faults).is_none());
    let codes: BTreeSet<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(
        codes,
        BTreeSet::from([
            "case_source",
            "case_hex",
            "case_base64",
            "conflicting_keys",
            "unknown_key"
        ])
    );
    let missing = folder.path().join("missing.yaml");
    let faults = topology::load(&[missing], None, &Vars::new()).unwrap_err();
    assert_eq!(faults.iter().next().unwrap().code, "file_unreadable");
}

#[test]
fn the_json_schema_is_committed_and_accepts_what_is_shipped() {
    use lockgate::topology::{fault::Source, json_schema, yaml};
    let schema = json_schema::topology();
    assert_committed(
        &root().join("topologies/topology.schema.json"),
        &format!("{schema:#}\n"),
    );
    let parse = |text: &str| {
        let source = std::sync::Arc::new(Source::new("t.yaml", text));
        yaml::parse(&source, &mut Faults::default())
            .unwrap()
            .to_json()
    };
    for folder in ["topologies", "tests/topologies", "tests/formats"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.ends_with(".yaml") || name.ends_with(".test.yaml") {
                continue;
            }
            let value = parse(&fs::read_to_string(&path).unwrap());
            assert_eq!(violation(&schema, &schema, &value, ""), None, "{name}");
        }
    }
    // And it refuses what `check` refuses.
    for case in ["unknown_key", "missing_key", "wrong_type", "wrong_value"] {
        let text = fs::read_to_string(root().join(format!("tests/check/{case}.yaml"))).unwrap();
        assert!(
            violation(&schema, &schema, &parse(&text), "").is_some(),
            "{case} is accepted"
        );
    }
}

/// The first place where a value violates a JSON Schema: the keywords that ours uses.
fn violation(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    value: &serde_json::Value,
    path: &str,
) -> Option<String> {
    use serde_json::Value;
    for (keyword, wanted) in schema.as_object().unwrap() {
        let fine = match keyword.as_str() {
            "$ref" => {
                let target = root
                    .pointer(wanted.as_str().unwrap().strip_prefix('#').unwrap())
                    .unwrap();
                match violation(root, target, value, path) {
                    Some(why) => return Some(why),
                    None => true,
                }
            }
            "type" => {
                let is = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "number",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                *wanted == is
                    || wanted
                        .as_array()
                        .is_some_and(|types| types.iter().any(|ty| ty == is))
            }
            "const" => wanted == value,
            "oneOf" => {
                let fit = wanted.as_array().unwrap().iter();
                fit.filter(|one| violation(root, one, value, path).is_none())
                    .count()
                    == 1
            }
            "pattern" => regex::Regex::new(wanted.as_str().unwrap())
                .unwrap()
                .is_match(value.as_str().unwrap_or_default()),
            "minItems" => value
                .as_array()
                .is_some_and(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "required" => wanted
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    if let Some(why) = violation(root, wanted, item, &format!("{path}[{index}]")) {
                        return Some(why);
                    }
                }
                true
            }
            "properties" | "additionalProperties" => {
                for (key, member) in value.as_object().into_iter().flatten() {
                    let known = schema.get("properties").and_then(|known| known.get(key));
                    let wanted = match (keyword.as_str(), known) {
                        ("properties", known) => known,
                        (_, None) => Some(wanted),
                        (_, Some(_)) => None,
                    };
                    match wanted {
                        Some(Value::Bool(false)) => {
                            return Some(format!("{path}.{key} is not known"));
                        }
                        Some(schema) => {
                            if let Some(why) =
                                violation(root, schema, member, &format!("{path}.{key}"))
                            {
                                return Some(why);
                            }
                        }
                        None => {}
                    }
                }
                true
            }
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            other => panic!("the validator of this test does not know {other}"),
        };
        if !fine {
            return Some(format!("{path}: {keyword} {wanted}, got {value}"));
        }
    }
    None
}

#[test]
fn the_pages_of_the_shipped_topologies_are_what_they_are_made_from() {
    // Relative, as a user in the repository has it: the page names its file.
    let all = topology::load_watched(&[PathBuf::from("topologies")], None, &Vars::new()).unwrap();
    let mut pages = BTreeSet::new();
    for watched in &all {
        let name = format!("{}.md", watched.plan.id);
        let page = topology::describe::markdown(watched);
        assert_committed(&root().join("docs/topologies").join(&name), &page);
        pages.insert(name);
    }
    let committed = fs::read_dir(root().join("docs/topologies")).unwrap();
    let committed = committed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(committed.collect::<BTreeSet<_>>(), pages);
}

#[test]
fn a_page_follows_personal_data_to_the_fields_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let avro = folder.path().join("avro");
    fs::create_dir(&avro).unwrap();
    for entry in fs::read_dir(root().join("avro")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replacen(
            "\"name\": \"email\"",
            "\"name\": \"email\", \"pii\": true",
            1,
        );
        fs::write(avro.join(path.file_name().unwrap()), text).unwrap();
    }
    let text = fs::read_to_string(root().join("topologies/customers.yaml")).unwrap();
    let cleared = text.replace("    kafka:\n", "    kafka:\n      cleared_for: [pii]\n");
    let path = folder.path().join("customers.yaml");
    fs::write(&path, cleared).unwrap();
    let all = topology::load_watched(&[path], Some(&avro), &Vars::new());
    let all = all.unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    let page = topology::describe::markdown(&all[0]);
    let row = |name: &str| {
        let start = format!("| `{name}` |");
        page.lines()
            .find(|line| line.starts_with(&start))
            .unwrap()
            .to_owned()
    };
    assert!(
        row("email").ends_with("| tagged; from `event.after.email` |"),
        "{page}"
    );
    assert!(
        row("display_name").ends_with("| from `event.after.email` |"),
        "{page}"
    );
    assert!(row("full_name").ends_with("|  |"), "{page}");
}

#[test]
fn the_documents_are_made_from_the_tables() {
    use lockgate::topology::document;
    assert_committed(&root().join("docs/TOPOLOGY.md"), &document::topology());
    assert_committed(&root().join("docs/ERRORS.md"), &document::errors());
}

#[test]
fn the_topologies_and_cases_in_the_documents_are_sound() {
    let text = fs::read_to_string(root().join("docs/TOPOLOGY.md")).unwrap();
    let block = |kind: &str| {
        let start = text
            .find(&format!("```yaml {kind}\n"))
            .expect("the example is there");
        let body = &text[start..][text[start..].find('\n').unwrap() + 1..];
        body[..body.find("```").unwrap()].to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.yaml"), block("topology")).unwrap();
    let cases = "defaults:\n  value: { source: { version: x, connector: postgresql, name: shop, ts_ms: 0, db: d, schema: s, table: t } }\n  \
                 key: { id: 00000000-0000-4000-8000-000000000001 }\n"
        .to_owned();
    let before = ", placed_on: 0, updated_at: 0 }";
    let block = block("cases").replace("quantity: 0 }", &format!("quantity: 0{before}"));
    fs::write(folder.path().join("t.test.yaml"), cases + &block).unwrap();
    assert_eq!(run_cases(folder.path().to_str().unwrap(), "avro"), 2);
}

#[test]
fn the_records_in_the_documents_are_those_that_cases_show() {
    let text = fs::read_to_string(root().join("docs/TOPOLOGY.md")).unwrap();
    let (_, block) = text.split_once("```yaml written\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let run = fs::read_to_string(root().join("tests/formats/records.yaml")).unwrap();
    assert!(block.lines().count() > 2);
    for line in block.lines() {
        assert!(run.contains(line), "no case shows: {line}");
    }
}

#[test]
fn every_reason_in_the_code_is_in_the_table() {
    // Goal: no reason code reaches an operator undocumented. Method: every text that the sources hand to a constructor of
    // faults of records, found by the names of those constructors.
    let pattern = regex::Regex::new(
        r#"(?:EvalFault::new\(|[^a-zA-Z]Fault::new\(|EmitFault \{ reason: |Poison::new\(|self\.poison\(|plan\.poison\(|schema_poison\(|reason: )\s*"([a-z_]+)""#,
    )
    .unwrap();
    let stages = ["codec", "expr", "topology", "pipeline", "sink"];
    let mut sources: Vec<_> = stages
        .iter()
        .map(|stage| root().join("src").join(stage))
        .collect();
    let mut seen = 0;
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            sources.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for found in pattern.captures_iter(text) {
            seen += 1;
            let code = &found[1];
            let known = codes::reasons().any(|reason| reason.code == code);
            assert!(
                known,
                "{}: the reason {code} is not in src/topology/codes.rs",
                path.display()
            );
        }
    }
    assert!(seen > 20, "the pattern finds only {seen} reasons");
}

#[test]
fn every_pause_is_in_the_table() {
    use lockgate::core::flow::Reason;
    for reason in [
        Reason::Partition,
        Reason::Process,
        Reason::Schema,
        Reason::Sink,
        Reason::Poison,
        Reason::IncompatibleSchema,
        Reason::Drain,
    ] {
        let known = codes::PAUSES
            .iter()
            .any(|pause| pause.code == reason.as_str());
        assert!(known, "{} is not in src/topology/codes.rs", reason.as_str());
    }
}
