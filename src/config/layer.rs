//! The layers a configuration is made of. Each is read into the same shape, a list of assignments, and checked on its own:
//! a fault is reported with the layer it stands in, even where a higher layer would have hidden it.

use std::io::Read;
use std::path::Path;

use config::{FileFormat, Map, Source, Value, ValueKind};

use super::fault::ConfigFault;
use super::key::{self, Found, Key};
use super::types::Sources;
use crate::words;

/// One value for one key.
#[derive(Clone)]
pub struct Assignment {
    /// What is set.
    pub key: Key,
    /// To what: text, a number, a truth value, or a list of these.
    pub value: ValueKind,
    /// Where that stands: `file lockgate.toml`, `environment variable LOCKGATE__…`, `flag --set`.
    pub origin: String,
}

/// The assignments of one file, or of the environment, or of the flags. No `Debug`: values may be secrets.
#[derive(Clone, Default)]
pub struct Layer(pub Vec<Assignment>);

// The `config` crate wants every source to be printable. Its values are nobody's business.
impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Layer({} values)", self.0.len())
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let mut root = Map::new();
        for assignment in &self.0 {
            let value = Value::new(Some(&assignment.origin), assignment.value.clone());
            insert(&mut root, &segments(&assignment.key), value);
        }
        Ok(root)
    }
}

/// The path of a key, a librdkafka name as its one last segment, so that the merge sees one name for one thing.
fn segments(key: &Key) -> Vec<String> {
    let path = key.path();
    let (table, last) = match key {
        Key::Property { name, .. } => (&path[..path.len() - name.len() - 1], name.clone()),
        Key::Var(name) => (&path[..path.len() - name.len() - 1], name.clone()),
        Key::Plain(_) | Key::Connection { .. } => {
            return path.split('.').map(str::to_owned).collect();
        }
    };
    table.split('.').map(str::to_owned).chain([last]).collect()
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let child = table
        .entry(first.clone())
        .or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
    if let ValueKind::Table(child) = &mut child.kind {
        insert(child, rest, value);
    }
}

/// Reads a tree of values, as of a file or of the merged whole, into assignments. `origin` is used where a value names none.
pub fn walk(
    table: &Map<String, Value>,
    plain: &[&'static str],
    origin: &str,
    faults: &mut Vec<ConfigFault>,
) -> Vec<Assignment> {
    let mut walker = Walker {
        plain,
        origin,
        faults,
        found: Vec::new(),
    };
    walker.table(&mut Vec::new(), table);
    walker.found
}

struct Walker<'a> {
    plain: &'a [&'static str],
    origin: &'a str,
    faults: &'a mut Vec<ConfigFault>,
    found: Vec<Assignment>,
}

impl Walker<'_> {
    fn table(&mut self, path: &mut Vec<String>, table: &Map<String, Value>) {
        let mut names: Vec<&String> = table.keys().collect();
        names.sort();
        for name in names {
            path.push(name.clone());
            self.value(path, &table[name]);
            path.pop();
        }
    }

    fn value(&mut self, path: &mut Vec<String>, value: &Value) {
        let origin = value.origin().unwrap_or(self.origin).to_owned();
        match (key::find(path, self.plain), &value.kind) {
            (Found::Table | Found::Properties { .. }, ValueKind::Table(table)) => {
                self.table(path, table);
            }
            // `linger.ms = 5` without quotes is a table `linger` to TOML.
            (Found::Key(Key::Property { .. }), ValueKind::Table(table)) => self.table(path, table),
            (Found::Properties { connection }, ValueKind::String(text)) => {
                let properties = properties_of_text(&connection, text, &origin, self.faults);
                self.found.extend(properties);
            }
            (Found::Key(key), kind) if !matches!(kind, ValueKind::Table(_)) => {
                self.found.push(Assignment {
                    key,
                    value: kind.clone(),
                    origin,
                });
            }
            (Found::Key(_), _) => {
                self.fault(path, origin, "is a table where one value belongs", None)
            }
            (Found::Table, _) | (Found::Properties { .. }, _) => {
                self.fault(path, origin, "is one value where a table belongs", None);
            }
            (Found::Unknown(meant), _) => {
                let help = meant.map(|meant| format!("did you mean `{meant}`?"));
                self.fault(path, origin, "there is no such key", help);
            }
        }
    }

    fn fault(&mut self, path: &[String], source: String, message: &str, help: Option<String>) {
        self.faults.push(ConfigFault {
            key: path.join("."),
            source,
            message: message.to_owned(),
            help,
        });
    }
}

/// `a.b=c;d.e=f`. A semicolon inside a value is written `\;`. What cannot be read is not repeated: it may be the rest of
/// a secret that holds a semicolon.
fn properties_of_text(
    connection: &str,
    text: &str,
    origin: &str,
    faults: &mut Vec<ConfigFault>,
) -> Vec<Assignment> {
    let mut found = Vec::new();
    for (index, item) in split_unescaped(text).into_iter().enumerate() {
        if item.trim().is_empty() {
            continue;
        }
        let (name, value) = match item.split_once('=') {
            Some((name, value)) => (super::librdkafka::canonical(name.trim()), value),
            None => ("", ""),
        };
        if super::librdkafka::scope(name).is_none() {
            let meant = key::closest(name, super::librdkafka::names());
            faults.push(ConfigFault {
                key: format!("{}.{}", key::table_of(connection), key::PROPERTIES),
                source: origin.to_owned(),
                message: format!(
                    "item {} is not NAME=VALUE of a librdkafka property",
                    index + 1
                ),
                help: Some(match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => r"write NAME=VALUE;NAME=VALUE, and `\;` for a semicolon inside a value"
                        .to_owned(),
                }),
            });
            continue;
        }
        found.push(Assignment {
            key: Key::Property {
                connection: connection.to_owned(),
                name: name.to_owned(),
            },
            value: ValueKind::String(value.trim().to_owned()),
            origin: origin.to_owned(),
        });
    }
    found
}

