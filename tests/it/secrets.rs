//! Variables and secrets of topologies: who needs their values, and what is said where they are not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate::topology::{self, Vars};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const TOPOLOGY: &str = "\
id: people
vars:
  pii_key: { type: secret }
sources:
  - topic: people
    envelope: none
    key: string
    value: { avro: person }
    tombstones: drop
steps:
  - name: grown
    keep: event.age >= 18
  - name: shape
    schema: person
    from: event
    set:
      name: tokenize(vars.pii_key, event.name)
routes:
  - name: all
    kafka: { topic: people.clean, key: out.name }
dead_letter: { topic: people.dlq }
";

const SCHEMA: &str = r#"{"type":"record","name":"Person","fields":[{"name":"name","type":"string"},{"name":"age","type":"int"}]}"#;

const CASES: &str = "\
cases:
  - name: a child
    key: a
    value: { name: Ann, age: 3 }
    expect: { filtered: grown }
  - name: a grown-up
    key: b
    value: { name: Bob, age: 30 }
    expect:
      deliveries:
        - route: all
";

/// A folder with a topology that uses a secret, and a configuration that refers to one.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("avro")).unwrap();
    write("people.yaml", TOPOLOGY);
    write("people.test.yaml", CASES);
    write("avro/person.avsc", SCHEMA);
    write("child.json", r#"{"name":"Ann","age":3}"#);
    write("adult.json", r#"{"name":"Bob","age":30}"#);
    let file = "[kafka]\nbrokers = \"127.0.0.1:1\"\n[kafka.properties]\n\"sasl.password\" = \"env:ABSENT_PASSWORD\"\n\
                [registry]\nurl = \"http://127.0.0.1:1\"\ntoken = \"file:/absent/token\"\n[vars]\npii_key = \"env:PII_KEY\"\n";
    write("lockgate.toml", file);
    folder
}

fn lockgate(folder: &Path, words: &[&str], key: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    command.args(words).current_dir(folder).env_clear();
    if let Some(key) = key {
        command.env("PII_KEY", key);
    }
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(shown).unwrap())
}

#[test]
fn what_uses_no_secret_needs_none() {
    let folder = project();
    for words in [
        &["check", "people.yaml"][..],
        &["check", "people.yaml", "--json"],
        &["check", ".", "--against", "."],
        &["describe", "people.yaml"],
        &["eval", "1 + 1"],
        &["trace", "people.yaml", "--event", "child.json"],
        &["trace", "people.yaml", "--case", "a child"],
    ] {
        let (code, shown) = lockgate(folder.path(), words, None);
        assert_eq!(code, Some(0), "{words:?}: {shown}");
    }
    // Not even said to be there.
    fs::remove_file(folder.path().join("lockgate.toml")).unwrap();
    for command in ["check", "describe"] {
        let (code, shown) = lockgate(folder.path(), &[command, "people.yaml"], None);
        assert_eq!(code, Some(0), "{command}: {shown}");
    }
}

#[test]
fn what_uses_a_secret_that_is_not_there_says_which_and_how_to_give_it() {
    let folder = project();
    let help = "write `pii_key = \"env:PII_KEY\"` and set PII_KEY in the environment, or `pii_key = \"file:/run/secrets/pii_key\"`";
    let (code, shown) = lockgate(folder.path(), &["test", "people.yaml"], None);
    assert_eq!(code, Some(1), "{shown}");
    assert!(
        shown.contains("1 passed, 1 failed") || shown.contains("1 passed"),
        "{shown}"
    );
    for (words, expected) in [
        (&["test", "people.yaml"][..], 1),
        (&["trace", "people.yaml", "--event", "adult.json"], 64),
    ] {
        let (code, shown) = lockgate(folder.path(), words, None);
        assert_eq!(code, Some(expected), "{words:?}: {shown}");
        assert!(
            shown.contains("the environment variable PII_KEY is not set"),
            "{shown}"
        );
        assert!(shown.contains(help), "{words:?}: {shown}");
        let (code, shown) = lockgate(folder.path(), words, Some("0123456789abcdef"));
        assert_eq!(code, Some(0), "{words:?}: {shown}");
    }
    // A stand-in never runs.
    let mut vars = Vars::new();
    let paths = [folder.path().join("people.yaml")];
    for value in [None, Some("env:ABSENT_KEY"), Some("file:/absent/key")] {
        vars.extend(value.map(|value| ("pii_key".to_owned(), value.into())));
        let faults = topology::load(&paths, None, &vars).unwrap_err();
        let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["secret_missing"], "{value:?}");
        assert!(
            faults.render(false).contains(help),
            "{}",
            faults.render(false)
        );
    }
}

#[test]
fn a_secret_written_out_is_refused_and_not_repeated() {
    let folder = project();
    for words in [&["check", "people.yaml"][..], &["test", "people.yaml"]] {
        let inline: Vec<_> = words
            .iter()
            .copied()
            .chain(["--set", "vars.pii_key=canary-71"])
            .collect();
        let (code, shown) = lockgate(folder.path(), &inline, None);
        assert_eq!(code, Some(64), "{shown}");
        assert!(
            shown.contains("secret_missing") && !shown.contains("canary"),
            "{shown}"
        );
    }
}

#[test]
fn a_short_secret_is_warned_about_and_an_empty_one_refused() {
    let folder = project();
    let paths = [folder.path().join("people.yaml")];
    let secret = folder.path().join("secret");
    let reference = format!("file:{}", secret.display());
    let vars = Vars::from([("pii_key".to_owned(), reference.into())]);
    for (text, warned) in [
        ("x", true),
        ("123456789012345\n", true),
        ("1234567890123456", false),
    ] {
        fs::write(&secret, text).unwrap();
        let (_, warnings) = topology::load_to_run(&paths, None, &vars).unwrap();
        let codes: Vec<_> = warnings.iter().map(|fault| fault.code).collect();
        assert_eq!(
            codes,
            if warned { &["secret_short"][..] } else { &[] },
            "{text:?}"
        );
    }
    for text in ["", "\n"] {
        fs::write(&secret, text).unwrap();
        let faults = topology::load_to_run(&paths, None, &vars).unwrap_err();
        assert_eq!(
            faults.iter().next().unwrap().code,
            "secret_missing",
            "{text:?}"
        );
    }
    let (code, shown) = lockgate(folder.path(), &["check", "people.yaml"], Some("x"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("warning[secret_short]") && shown.contains("openssl rand"),
        "{shown}"
    );
}

#[test]
fn a_variable_that_no_topology_declares_is_warned_about() {
    let words = [
        "check",
        "topologies",
        "--set",
        "vars.big_form=1",
        "--set",
        "vars.zzz=1",
    ];
    let (code, shown) = lockgate(&root(), &words, None);
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("warning[var_unknown]: vars.big_form is set"),
        "{shown}"
    );
    assert!(shown.contains("did you mean `vars.big_from`?"), "{shown}");
    assert!(
        shown.contains("vars.zzz is set") && shown.contains("2 warnings"),
        "{shown}"
    );
    let (_, shown) = lockgate(
        &root(),
        &["check", "topologies", "--set", "vars.big_from=1"],
        None,
    );
    assert!(!shown.contains("var_unknown"), "{shown}");
    // At the start of a worker as well, from where these are logged.
    let vars = Vars::from([("zzz".to_owned(), 1.into())]);
    let (plans, warnings) =
        topology::load_to_run(&[root().join("topologies")], None, &vars).unwrap();
    let codes: Vec<_> = warnings.iter().map(|fault| fault.code).collect();
    assert_eq!((plans.len(), codes), (2, vec!["var_unknown"]));
}
