//! `lockgate demo` as a newcomer runs it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

fn demo(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    command
        .arg("demo")
        .args(words)
        .args(["--set", "admin.listen=127.0.0.1:0"])
        .env_clear();
    command
}

fn account(output: &Output) -> serde_json::Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| {
        panic!(
            "{error}: {text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn number(account: &serde_json::Value, name: &str) -> u64 {
    account[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {account}"))
}

/// All records are accounted for, and the program's own verdict is that each ended as it must.
fn is_whole(output: &Output) -> u64 {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let account = account(output);
    let ended = ["delivered", "filtered", "dead_lettered"].map(|name| number(&account, name));
    assert_eq!(number(&account, "consumed"), ended.iter().sum::<u64>());
    assert_eq!(number(&account, "pending"), 0);
    assert!(ended.iter().all(|count| *count > 0), "{account}");
    number(&account, "consumed")
}

#[test]
fn accounts_for_exactly_the_records_asked_for() {
    let output = demo(&[
        "--records",
        "5000",
        "--seed",
        "4",
        "--poison",
        "0.05",
        "--json",
    ])
    .output()
    .unwrap();
    assert_eq!(is_whole(&output), 5_000);
    let text = String::from_utf8(output.stdout).unwrap();
    for reason in ["bad_frame", "truncated", "unknown_schema", "rule"] {
        assert!(
            text.contains(reason),
            "{reason} is not among the dead letters: {text}"
        );
    }
}

#[test]
fn ctrl_c_drains_and_the_account_is_still_the_last_line() {
    let mut child = demo(&["--serve", "--rate", "2000", "--poison", "0.05", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Plain lines tell the progress where there is no terminal.
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let has_delivered = |line: &String| line.contains("dead-lettered") && !line.starts_with("0 ");
    assert!(
        lines.any(|line| has_delivered(&line)),
        "the demo ended before it delivered anything"
    );
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: sends a signal to a process that we started and have not waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    lines.for_each(drop);
    assert!(is_whole(&child.wait_with_output().unwrap()) > 0);
}

#[test]
fn as_much_poison_as_is_allowed_stops_no_number_of_threads() {
    for threads in ["1", "4"] {
        let set = format!("limits.pipeline_threads={threads}");
        let output = demo(&[
            "--records",
            "20000",
            "--seed",
            "4",
            "--poison",
            "0.2",
            "--json",
            "--set",
            &set,
        ])
        .output()
        .unwrap();
        assert_eq!(is_whole(&output), 20_000, "with {threads} threads");
    }
}

#[test]
fn a_share_of_poison_at_which_the_worker_would_stop_is_refused_with_the_reason() {
    let output = demo(&["--poison", "0.3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("limits.poison_share") && error.contains("0.2"),
        "{error}"
    );
}

#[test]
fn what_the_demo_would_not_heed_is_refused() {
    for words in [
        ["--config", "lockgate.toml"],
        ["--profile", "production"],
        ["--set", "kafka.brokers=127.0.0.1:9092"],
        ["--set", "registry.url=http://127.0.0.1:8081"],
    ] {
        let output = demo(&words).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {error}");
        assert!(
            error.contains(&format!("{} ", words[0])),
            "{words:?}: {error}"
        );
        assert!(
            error.contains("is refused: the demo has its own broker"),
            "{words:?}: {error}"
        );
    }
    // What the environment says to every command is not meant for the demo.
    let output = demo(&["--records", "100", "--json"])
        .env("LOCKGATE_PROFILE", "production")
        .env("LOCKGATE_CONFIG", "nowhere.toml")
        .output()
        .unwrap();
    assert_eq!(number(&account(&output), "consumed"), 100);
}
