//! The keys there are: which segments of a path name what, and what was probably meant by a path that names nothing.

use super::librdkafka;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A value of its own, such as `limits.drain_timeout_ms`.
    Plain(&'static str),
    /// A field of a connection (`kafka.brokers` is one of `main`).
    Connection {
        /// The connection's name.
        name: String,
        /// One of [`CONNECTION_FIELDS`].
        field: &'static str,
    },
    /// One librdkafka property of a connection.
    Property {
        /// The connection's name.
        connection: String,
        /// librdkafka's canonical name, if it is one at all.
        name: String,
    },
    /// A value for the `vars:` of topologies.
    Var(String),
}

impl Key {
    /// The path as it is shown.
    pub fn path(&self) -> String {
        match self {
            Key::Plain(path) => (*path).to_owned(),
            Key::Connection { name, field } => format!("{}.{field}", table_of(name)),
            Key::Property { connection, name } => {
                format!("{}.{PROPERTIES}.{name}", table_of(connection))
            }
            Key::Var(name) => format!("{VARS}.{name}"),
        }
    }
}

/// The table that holds a connection's fields.
pub fn table_of(connection: &str) -> String {
    match connection {
        MAIN => "kafka".to_owned(),
        other => format!("kafka.{CONNECTIONS}.{other}"),
    }
}

/// The connection of `kafka.brokers`.
pub const MAIN: &str = "main";
/// The table of librdkafka properties of a connection.
pub const PROPERTIES: &str = "properties";
/// Fields of a connection that hold one value each.
pub const CONNECTION_FIELDS: &[&str] = &["brokers", "allow_insecure", "allow_consumer_protocol"];
const CONNECTIONS: &str = "connections";
const VARS: &str = "vars";

/// What a path turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A value belongs here.
    Key(Key),
    /// A table belongs here.
    Table,
    /// A table of librdkafka properties belongs here, or all of them in one text (`a.b=c;d.e=f`).
    Properties {
        /// The connection's name.
        connection: String,
    },
    /// Nothing of that name exists; what was probably meant, if anything comes close.
    Unknown(Option<String>),
}

/// Looks a path up. `plain` are the keys with values of their own.
pub fn find(path: &[String], plain: &[&'static str]) -> Found {
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let of_connection = match *segments {
        ["kafka"] | ["kafka", CONNECTIONS] | [VARS] => return Found::Table,
        // `kafka.brokers` is the connection `main`; a second way to write it would be a trap.
        ["kafka", CONNECTIONS, MAIN, ..] => return Found::Unknown(Some("kafka".to_owned())),
        // The environment knows no case, and a dot separates keys.
        ["kafka", CONNECTIONS, name, ..] if !is_name(name) => {
            return Found::Unknown(Some(format!(
                "kafka.{CONNECTIONS}.NAME`, NAME of small letters, digits, `-` and `_"
            )));
        }
        ["kafka", CONNECTIONS, _] => return Found::Table,
        ["kafka", CONNECTIONS, name, ref rest @ ..] => in_connection(name, rest),
        ["kafka", ref rest @ ..] => in_connection(MAIN, rest),
        [VARS, name] => return Found::Key(Key::Var(name.to_owned())),
        _ => None,
    };
    if let Some(found) = of_connection {
        return found;
    }
    let dotted = segments.join(".");
    if let Some(key) = plain.iter().find(|key| **key == dotted) {
        return Found::Key(Key::Plain(key));
    }
    let table = format!("{dotted}.");
    if plain.iter().any(|key| key.starts_with(&table)) {
        return Found::Table;
    }
    Found::Unknown(meant(&segments, &dotted, plain))
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    !name.is_empty() && name.chars().all(allowed)
}

fn in_connection(name: &str, rest: &[&str]) -> Option<Found> {
    match rest {
        [PROPERTIES] => Some(Found::Properties {
            connection: name.to_owned(),
        }),
        [PROPERTIES, property @ ..] => Some(Found::Key(Key::Property {
            connection: name.to_owned(),
            name: librdkafka::canonical(&property.join(".")).to_owned(),
        })),
        [field] => CONNECTION_FIELDS
            .iter()
            .find(|known| *known == field)
            .map(|field| {
                Found::Key(Key::Connection {
                    name: name.to_owned(),
                    field,
                })
            }),
        _ => None,
    }
}

/// The existing path that is closest to one that does not exist, if any is close.
fn meant(segments: &[&str], dotted: &str, plain: &[&str]) -> Option<String> {
    if let ["kafka", rest @ ..] = segments {
        let property = rest.join(".");
        if librdkafka::scope(&property).is_some() {
            return Some(format!("kafka.{PROPERTIES}.{property}"));
        }
    }
    let mut known: Vec<String> = vec![VARS.to_owned(), "kafka".to_owned()];
    for key in plain {
        known.push((*key).to_owned());
        known.extend(key.rsplit_once('.').map(|(table, _)| table.to_owned()));
    }
    let tables = match segments {
        ["kafka", _, name, ..] => vec!["kafka".to_owned(), table_of(name)],
        _ => vec!["kafka".to_owned()],
    };
    for table in tables {
        let fields = CONNECTION_FIELDS.iter().chain([&PROPERTIES]);
        known.extend(fields.map(|field| format!("{table}.{field}")));
        known.push(table);
    }
    known.push(format!("kafka.{CONNECTIONS}"));
    closest(dotted, known.iter().map(String::as_str)).map(str::to_owned)
}

/// The candidate closest to a word, if it is close enough to have been meant.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(word, candidate),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[&str] = &["registry.url", "limits.drain_timeout_ms", "admin.listen"];

    fn look_up(dotted: &str) -> Found {
        let path: Vec<String> = dotted.split('.').map(str::to_owned).collect();
        find(&path, PLAIN)
    }

    #[test]
    fn dotted_names_of_librdkafka_are_one_property() {
        let expected = Found::Key(Key::Property {
            connection: "dr".into(),
            name: "acks".into(),
        });
        assert_eq!(
            look_up("kafka.connections.dr.properties.request.required.acks"),
            expected
        );
    }

    #[test]
    fn unknown_paths_are_met_with_what_was_probably_meant() {
        for (wrong, right) in [
            ("registry.urls", "registry.url"),
            ("regstry", "registry"),
            ("kafka.broker", "kafka.brokers"),
            ("kafka.linger.ms", "kafka.properties.linger.ms"),
            ("kafka.connections.dr.brokr", "kafka.connections.dr.brokers"),
            ("kafka.connections.main.brokers", "kafka"),
            ("limits.drain_timeout", "limits.drain_timeout_ms"),
        ] {
            assert_eq!(
                look_up(wrong),
                Found::Unknown(Some(right.into())),
                "{wrong}"
            );
        }
        assert_eq!(look_up("zzz.qqq"), Found::Unknown(None));
    }
}
