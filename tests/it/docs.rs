//! What the documents say can be typed and configured, can be.

use std::path::{Path, PathBuf};

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
