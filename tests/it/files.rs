//! Files as users have them: named from any folder, unreadable, larger than most, with errors that only show beside others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with copies of the shipped topologies and schemas.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["avro", "topologies"] {
        let to = folder.path().join(part);
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(root().join(part)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

/// Exit code, standard output and error together.
fn lockgate(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    let command = command.args(words).current_dir(folder).env_clear();
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(shown).unwrap())
}

#[test]
fn schemas_are_found_from_every_working_directory_and_by_every_spelling() {
    let folder = project();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("elsewhere/deep")).unwrap();
    symlink(at("topologies"), at("elsewhere/linked")).unwrap();
    symlink(at("topologies/orders.yaml"), at("elsewhere/deep/one.yaml")).unwrap();
    let absolute = at("topologies/orders.yaml");
    for (working, path) in [
        ("topologies", "."),
        ("topologies", "./"),
        ("topologies", "orders.yaml"),
        ("topologies", "./orders.yaml"),
        ("topologies", "../topologies"),
        ("topologies", "../topologies/../topologies/orders.yaml"),
        ("topologies", absolute.to_str().unwrap()),
        (".", "topologies"),
        (".", "./topologies/"),
        (".", "topologies/."),
        (".", "elsewhere/../topologies"),
        ("elsewhere/deep", "../../topologies"),
        ("elsewhere/linked", "."),
        ("elsewhere", "linked"),
        ("elsewhere", "linked/orders.yaml"),
        ("elsewhere/deep", "."),
        ("elsewhere/deep", "one.yaml"),
    ] {
        for command in ["check", "describe"] {
            let (code, shown) = lockgate(&at(working), &[command, path]);
            assert_eq!(code, Some(0), "cd {working}; {command} {path}: {shown}");
        }
    }
    // Within the folder comes before beside it.
    fs::rename(at("avro"), at("topologies/avro")).unwrap();
    for (working, path) in [
        ("topologies", "."),
        (".", "topologies"),
        ("elsewhere", "linked"),
    ] {
        let (code, shown) = lockgate(&at(working), &["check", path]);
        assert_eq!(code, Some(0), "cd {working}; check {path}: {shown}");
    }
    fs::rename(at("topologies/avro"), at("gone")).unwrap();
    let (code, shown) = lockgate(&at("topologies"), &["check", "."]);
    assert_eq!(code, Some(64));
    assert!(
        shown.contains("no folder ./avro") && shown.contains("--avro"),
        "{shown}"
    );
}

#[test]
fn a_file_of_test_cases_is_told_from_a_topology() {
    let folder = project();
    for command in ["check", "test", "describe", "run"] {
        let (code, shown) = lockgate(folder.path(), &[command, "topologies/orders.test.yaml"]);
        assert_eq!(code, Some(64), "{command}: {shown}");
        assert!(
            shown.contains("holds test cases, not a topology"),
            "{command}: {shown}"
        );
        assert!(!shown.contains("missing_key"), "{command}: {shown}");
    }
}

#[test]
fn no_verdict_of_soundness_stands_beside_an_error() {
    let folder = project();
    let orders = folder.path().join("topologies/orders.yaml");
    let text = fs::read_to_string(&orders).unwrap();
    let (code, shown) = lockgate(folder.path(), &["check", "topologies"]);
    assert_eq!(
        (code, shown.matches(": sound (").count()),
        (Some(0), 2),
        "{shown}"
    );
    // Of its own, and one that only shows beside the other file.
    for (from, to) in [
        ("event.after.quantity > 0", "event.after.quantiti > 0"),
        ("id: orders\n", "id: customers\n"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&orders, text.replacen(from, to, 1)).unwrap();
        let (code, shown) = lockgate(folder.path(), &["check", "topologies"]);
        assert_eq!(code, Some(64), "{shown}");
        assert!(
            !shown.contains("sound") && shown.ends_with("1 error\n"),
            "{shown}"
        );
    }
}

