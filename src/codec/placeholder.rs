//! What Debezium writes in place of a large value that an update did not touch: its placeholder, in the form that a
//! column's type has for it.
//!
//! | column | placeholder |
//! |---|---|
//! | text, `json`, `xml`, bytes as text | the text `__debezium_unavailable_value` |
//! | `bytea` | the same in bytes |
//! | arrays of text or bytes | one such element |
//! | arrays of `int`, `bigint`, `date` | a number for each byte of the text |
//! | arrays of `uuid` | one UUID, made of the text's MD5 |
//! | `hstore` | one entry with the text as key and value; as JSON in one text |
//!
//! No other type can arrive so: values of a fixed width are always sent.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Val;
use crate::schema::{Kind, Logical, NodeId, Schema};

/// The placeholder as text.
pub const TEXT: &str = "__debezium_unavailable_value";
/// An `hstore` under `hstore.handling.mode=json`.
const HSTORE_JSON: &str = r#"{"__debezium_unavailable_value":"__debezium_unavailable_value"}"#;
/// `UUID.nameUUIDFromBytes` of the text.
const UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
/// Deepest nesting of types that is looked into. Debezium has columns of arrays, and rows of columns.
const DEPTH_MAX: u32 = 4;

/// The forms of the placeholder that values of a type can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// Its text somewhere.
    pub text: bool,
    /// The bytes of the text, as numbers.
    pub numbers: bool,
    /// The UUID made of the text.
    pub uuid: bool,
}

impl Forms {
    /// Whether there is one at all.
    pub fn any(self) -> bool {
        self.text || self.numbers || self.uuid
    }

    /// Those of both.
    pub fn and(self, other: Forms) -> Forms {
        Forms {
            text: self.text || other.text,
            numbers: self.numbers || other.numbers,
            uuid: self.uuid || other.uuid,
        }
    }

    /// Whether one of the forms stands somewhere in a datum: a quick look, before columns are looked at one by one.
    pub fn suspect(self, datum: &[u8]) -> bool {
        static TEXTS: LazyLock<[Finder<'static>; 2]> =
            LazyLock::new(|| [TEXT, UUID].map(|text| Finder::new(text.as_bytes())));
        static NUMBERS: LazyLock<[Finder<'static>; 3]> = LazyLock::new(|| {
            // Items of a union with null, which may stand first or last, or plain ones.
            [Some(2), Some(0), None].map(|branch| Finder::new(&numbers(branch)).into_owned())
        });
        self.text && TEXTS[0].find(datum).is_some()
            || self.uuid && TEXTS[1].find(datum).is_some()
            || self.numbers && NUMBERS.iter().any(|finder| finder.find(datum).is_some())
    }
}

/// Whether a datum has the text as a value, in whichever field: for what is sent as it came, where a column may be newer than
/// the schema that is known.
pub fn stands_in(datum: &[u8]) -> bool {
    static VALUE: LazyLock<Finder<'static>> = LazyLock::new(|| {
        let mut value = Vec::new();
        super::primitive::put_run(TEXT.as_bytes(), &mut value);
        Finder::new(&value).into_owned()
    });
    VALUE.find(datum).is_some()
}

/// The encoding of the text's bytes as items of an array, each behind the index of a union's branch if there is one.
fn numbers(branch: Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in TEXT.bytes() {
        out.extend(branch);
        super::primitive::put_long(byte.into(), &mut out);
    }
    out
}

/// The forms that a column of this type can arrive in; none for what Debezium always sends, and for records.
pub fn of_column(schema: &Schema, node: NodeId) -> Forms {
    let node = schema.node(schema.strip_null(node).0);
    match (&node.kind, &node.logical) {
        (Kind::String | Kind::Bytes, logical) => of_text(logical),
        (Kind::Map(values), _) => of_column(schema, *values),
        (Kind::Union(branches), _) => branches
            .iter()
            .map(|branch| of_column(schema, *branch))
            .fold(Forms::default(), Forms::and),
        (Kind::Array(items), _) => {
            let item = schema.node(schema.strip_null(*items).0);
            match (&item.kind, &item.logical) {
                (Kind::String, Some(Logical::Uuid)) => Forms {
                    uuid: true,
                    ..Forms::default()
                },
                (Kind::String | Kind::Bytes, logical) => of_text(logical),
                (Kind::Union(branches), _) => branches
                    .iter()
                    .map(|branch| of_column(schema, *branch))
                    .fold(Forms::default(), Forms::and),
                (Kind::Int, None | Some(Logical::Date)) | (Kind::Long, None) => Forms {
                    numbers: true,
                    ..Forms::default()
                },
                _ => Forms::default(),
            }
        }
        _ => Forms::default(),
    }
}

/// The forms that a value of this type can hold: as [`of_column`], and records (rows) have those of their fields.
pub fn of_value(schema: &Schema, node: NodeId) -> Forms {
    within(schema, node, 0)
}

fn within(schema: &Schema, node: NodeId, depth: u32) -> Forms {
    let (node, _) = schema.strip_null(node);
    match &schema.node(node).kind {
        Kind::Record(fields) if depth < DEPTH_MAX => fields
            .iter()
            .map(|field| within(schema, field.ty, depth + 1))
            .fold(Forms::default(), Forms::and),
        Kind::Union(branches) if depth < DEPTH_MAX => branches
            .iter()
            .map(|branch| within(schema, *branch, depth + 1))
            .fold(Forms::default(), Forms::and),
        Kind::Array(items) | Kind::Map(items) if depth < DEPTH_MAX => {
            of_column(schema, node).and(within(schema, *items, depth + 1))
        }
        _ => of_column(schema, node),
    }
}

