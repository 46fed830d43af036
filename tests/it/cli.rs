//! The binary as a shell sees it: exit codes, streams, colours, secrets.

use std::io::Read;
use std::process::{Command, Output, Stdio};

/// The binary in an empty folder and an environment of its own.
fn lockgate(words: &[&str]) -> (tempfile::TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    command.args(words).current_dir(folder.path()).env_clear();
    (folder, command)
}

fn output(words: &[&str]) -> Output {
    let (_folder, mut command) = lockgate(words);
    command.output().unwrap()
}

#[test]
fn wrong_words_and_wrong_configuration_end_with_64_and_say_what_was_meant() {
    for (words, meant) in [
        (&["conifg"][..], "'config'"),
        (&["config", "--jsn"], "'--json'"),
        (&["config", "--set", "kafka.brokrs=a:1"], "`kafka.brokers`"),
        (&["config", "--config", "absent.toml"], "absent.toml"),
        (
            &["config", "--client", "producer"],
            "LOCKGATE__KAFKA__BROKERS",
        ),
        (&[], "Usage"),
    ] {
        let output = output(words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {error}");
        assert!(error.contains(meant), "{words:?}: {error}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn check_fails_on_errors_and_not_on_warnings() {
    let check = |file: &str, words: &[&str]| {
        let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
        let (file, avro) = (cases.join(file), cases.join("avro"));
        let mut all = vec![
            "check",
            file.to_str().unwrap(),
            "--avro",
            avro.to_str().unwrap(),
        ];
        all.extend(words);
        let output = output(&all);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, text) = check("can_fail.yaml", &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("t: sound") && text.contains("6 warnings, 1 note"),
        "{text}"
    );
    let (code, text) = check("can_fail-strict.yaml", &[]);
    assert_eq!(code, Some(64), "{text}");
    assert!(
        !text.contains("sound") && text.ends_with("2 errors\n"),
        "{text}"
    );
    let (code, text) = check("can_fail.yaml", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let severities = json["faults"].as_array().unwrap().iter();
    let warnings = severities.filter(|fault| fault["severity"] == "warning");
    assert_eq!((code, warnings.count()), (Some(0), 6), "{text}");
}

#[test]
fn help_version_and_completion_go_to_standard_output() {
    for words in [
        &["--help"][..],
        &["--version"],
        &["help", "dlq"],
        &["completion", "bash"],
    ] {
        let output = output(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{words:?}"
        );
    }
}

#[test]
fn a_pipe_shows_no_colours() {
    for words in [&["config"][..], &["--help"]] {
        let output = output(words);
        assert!(!output.stdout.contains(&0x1b), "{words:?}");
    }
    assert!(!output(&["conifg"]).stderr.contains(&0x1b));
}

/// Standard output or error without a reader from the beginning on.
fn deaf() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_closed_pipe_does_not_hide_how_a_command_ended() {
    for (words, code) in [
        (&["check", "absent.yaml"][..], 64),
        (&["check", "absent.yaml", "--json"], 64),
        (&["describe", "absent.yaml"], 64),
        (&["test", "absent.yaml"], 64),
        (&["eval", "1 +"], 64),
        (&["eval", "1 / 0 == 1"], 1),
        (&["conifg"], 64),
        (&["config", "--config", "absent.toml"], 64),
        (&["config"], 0),
        (&["eval", "1 + 1"], 0),
        (&["completion", "bash"], 0),
    ] {
        let (_folder, mut command) = lockgate(words);
        let output = command
            .stdout(deaf())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        assert!(!error.to_lowercase().contains("pipe"), "{words:?}: {error}");
        let (_folder, mut command) = lockgate(words);
        let output = command
            .stdout(Stdio::piped())
            .stderr(deaf())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}");
    }
}

#[test]
fn a_reader_that_had_enough_is_not_an_error() {
    let (folder, mut command) = lockgate(&["config", "--json"]);
    // More than a pipe holds, so that the writer is still writing when the reader leaves.
    let vars: String = (0..20_000).map(|n| format!("v{n} = \"{n}\"\n")).collect();
    std::fs::write(
        folder.path().join("lockgate.toml"),
        format!("[vars]\n{vars}"),
    )
    .unwrap();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*error), (Some(0), ""));
}

/// Method: the same canaries in the environment, once read by reference and once wrongly inline; the search is proven by
/// a canary in a value that is shown.
#[test]
fn secrets_of_the_environment_are_in_no_output() {
    let run = |profile: &str, password: &str, shown: &str| {
        let (_folder, mut command) = lockgate(&["config", "--json"]);
        let output = command
            .env("LOCKGATE_PROFILE", profile)
            .env("LOCKGATE__KAFKA__BROKERS", "a:1")
            .env(
                "LOCKGATE__KAFKA__PROPERTIES",
                format!("sasl.password={password}"),
            )
            .env("LOCKGATE__REGISTRY__TOKEN", password)
            .env("LOCKGATE__OUTPUTS__CORRELATION_HEADER", shown)
            .env("KAFKA_PASSWORD", "canary-71")
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(printed).unwrap())
    };
    let (code, printed) = run("production", "env:KAFKA_PASSWORD", "no");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("env:KAFKA_PASSWORD") && !printed.contains("canary-71"));
    let (code, printed) = run("production", "canary-71", "no");
    assert_eq!(code, Some(64), "{printed}");
    assert!(
        printed.contains("inline") && !printed.contains("canary-71"),
        "{printed}"
    );
    let (_, printed) = run("dev", "canary-71", "no");
    assert!(
        printed.contains("<hidden>") && !printed.contains("canary-71"),
        "{printed}"
    );
    let (_, printed) = run("dev", "x", "canary-71");
    assert!(printed.contains("canary-71"), "the search finds nothing");
}