/// Runs the binary without the right to read everything, which root has.
fn without_rights(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let probe = folder.join("probe");
    fs::write(&probe, "").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o0)).unwrap();
    let mut binary = PathBuf::from(env!("CARGO_BIN_EXE_lockgate"));
    let is_root = fs::read(&probe).is_ok();
    if is_root {
        // Nobody may be unable to get to the folder of the build.
        let copy = folder.join("lockgate");
        if !copy.exists() {
            fs::copy(&binary, &copy).unwrap();
        }
        binary = copy;
    }
    let mut command = Command::new(binary);
    command.args(words).current_dir(folder).env_clear();
    if is_root {
        command.uid(65_534);
    }
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(shown).unwrap())
}

#[test]
fn what_may_not_be_read_is_not_said_to_be_absent_or_wrong() {
    let folder = project();
    let at = |path: &str| folder.path().join(path);
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder.path(), 0o755);
    fs::write(at("lockgate.toml"), "[vars]\n").unwrap();
    for (locked, words) in [
        ("topologies", &["check", "topologies"][..]),
        ("topologies/orders.yaml", &["check", "topologies"]),
        (
            "topologies/orders.yaml",
            &["describe", "topologies/orders.yaml"],
        ),
        (
            "topologies/orders.test.yaml",
            &["test", "topologies/orders.yaml"],
        ),
        ("avro", &["check", "topologies/orders.yaml"]),
        (
            "avro/orders.clean-value.avsc",
            &["check", "topologies/orders.yaml"],
        ),
        ("avro", &["check", "topologies", "--avro", "avro"]),
        ("lockgate.toml", &["config"]),
        (
            "avro/orders.big-value.avsc",
            &["eval", "event", "--schema", "avro/orders.big-value.avsc"],
        ),
    ] {
        let path = at(locked);
        let before = fs::metadata(&path).unwrap().permissions().mode();
        mode(&path, 0o0);
        let (code, shown) = without_rights(folder.path(), words);
        mode(&path, before);
        assert_eq!(code, Some(64), "{locked}: {shown}");
        assert!(shown.contains("permission denied"), "{locked}: {shown}");
        for wrong in [
            "no such",
            "not valid",
            "no topology",
            "there is no",
            "os error",
        ] {
            assert!(!shown.contains(wrong), "{locked}: {shown}");
        }
    }
    fs::create_dir(at("old")).unwrap();
    for part in ["avro", "topologies"] {
        fs::rename(at(part), at("old").join(part)).unwrap();
        fs::create_dir(at(part)).unwrap();
        for entry in fs::read_dir(at("old").join(part)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, at(part).join(path.file_name().unwrap())).unwrap();
        }
    }
    let words = ["check", "topologies", "--against", "old"];
    let (code, shown) = without_rights(folder.path(), &words);
    assert_eq!(code, Some(0), "{shown}");
    mode(&at("old/avro"), 0o0);
    let (code, shown) = without_rights(folder.path(), &words);
    mode(&at("old/avro"), 0o755);
    assert_eq!(code, Some(64), "{shown}");
    assert!(
        shown.contains("old/avro cannot be read: permission denied"),
        "{shown}"
    );
}