fn of_text(logical: &Option<Logical>) -> Forms {
    use Logical::*;
    let is_short = match logical {
        Some(Other(name)) => matches!(
            &**name,
            "io.debezium.data.Bits" | "io.debezium.time.Interval"
        ),
        Some(Uuid | TextEnum { .. } | ZonedTimestamp | ZonedTime | Iso(_) | Decimal { .. }) => true,
        _ => false,
    };
    Forms {
        text: !is_short,
        ..Forms::default()
    }
}

/// Whether a physical value is the placeholder, or holds it.
pub fn holds(value: &Val<'_>) -> bool {
    match value {
        Val::Str(text) => *text == TEXT || *text == HSTORE_JSON,
        Val::Bytes(bytes) => *bytes == TEXT.as_bytes(),
        Val::List([Val::Str(text)]) if *text == UUID => true,
        Val::List(items @ [Val::Int(_), ..]) => {
            items.len() == TEXT.len()
                && items.iter().zip(TEXT.bytes()).all(
                    |(item, byte)| matches!(item, Val::Int(number) if *number == i64::from(byte)),
                )
        }
        Val::List(items) => items.iter().any(holds),
        Val::Map(entries) => entries
            .iter()
            .any(|(key, value)| holds(key) || holds(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(text: &str) -> Vec<Val<'_>> {
        text.bytes().map(|byte| Val::Int(byte.into())).collect()
    }

    #[test]
    fn every_form_of_the_placeholder_is_known_and_nothing_near_it() {
        let numbers = bytes_of(TEXT);
        let entry = [(Val::Str(TEXT), Val::Str(TEXT))];
        for placeholder in [
            Val::Str(TEXT),
            Val::Str(HSTORE_JSON),
            Val::Bytes(TEXT.as_bytes()),
            Val::List(&[Val::Str(TEXT)]),
            Val::List(&[Val::Bytes(TEXT.as_bytes())]),
            Val::List(&[Val::Str(UUID)]),
            Val::List(&numbers),
            Val::Map(&entry),
        ] {
            assert!(holds(&placeholder), "{placeholder:?}");
        }
        let shorter = bytes_of(&TEXT[1..]);
        for value in [
            Val::Null,
            Val::Str(""),
            Val::Str("__debezium_unavailable_value "),
            Val::Str(UUID),
            Val::List(&[]),
            Val::List(&[Val::Null]),
            Val::List(&[Val::Str(UUID), Val::Str(UUID)]),
            Val::List(&shorter),
            Val::List(&[Val::Int(95)]),
        ] {
            assert!(!holds(&value), "{value:?}");
        }
    }

    #[test]
    fn the_uuid_is_the_one_that_java_makes_of_the_text() {
        // RFC 9562, version 3: version and variant are written over the digest.
        let digits: String = UUID.chars().filter(|c| *c != '-').collect();
        assert_eq!((digits.len(), &digits[12..13]), (32, "3"));
        assert!(matches!(&digits[16..17], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn types_of_a_fixed_width_have_no_placeholder() {
        let forms = |ty: &str| {
            let schema = Schema::parse(ty).unwrap();
            let Forms {
                text,
                numbers,
                uuid,
            } = of_column(&schema, schema.root);
            (text, numbers, uuid)
        };
        let string = r#""string""#;
        let named = |ty: &str, name: &str| format!(r#"{{"type":"{ty}","connect.name":"{name}"}}"#);
        let array = |items: &str| format!(r#"{{"type":"array","items":["null",{items}]}}"#);
        assert_eq!(forms(string), (true, false, false));
        assert_eq!(forms(r#"["null","bytes"]"#), (true, false, false));
        assert_eq!(
            forms(&named("string", "io.debezium.data.Json")),
            (true, false, false)
        );
        assert_eq!(
            forms(&named("string", "io.debezium.data.Uuid")),
            (false, false, false)
        );
        assert_eq!(
            forms(&named("string", "io.debezium.time.ZonedTimestamp")),
            (false, false, false)
        );
        assert_eq!(forms(r#""long""#), (false, false, false));
        assert_eq!(forms(&array(string)), (true, false, false));
        assert_eq!(forms(&array(r#""int""#)), (false, true, false));
        assert_eq!(
            forms(&array(&named("int", "io.debezium.time.Date"))),
            (false, true, false)
        );
        assert_eq!(forms(&array(r#""double""#)), (false, false, false));
        assert_eq!(
            forms(&array(&named("string", "io.debezium.data.Uuid"))),
            (false, false, true)
        );
        assert_eq!(forms(r#"["null","long","string"]"#), (true, false, false));
        assert_eq!(
            forms(r#"{"type":"array","items":["null","long","string"]}"#),
            (true, false, false)
        );
        assert_eq!(
            forms(r#"{"type":"map","values":["null","string"]}"#),
            (true, false, false)
        );
    }

    #[test]
    fn a_datum_is_suspected_in_every_form() {
        let numbers_only = Forms {
            numbers: true,
            ..Forms::default()
        };
        for branch in [None, Some(0), Some(2)] {
            let datum = [&[56][..], &numbers(branch), &[0]].concat();
            assert!(numbers_only.suspect(&datum), "{branch:?}");
            assert!(!Forms::default().suspect(&datum));
        }
        let text = Forms {
            text: true,
            ..Forms::default()
        };
        assert!(text.suspect(format!("\u{38}{TEXT}").as_bytes()));
        assert!(!text.suspect(UUID.as_bytes()));
        assert!(stands_in(format!("\u{2}\u{38}{TEXT}").as_bytes()));
        assert!(!stands_in(format!("\u{3a}{TEXT}!").as_bytes()));
    }
}
