//! The type names that Debezium and Kafka Connect put into `connect.name`: which encoding each stands on, what it means,
//! and which type it has in expressions. The table of `docs/LANGUAGE.md` is made from this one.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::logical;
use super::{Iso, Kind, Logical};

/// A type name.
#[derive(Debug)]
pub struct TypeName {
    /// `io.debezium.time.Date`.
    pub name: &'static str,
    /// The Avro type that carries it; on any other the name means nothing.
    pub encoding: Encoding,
    /// The type in expressions, as messages show it.
    pub ty: &'static str,
    /// What it holds, and what can be done with it.
    pub doc: &'static str,
    meaning: Meaning,
}

/// The Avro types that carry type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Encoding {
    Int,
    Long,
    /// Or fixed.
    Bytes,
    String,
    Array,
    Record,
}

#[derive(Debug)]
enum Meaning {
    Is(Logical),
    /// With the scale of the schema's parameters.
    Decimal,
    /// A record of scale and value.
    VariableScaleDecimal,
    /// One of the allowed texts of the schema's parameters.
    Enum,
    /// What its encoding is.
    Plain,
}

const MILLIS: u32 = 1_000;
const MICROS: u32 = 1_000_000;
const NANOS: u32 = 1_000_000_000;

const fn row(
    name: &'static str,
    encoding: Encoding,
    meaning: Meaning,
    ty: &'static str,
    doc: &'static str,
) -> TypeName {
    TypeName {
        name,
        encoding,
        ty,
        doc,
        meaning,
    }
}

const fn is(logical: Logical) -> Meaning {
    Meaning::Is(logical)
}

/// All type names that are known.
pub const NAMES: &[TypeName] = &[
    row(
        "org.apache.kafka.connect.data.Decimal",
        Encoding::Bytes,
        Meaning::Decimal,
        "decimal",
        "exact, with the scale of the schema (`numeric(12, 2)`, `money`); more than 38 digits are copied, not computed with",
    ),
    row(
        "org.apache.kafka.connect.data.Date",
        Encoding::Int,
        is(Logical::Date),
        "date",
        "days since 1970",
    ),
    row(
        "org.apache.kafka.connect.data.Time",
        Encoding::Int,
        is(Logical::Time { per_second: MILLIS }),
        "time of day",
        "milliseconds since midnight",
    ),
    row(
        "org.apache.kafka.connect.data.Timestamp",
        Encoding::Long,
        is(Logical::Timestamp { per_second: MILLIS }),
        "timestamp",
        "milliseconds since 1970",
    ),
    row(
        "io.debezium.time.Date",
        Encoding::Int,
        is(Logical::Date),
        "date",
        "days since 1970; PostgreSQL's infinities are days that no calendar has",
    ),
    row(
        "io.debezium.time.Time",
        Encoding::Int,
        is(Logical::Time { per_second: MILLIS }),
        "time of day",
        "milliseconds since midnight",
    ),
    row(
        "io.debezium.time.MicroTime",
        Encoding::Long,
        is(Logical::Time { per_second: MICROS }),
        "time of day",
        "microseconds since midnight; `24:00:00` is a whole day of them",
    ),
    row(
        "io.debezium.time.NanoTime",
        Encoding::Long,
        is(Logical::Time { per_second: NANOS }),
        "time of day",
        "nanoseconds since midnight",
    ),
    row(
        "io.debezium.time.Timestamp",
        Encoding::Long,
        is(Logical::LocalTimestamp { per_second: MILLIS }),
        "timestamp",
        "milliseconds since 1970, without a zone: taken as UTC",
    ),
    row(
        "io.debezium.time.MicroTimestamp",
        Encoding::Long,
        is(Logical::LocalTimestamp { per_second: MICROS }),
        "timestamp",
        "microseconds since 1970, without a zone: taken as UTC; infinities and years beyond 9999 fail with `time_range` where they are computed with",
    ),
    row(
        "io.debezium.time.NanoTimestamp",
        Encoding::Long,
        is(Logical::LocalTimestamp { per_second: NANOS }),
        "timestamp",
        "nanoseconds since 1970, without a zone: taken as UTC",
    ),
    row(
        "io.debezium.time.ZonedTimestamp",
        Encoding::String,
        is(Logical::ZonedTimestamp),
        "timestamp",
        "text with a zone; `infinity`, and years beyond 9999, fail with `bad_timestamp` where they are computed with",
    ),
    row(
        "io.debezium.time.ZonedTime",
        Encoding::String,
        is(Logical::ZonedTime),
        "string",
        "a time of day with its zone: `10:20:30.5Z`",
    ),
    row(
        "io.debezium.time.IsoDate",
        Encoding::String,
        is(Logical::Iso(Iso::Date)),
        "date",
        "text: `2024-01-31Z`",
    ),
    row(
        "io.debezium.time.IsoTime",
        Encoding::String,
        is(Logical::Iso(Iso::Time)),
        "time of day",
        "text: `10:20:30.5Z`",
    ),
    row(
        "io.debezium.time.IsoTimestamp",
        Encoding::String,
        is(Logical::Iso(Iso::Timestamp)),
        "timestamp",
        "text: `2024-01-31T10:20:30.5Z`",
    ),
    row(
        "io.debezium.time.MicroDuration",
        Encoding::Long,
        is(Logical::Interval { per_second: MICROS }),
        "duration",
        "microseconds, in which Debezium has made 30.4375 days of a month; `interval.handling.mode=string` keeps months",
    ),
    row(
        "io.debezium.time.NanoDuration",
        Encoding::Long,
        is(Logical::Interval { per_second: NANOS }),
        "duration",
        "nanoseconds",
    ),
    row(
        "io.debezium.time.Interval",
        Encoding::String,
        Meaning::Plain,
        "string",
        "`P1Y2M3DT4H5M6.78S`; `interval.months(x)`, `interval.days(x)` and `interval.time(x)` take it apart",
    ),
    row(
        "io.debezium.time.Year",
        Encoding::Int,
        Meaning::Plain,
        "int",
        "the year",
    ),
    row(
        "io.debezium.data.VariableScaleDecimal",
        Encoding::Record,
        Meaning::VariableScaleDecimal,
        "decimal",
        "exact, each with a scale of its own (`numeric`)",
    ),
    row(
        "io.debezium.data.Json",
        Encoding::String,
        is(Logical::Json),
        "string",
        "JSON, unread; the functions of JSON read it",
    ),
    row(
        "io.debezium.data.Xml",
        Encoding::String,
        Meaning::Plain,
        "string",
        "XML, unread",
    ),
    row(
        "io.debezium.data.Uuid",
        Encoding::String,
        is(Logical::Uuid),
        "string",
        "copied into `uuid`, as text or fixed",
    ),
    row(
        "io.debezium.data.Enum",
        Encoding::String,
        Meaning::Enum,
        "string",
        "one of the allowed texts, which comparisons are checked against; copied into an Avro enum that has all of them",
    ),
    row(
        "io.debezium.data.EnumSet",
        Encoding::String,
        Meaning::Plain,
        "string",
        "texts with commas between them: `x.split(',')`",
    ),
    row(
        "io.debezium.data.Bits",
        Encoding::Bytes,
        Meaning::Plain,
        "bytes",
        "the lowest bit first, in the first byte (`bit(n)`, `bit varying`; a `bit(1)` is a bool); `bits.test(x, 0)` asks for one. Debezium leaves zeros at the high end out",
    ),
    row(
        "io.debezium.data.Ltree",
        Encoding::String,
        Meaning::Plain,
        "string",
        "a path with points: `x.split('.')`",
    ),
    row(
        "io.debezium.data.Tsvector",
        Encoding::String,
        Meaning::Plain,
        "string",
        "as PostgreSQL writes it",
    ),
    row(
        "io.debezium.data.DoubleVector",
        Encoding::Array,
        Meaning::Plain,
        "list(double)",
        "`vector`",
    ),
    row(
        "io.debezium.data.FloatVector",
        Encoding::Array,
        Meaning::Plain,
        "list(double)",
        "`halfvec`",
    ),
    row(
        "io.debezium.data.SparseDoubleVector",
        Encoding::Record,
        Meaning::Plain,
        "record",
        "`dimensions`, and the numbers by their places under `vector`",
    ),
    row(
        "io.debezium.data.geometry.Point",
        Encoding::Record,
        Meaning::Plain,
        "record",
        "`x.x` and `x.y` are doubles; `wkb` is the same in bytes, `srid` its reference system",
    ),
    row(
        "io.debezium.data.geometry.Geometry",
        Encoding::Record,
        Meaning::Plain,
        "record",
        "`wkb` (well-known binary) and `srid`",
    ),
    row(
        "io.debezium.data.geometry.Geography",
        Encoding::Record,
        Meaning::Plain,
        "record",
        "`wkb` (well-known binary) and `srid`",
    ),
];