fn split_unescaped(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&';') => {
                characters.next();
                items.last_mut().expect("never empty").push(';');
            }
            ';' => items.push(String::new()),
            other => items.last_mut().expect("never empty").push(other),
        }
    }
    items
}

/// A configuration file larger than this is not one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a file; `None` if there is none and none was asked for.
pub fn file(
    path: &Path,
    required: bool,
    plain: &[&'static str],
    faults: &mut Vec<ConfigFault>,
) -> Option<Layer> {
    let origin = format!("file {}", path.display());
    let mut fault = |message: String, help: Option<String>| {
        faults.push(ConfigFault {
            key: String::new(),
            source: String::new(),
            message: format!("{origin}: {message}"),
            help,
        });
    };
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(_) if text.len() as u64 > FILE_BYTES_MAX => {
            fault(format!("larger than {FILE_BYTES_MAX} bytes"), None);
            return None;
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return None,
        Err(error) => {
            let (why, help) = (words::of_io(&error), words::remedy(&error));
            fault(format!("cannot be read: {why}"), Some(help.to_owned()));
            return None;
        }
    }
    match config::File::from_str(&text, FileFormat::Toml).collect() {
        Ok(table) => Some(Layer(walk(&table, plain, &origin, faults))),
        Err(error) => {
            fault(without_source_lines(&error.to_string()), None);
            None
        }
    }
}

/// The TOML parser quotes the line it stumbled over, which may hold a secret. Keeps the position and the reason.
fn without_source_lines(message: &str) -> String {
    let kept: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| {
            let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
            !line.is_empty() && !after_number.trim_start().starts_with('|')
        })
        .collect();
    kept.join(": ")
}

/// Reads the environment: `LOCKGATE__KAFKA__BROKERS` is `kafka.brokers`.
pub fn environment(
    sources: &Sources,
    plain: &[&'static str],
    faults: &mut Vec<ConfigFault>,
    warnings: &mut Vec<String>,
) -> Layer {
    let mut variables: Vec<_> = sources.environment.iter().collect();
    variables.sort();
    let mut assignments = Vec::new();
    for name in &sources.unreadable {
        if let Some(path) = name.strip_prefix("LOCKGATE__") {
            faults.push(ConfigFault {
                key: path.to_lowercase().replace("__", "."),
                source: format!("environment variable {name}"),
                message: "the value is not text in UTF-8".to_owned(),
                help: None,
            });
        }
    }
    for (name, value) in variables {
        if let Some(path) = name.strip_prefix("LOCKGATE__") {
            let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
            let origin = format!("environment variable {name}");
            assignments.extend(text(&path, value, plain, &origin, faults));
        } else if let Some(rest) = name.strip_prefix("LOCKGATE_") {
            // Other programs set names of this kind too (Kubernetes: LOCKGATE_SERVICE_HOST), so only a near miss counts.
            let miss = plain
                .iter()
                .copied()
                .chain(["kafka.brokers", "kafka.properties"])
                .find(|key| key.replace('.', "_").eq_ignore_ascii_case(rest));
            if let Some(key) = miss {
                let meant = key.replace('.', "__").to_uppercase();
                warnings.push(format!(
                    "environment variable {name} is not read: write LOCKGATE__{meant}"
                ));
            }
        }
    }
    Layer(assignments)
}

/// Reads the flags, in their order.
pub fn flags(sources: &Sources, plain: &[&'static str], faults: &mut Vec<ConfigFault>) -> Layer {
    let mut assignments = Vec::new();
    for (path, value) in &sources.flags {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        assignments.extend(text(&path, value, plain, "flag --set", faults));
    }
    Layer(assignments)
}

/// One path and one text, as environment and flags have them.
fn text(
    path: &[String],
    value: &str,
    plain: &[&'static str],
    origin: &str,
    faults: &mut Vec<ConfigFault>,
) -> Vec<Assignment> {
    let mut table = Map::new();
    let value = Value::new(None, ValueKind::String(value.to_owned()));
    insert(&mut table, path, value);
    walk(&table, plain, origin, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_a_parser_stumbled_over_is_not_shown() {
        for broken in [
            "[registry]\npassword = canary-11\n",
            "[registry]\npassword = \"canary-11\n",
            "password = \"a\"\npassword = \"canary-11\"\n",
            "[registry]\n\"canary-11\n",
            "x = \"\\q canary-11\"",
            "= canary-11",
        ] {
            let error = config::File::from_str(broken, FileFormat::Toml)
                .collect()
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("canary-11"),
                "the parser is discreet: {error}"
            );
            let shown = without_source_lines(&error);
            assert!(!shown.contains("canary"), "{broken:?}: {shown}");
            assert!(shown.contains("line"), "{broken:?}: {shown}");
        }
    }

    #[test]
    fn a_semicolon_can_be_part_of_a_value() {
        assert_eq!(split_unescaped(r"a=b\;c;d=e\f;"), ["a=b;c", r"d=e\f", ""]);
    }
}