#[test]
fn a_file_of_many_thousand_cases_is_run() {
    const CASES: usize = 6_000;
    let folder = project();
    let mut text = String::from("cases:\n");
    for n in 0..CASES {
        text.push_str(&format!(
            "  - name: order {n}\n    key: {{ id: \"{n}\" }}\n    value:\n      op: d\n      source: {{ version: x, connector: postgresql, \
             name: shop, ts_ms: 0, db: d, schema: s, table: t }}\n      before: {{ id: x, customer_id: 0, price: \"0.00\", quantity: 0, \
             placed_on: 0, updated_at: 0 }}\n    expect: {{ filtered: live }}\n"
        ));
    }
    let path = folder.path().join("topologies/orders.test.yaml");
    fs::write(&path, text).unwrap();
    let (code, shown) = lockgate(folder.path(), &["test", "topologies/orders.yaml", "--json"]);
    let json: Value = serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown}"));
    assert_eq!((code, &json["passed"]), (Some(0), &Value::from(CASES)));
    // And all of them are rewritten in a time that does not grow with their square.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("filtered: live", "filtered: shape")).unwrap();
    let words = ["test", "topologies/orders.yaml", "--update", "--json"];
    let (code, shown) = lockgate(folder.path(), &words);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn two_test_cases_of_one_name_are_a_fault() {
    let folder = project();
    let path = folder.path().join("topologies/orders.test.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once("  - name: ").unwrap();
    let (name, _) = rest.split_once('\n').unwrap();
    let added =
        format!("{first}  - name: {name}\n    expect: {{ filtered: live }}\n  - name: {rest}");
    fs::write(&path, added).unwrap();
    let (code, shown) = lockgate(folder.path(), &["test", "topologies", "--json"]);
    let json: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(code, Some(64), "{shown}");
    assert_eq!(json["faults"][0]["code"], "duplicate_name", "{shown}");
    assert!(json["faults"].as_array().unwrap().len() == 1, "{shown}");
}

#[test]
fn a_position_that_is_no_number_is_a_fault_and_not_zero() {
    for wrong in [
        "partition: third",
        "partition: 2147483648",
        "offset: -1",
        "timestamp: now",
    ] {
        let folder = project();
        let path = folder.path().join("topologies/orders.test.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let added = text.replacen("  - name: ", &format!("  - {wrong}\n    name: "), 1);
        fs::write(&path, added).unwrap();
        let (code, shown) = lockgate(folder.path(), &["test", "topologies"]);
        assert_eq!(code, Some(64), "{wrong}: {shown}");
        assert!(
            shown.contains("wrong_value") && shown.contains("from 0 to"),
            "{wrong}: {shown}"
        );
    }
}

#[test]
fn a_table_that_is_not_csv_is_told_so_in_words() {
    let folder = project();
    let at = |path: &str| folder.path().join("topologies").join(path);
    let orders = fs::read_to_string(at("orders.yaml")).unwrap();
    let with_table = orders.replacen(
        "sources:\n",
        "tables:\n  codes: { file: codes.csv, key: code, columns: { name: string } }\nsources:\n",
        1,
    );
    fs::write(at("orders.yaml"), with_table).unwrap();
    fs::write(at("codes.csv"), "code,name\nDE,Germany\nöst,Austria,Wien\n").unwrap();
    let (code, shown) = lockgate(folder.path(), &["check", "topologies"]);
    assert_eq!(code, Some(64), "{shown}");
    assert!(
        shown.contains("this line has 3 cells, and the first 2"),
        "{shown}"
    );
    assert!(
        shown.contains("codes.csv:3:1") && !shown.contains("CSV error"),
        "{shown}"
    );
    // More rows than a topology may have values.
    let rows: String = (0..30_000)
        .map(|n| format!("- {{ code: c{n}, name: n }}\n"))
        .collect();
    fs::write(at("codes.yaml"), rows).unwrap();
    let text = fs::read_to_string(at("orders.yaml")).unwrap();
    fs::write(at("orders.yaml"), text.replace("codes.csv", "codes.yaml")).unwrap();
    let (code, shown) = lockgate(folder.path(), &["check", "topologies"]);
    assert_eq!(code, Some(0), "{shown}");
}

#[test]
fn a_path_to_what_has_no_end_is_refused_and_not_read_for_ever() {
    let folder = project();
    let endless = |path: &str| {
        let path = folder.path().join(path);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    };
    endless("avro/orders.clean-value.avsc");
    for path in ["/dev/zero", "topologies"] {
        let (code, shown) = lockgate(folder.path(), &["check", path]);
        assert_eq!(code, Some(64), "{path}: {shown}");
        assert!(shown.contains("it has more than"), "{path}: {shown}");
    }
    let schema = "avro/shop.public.orders-value.avsc";
    for words in [
        &["eval", "event.op", "--schema", "/dev/zero"][..],
        &[
            "eval",
            "event.op",
            "--schema",
            schema,
            "--event",
            "/dev/zero",
        ],
        &["trace", "topologies/customers.yaml", "--event", "/dev/zero"],
        &["check", "topologies/customers.yaml", "--against", "."],
        &["config", "--config", "/dev/zero"],
    ] {
        let (code, shown) = lockgate(folder.path(), words);
        assert_eq!(code, Some(64), "{words:?}: {shown}");
        let is_told = ["it has more than", "larger than"].map(|told| shown.contains(told));
        assert!(is_told.contains(&true), "{words:?}: {shown}");
    }
}
