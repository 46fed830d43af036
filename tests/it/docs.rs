//! What the documents say can be typed and configured, can be.

use std::path::{Path, PathBuf};
use std::process::Command;

use lockgate::cli::Cli;
use lockgate::config::{Profile, Sources, load};

fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_folder = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    in_folder(root.to_owned())
        .chain(in_folder(root.join("docs")))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The bodies of fenced blocks of a language; those in lists are indented.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{language}") {
            let body: Vec<&'a str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .collect();
            found.push(body.join("\n"));
        }
    }
    found
}

/// Commands in the text: `lockgate …` between backticks, and lines of shell blocks, up to a comment, pipe or redirection.
fn commands(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let shell = blocks(text, "sh").into_iter();
    let lines = shell.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    spans
        .chain(lines)
        .map(|command| command.trim().to_owned())
        .filter(|command| command.starts_with("lockgate ") && !command.contains('\n'))
        .map(|command| {
            let end = command.find(['#', '|', '>', '<']).unwrap_or(command.len());
            command[..end].trim().to_owned()
        })
        .collect()
}

/// The words of a command as a shell splits them, without escapes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut seen = 0;
    for (path, text) in documents() {
        for command in commands(&text) {
            seen += 1;
            let words = words(&command);
            let Err(shown) = Cli::parse_words(words) else {
                continue;
            };
            // A mention may leave out what is required (`lockgate dlq`), but not name what does not exist.
            let message = shown.text();
            let wrong = ["unrecognized", "unexpected", "invalid value"];
            assert!(
                !wrong.iter().any(|wrong| message.contains(wrong)),
                "{}: `{command}`: {message}",
                path.display()
            );
        }
    }
    assert!(seen >= 10, "only {seen} commands were found");
}

#[test]
fn every_configuration_in_the_documents_is_accepted() {
    let mut seen = 0;
    for (path, text) in documents() {
        for block in blocks(&text, "toml") {
            seen += 1;
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(
                folder.path().join("lockgate.toml"),
                block.replace("file:/run/secrets/", "env:"),
            )
            .unwrap();
            let sources = Sources {
                folder: Some(folder.path().to_owned()),
                profile: Some(Profile::Production),
                environment: [("kafka", "x"), ("registry", "x"), ("KAFKA_PASSWORD", "x")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
                ..Sources::none()
            };
            if let Err(faults) = load(&sources) {
                panic!("{}: {faults}\n{block}", path.display());
            }
        }
    }
    assert!(seen >= 2, "only {seen} configurations were found");
}

#[test]
fn every_dependency_has_its_reason_in_contributing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (manifest, contributing) = (read("Cargo.toml"), read("CONTRIBUTING.md"));
    let mut in_dependencies = false;
    let mut seen = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| in_dependencies) {
            seen += 1;
            assert!(
                contributing.contains(&format!("`{name}`")),
                "{name} has no reason"
            );
        }
    }
    assert!(seen > 20, "only {seen} dependencies were found");
}

/// Runs the binary in the repository; its output, if it ends well.
fn lockgate(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lockgate"))
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{words:?}: {out}{error}");
    out
}

/// An insert with a total to compute, a delete and its tombstone.
const FIRST_CASES: &str = r#"
defaults:
  key: { id: 00000000-0000-4000-8000-000000000001 }
  value: { source: { version: x, connector: postgresql, name: shop, ts_ms: 0, db: d, schema: s, table: t } }
cases:
  - name: an insert has its total
    value:
      op: c
      after:
        { id: 00000000-0000-4000-8000-000000000001, customer_id: 1, status: placed, currency: EUR, price: "1.50", quantity: 3,
          placed_on: 2026-11-22, updated_at: 2026-11-22T18:08:13 }
    expect:
      deliveries:
        - route: clean
          topic: orders.clean
          key: 00000000-0000-4000-8000-000000000001
          value: { order_id: 00000000-0000-4000-8000-000000000001, status: placed, total: "4.50", snapshot: false }
  - name: a delete ends at the step
    value:
      op: d
      before: { id: 00000000-0000-4000-8000-000000000001, customer_id: 0, price: "0.00", quantity: 0, placed_on: 0, updated_at: 0 }
    expect: { filtered: live }
  - name: its tombstone goes on
    value: null
    expect:
      deliveries: [{ route: clean, topic: orders.clean, key: 00000000-0000-4000-8000-000000000001, value: null }]
"#;

#[test]
fn the_first_topology_of_the_readme_is_sound_and_does_what_it_says() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let text = text.unwrap();
    let [topology] = &blocks(&text, "yaml")[..] else {
        panic!("the README has one topology")
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.yaml");
    let check = |topology: &str| {
        std::fs::write(&path, topology).unwrap();
        let paths = [path.clone()];
        let avro = Path::new(env!("CARGO_MANIFEST_DIR")).join("avro");
        lockgate::topology::check(&paths, Some(&avro), &Default::default()).1
    };
    let misspelt = topology.replace("event.after.quantity", "event.after.quantiy");
    assert_ne!(&misspelt, topology);
    let faults = check(&misspelt).render(false);
    assert!(faults.contains("did you mean `quantity`?"), "{faults}");
    let faults = check(topology);
    assert!(faults.is_ok(), "{}", faults.render(false));
    std::fs::write(folder.path().join("orders.test.yaml"), FIRST_CASES).unwrap();
    lockgate(&["test", folder.path().to_str().unwrap(), "--avro", "avro"]);
}

#[test]
fn the_steps_of_the_readme_that_need_no_server_work() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let offline = ["check", "test", "trace", "describe", "eval"];
    let mut seen = std::collections::BTreeSet::new();
    for command in commands(&text.unwrap()) {
        let words = words(&command);
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        // A name without arguments is a mention, not a step.
        let is_offline = offline.contains(words.first().unwrap_or(&""))
            || words.starts_with(&["schema", "topology"]);
        if words.len() > 1 && is_offline {
            assert!(!lockgate(&words).is_empty(), "{command} says nothing");
            seen.insert(words[0].to_owned());
        }
    }
    assert!(seen.len() >= 4, "only {seen:?} were found");
}