#[test]
fn config_shows_of_variables_only_where_they_come_from() {
    for words in [&["config"][..], &["config", "--json"]] {
        let (folder, mut command) = lockgate(words);
        let file = "[vars]\nkey = \"canary-1\"\nnumber = 5555\nby_reference = \"env:ABSENT\"\n";
        std::fs::write(folder.path().join("lockgate.toml"), file).unwrap();
        let output = command
            .args(["--set", "vars.flag=canary-2"])
            .env("LOCKGATE__VARS__ENVIRONMENT", "canary-3")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(!text.contains("canary") && !text.contains("5555"), "{text}");
        for shown in [
            "vars.key",
            "vars.number",
            "vars.flag",
            "vars.environment",
            "env:ABSENT",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert_eq!(text.matches("<hidden>").count(), 4, "{text}");
    }
}

#[test]
fn causes_are_in_words_and_say_what_was_tried() {
    let brokers = ["--set", "kafka.brokers=127.0.0.1:1"];
    let registry = ["--set", "registry.url=http://127.0.0.1:1"];
    for (words, said) in [
        (
            &["check", "absent.yaml"][..],
            "there is no such file or folder",
        ),
        (
            &["config", "--config", "absent.toml"],
            "there is no such file or folder",
        ),
        (&["config", "--config", "."], "it is a folder"),
        (
            &["eval", "event", "--schema", "absent.avsc"],
            "absent.avsc cannot be read",
        ),
        (
            &["tail", "--topic", "t"],
            "(127.0.0.1:1): no broker answers",
        ),
        (
            &["produce", "--topic", "t", "absent"],
            "absent cannot be read",
        ),
        (
            &["produce", "--topic", "t"],
            "127.0.0.1:1: connection refused",
        ),
        (
            &["health", "--set", "admin.listen=127.0.0.1:1"],
            "127.0.0.1:1 (admin.listen)",
        ),
        (
            &["config", "--set", "registry.token=file:absent"],
            "there is no such file",
        ),
    ] {
        let (_folder, mut command) = lockgate(words);
        let output = command.args(brokers).args(registry).output().unwrap();
        let shown = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.code() != Some(0), "{words:?}: {shown}");
        assert!(shown.contains(said), "{words:?}: {shown}");
        for noise in [
            "os error",
            ":1:1:",
            "yaml:1:1",
            "(Connect)",
            "error sending",
        ] {
            assert!(!shown.contains(noise), "{words:?}: {shown}");
        }
    }
}