/// The meaning of a `connect.name` on a type: `None` if the name is not known, or not on this type.
pub(super) fn meaning(
    kind: &Kind,
    name: &str,
    attributes: &Map<String, Value>,
    variable_scale: bool,
) -> Option<Logical> {
    let known = NAMES
        .iter()
        .find(|known| known.name == name && known.encoding.carries(kind))?;
    match &known.meaning {
        Meaning::Is(logical) => Some(logical.clone()),
        Meaning::Decimal => logical::connect_decimal(kind, attributes),
        Meaning::VariableScaleDecimal => variable_scale.then_some(Logical::VariableScaleDecimal),
        Meaning::Enum => {
            let allowed = logical::parameter(attributes, "allowed")?.split(',');
            Some(Logical::TextEnum {
                allowed: allowed.map(str::to_owned).collect(),
            })
        }
        // A record's, array's and map's own names are kept elsewhere.
        Meaning::Plain => match known.encoding {
            Encoding::Array | Encoding::Record => None,
            _ => Some(Logical::Other(name.to_owned())),
        },
    }
}

impl Encoding {
    fn carries(self, kind: &Kind) -> bool {
        matches!(
            (self, kind),
            (Encoding::Int, Kind::Int)
                | (Encoding::Long, Kind::Long)
                | (Encoding::Bytes, Kind::Bytes | Kind::Fixed { .. })
                | (Encoding::String, Kind::String)
                | (Encoding::Array, Kind::Array(_))
                | (Encoding::Record, Kind::Record(_))
        )
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Long => "long",
            Encoding::Bytes => "bytes",
            Encoding::String => "string",
            Encoding::Array => "array",
            Encoding::Record => "record",
        }
    }
}

/// The section of `docs/LANGUAGE.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "\n### Type names of Debezium and Connect\n\nA column with one of these names (`connect.name` in the Avro schema) has the type that stands here; \
         a name on another Avro type, or one that is not listed, means nothing, and the column has its Avro type. Copying needs no type: a value goes as it is into a \
         field of the same name, and `check` says where it does not fit.\n\n| name | Avro | type | |\n|---|---|---|---|\n",
    );
    for known in NAMES {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            known.name,
            known.encoding.name(),
            known.ty,
            known.doc
        );
    }
    out
}
