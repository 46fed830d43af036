//! Goal: for random schemas and values, the scan, its slots, JSON and schema resolution agree with `apache-avro` and with a
//! model of what a reader must see; for random bytes nothing panics, and what the scan accepts `apache-avro` accepts.
//! Method: a type and a seed are drawn (and shrunk) by proptest; names follow from the place of a type, so that a changed
//! reader schema names the same things; values and changes follow from the seed.

use apache_avro::types::Value as Avro;
use bumpalo::Bump;
use lockgate::codec::{Scan, Slots, Val, json};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use serde_json::{Value as Json, json};

use super::{places, schema};

#[derive(Clone, Debug)]
pub(super) enum Ty {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Date,
    Micros,
    Decimal,
    Fixed(usize),
    Enum(usize),
    Array(Box<Ty>),
    Map(Box<Ty>),
    Nullable(Box<Ty>, bool),
    /// Null, boolean, string, a record and an array, from the given index on.
    Union(Box<Ty>, usize),
    Record(Vec<Ty>),
}

/// A physical value; `Branch` only on the writer's side.
#[derive(Clone, Debug)]
pub(super) enum Model {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Model>),
    Map(Vec<(String, Model)>),
    Branch(usize, Box<Model>),
}

fn ty() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        Just(Ty::Null),
        Just(Ty::Boolean),
        Just(Ty::Int),
        Just(Ty::Long),
        Just(Ty::Float),
        Just(Ty::Double),
        Just(Ty::Bytes),
        Just(Ty::String),
        Just(Ty::Date),
        Just(Ty::Micros),
        Just(Ty::Decimal),
        (0usize..5).prop_map(Ty::Fixed),
        (1usize..5).prop_map(Ty::Enum),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let one = inner.clone().prop_filter("a union holds no union and null once", |ty| {
            !matches!(ty, Ty::Null | Ty::Nullable(..) | Ty::Union(..))
        });
        prop_oneof![
            2 => inner.clone().prop_map(|ty| Ty::Array(ty.into())),
            1 => inner.clone().prop_map(|ty| Ty::Map(ty.into())),
            3 => (one.clone(), any::<bool>()).prop_map(|(ty, first)| Ty::Nullable(ty.into(), first)),
            1 => (inner.clone(), 0usize..3).prop_map(|(ty, from)| Ty::Union(ty.into(), from)),
            4 => prop::collection::vec(inner, 0..6).prop_map(Ty::Record),
        ]
    })
}

pub(super) fn root() -> impl Strategy<Value = Ty> {
    prop::collection::vec(ty(), 0..6).prop_map(Ty::Record)
}

/// The branches of [`Ty::Union`].
fn branches(inner: &Ty, from: usize) -> Vec<Ty> {
    let all = [
        Ty::Null,
        Ty::Boolean,
        Ty::String,
        Ty::Record(vec![inner.clone()]),
        Ty::Array(Box::new(inner.clone())),
    ];
    all.into_iter().skip(from).collect()
}

fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("S{i}")).collect()
}

pub(super) fn to_schema(ty: &Ty, at: &str) -> Json {
    match ty {
        Ty::Null => json!("null"),
        Ty::Boolean => json!("boolean"),
        Ty::Int => json!("int"),
        Ty::Long => json!("long"),
        Ty::Float => json!("float"),
        Ty::Double => json!("double"),
        Ty::Bytes => json!("bytes"),
        Ty::String => json!("string"),
        Ty::Date => json!({"type": "int", "logicalType": "date"}),
        Ty::Micros => json!({"type": "long", "logicalType": "timestamp-micros"}),
        Ty::Decimal => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 3})
        }
        Ty::Fixed(size) => json!({"type": "fixed", "name": format!("F{at}"), "size": size}),
        Ty::Enum(count) => {
            json!({"type": "enum", "name": format!("E{at}"), "symbols": symbols(*count)})
        }
        Ty::Array(items) => json!({"type": "array", "items": to_schema(items, &format!("{at}a"))}),
        Ty::Map(values) => json!({"type": "map", "values": to_schema(values, &format!("{at}m"))}),
        Ty::Nullable(inner, true) => json!(["null", to_schema(inner, &format!("{at}n"))]),
        Ty::Nullable(inner, false) => json!([to_schema(inner, &format!("{at}n")), "null"]),
        Ty::Union(inner, from) => {
            let list = branches(inner, *from);
            list.iter()
                .enumerate()
                .map(|(i, ty)| to_schema(ty, &format!("{at}u{i}")))
                .collect::<Vec<_>>()
                .into()
        }
        Ty::Record(fields) => {
            let fields: Vec<Json> = fields
                .iter()
                .enumerate()
                .map(|(i, ty)| json!({"name": format!("f{i}"), "type": to_schema(ty, &format!("{at}_{i}"))}))
                .collect();
            json!({"type": "record", "name": format!("R{at}"), "fields": fields})
        }
    }
}

pub(super) fn value(ty: &Ty, rng: &mut StdRng) -> Model {
    let number = |rng: &mut StdRng, bits: u32| {
        let wide = rng.next_u64() as i64;
        wide >> (64 - bits + rng.random_range(0..bits))
    };
    match ty {
        Ty::Null => Model::Null,
        Ty::Boolean => Model::Bool(rng.random()),
        Ty::Int => Model::Int(number(rng, 32)),
        Ty::Long => Model::Int(number(rng, 64)),
        Ty::Date => Model::Int(rng.random_range(-700_000..2_900_000)),
        // Within the years 1 to 9999: beyond them JSON has the plain number, which has a test of its own.
        Ty::Micros => Model::Int(number(rng, 56)),
        Ty::Float => Model::Double(f64::from(rng.random::<f32>() * 1e6)),
        Ty::Double => Model::Double(rng.random::<f64>() * 1e12),
        Ty::Bytes => Model::Bytes((0..rng.random_range(0..40)).map(|_| rng.random()).collect()),
        Ty::String => Model::Str(
            (0..rng.random_range(0..40))
                .map(|_| {
                    ['a', 'Z', ' ', 'ä', '"', '\\', '\n', '\u{1}', '/', '€', '𝄞']
                        [rng.random_range(0..11).min(rng.random_range(0..11))]
                })
                .collect(),
        ),
        Ty::Decimal => {
            let number = lockgate::codec::Decimal::new(i128::from(number(rng, 64)), 3);
            let (bytes, start) = number.to_be_bytes();
            Model::Bytes(bytes[start..].to_vec())
        }
        Ty::Fixed(size) => Model::Bytes((0..*size).map(|_| rng.random()).collect()),
        Ty::Enum(count) => Model::Str(format!("S{}", rng.random_range(0..*count))),
        Ty::Array(items) => Model::List(
            (0..rng.random_range(0..4))
                .map(|_| value(items, rng))
                .collect(),
        ),
        Ty::Map(values) => Model::Map(
            (0..rng.random_range(0..3))
                .map(|i| (format!("k{i}"), value(values, rng)))
                .collect(),
        ),
        Ty::Nullable(inner, first) => match rng.random() {
            true => Model::Branch(usize::from(!first), Box::new(Model::Null)),
            false => Model::Branch(usize::from(*first), Box::new(value(inner, rng))),
        },
        Ty::Union(inner, from) => {
            let list = branches(inner, *from);
            let at = rng.random_range(0..list.len());
            Model::Branch(at, Box::new(value(&list[at], rng)))
        }
        Ty::Record(fields) => Model::Map(
            fields
                .iter()
                .enumerate()
                .map(|(i, ty)| (format!("f{i}"), value(ty, rng)))
                .collect(),
        ),
    }
}

pub(super) fn to_avro(ty: &Ty, model: &Model) -> Avro {
    match (ty, model) {
        (Ty::Null, _) => Avro::Null,
        (Ty::Boolean, Model::Bool(v)) => Avro::Boolean(*v),
        (Ty::Int, Model::Int(v)) => Avro::Int(*v as i32),
        (Ty::Long, Model::Int(v)) => Avro::Long(*v),
        (Ty::Date, Model::Int(v)) => Avro::Date(*v as i32),
        (Ty::Micros, Model::Int(v)) => Avro::TimestampMicros(*v),
        (Ty::Float, Model::Double(v)) => Avro::Float(*v as f32),
        (Ty::Double, Model::Double(v)) => Avro::Double(*v),
        (Ty::Bytes, Model::Bytes(v)) => Avro::Bytes(v.clone()),
        (Ty::String, Model::Str(v)) => Avro::String(v.clone()),
        (Ty::Decimal, Model::Bytes(v)) => Avro::Decimal(v.as_slice().into()),
        (Ty::Fixed(size), Model::Bytes(v)) => Avro::Fixed(*size, v.clone()),
        (Ty::Enum(count), Model::Str(v)) => Avro::Enum(
            symbols(*count).iter().position(|s| s == v).unwrap() as u32,
            v.clone(),
        ),
        (Ty::Array(items), Model::List(v)) => {
            Avro::Array(v.iter().map(|v| to_avro(items, v)).collect())
        }
        (Ty::Map(values), Model::Map(v)) => Avro::Map(
            v.iter()
                .map(|(key, v)| (key.clone(), to_avro(values, v)))
                .collect(),
        ),
        (Ty::Nullable(inner, first), Model::Branch(at, v)) => {
            let ty = if *at == usize::from(!first) {
                &Ty::Null
            } else {
                inner
            };
            Avro::Union(*at as u32, Box::new(to_avro(ty, v)))
        }
        (Ty::Union(inner, from), Model::Branch(at, v)) => Avro::Union(
            *at as u32,
            Box::new(to_avro(&branches(inner, *from)[*at], v)),
        ),
        (Ty::Record(fields), Model::Map(v)) => Avro::Record(
            fields
                .iter()
                .zip(v)
                .map(|(ty, (name, v))| (name.clone(), to_avro(ty, v)))
                .collect(),
        ),
        (ty, model) => panic!("{model:?} is no {ty:?}"),
    }
}

/// What JSON must say, from `apache-avro`'s own reading.
pub(super) fn to_json(value: &Avro) -> Json {
    use base64::Engine;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let at = |micros: i64| jiff::Timestamp::from_microsecond(micros).unwrap();
    match value {
        Avro::Null => Json::Null,
        Avro::Boolean(v) => json!(v),
        Avro::Int(v) => json!(v),
        Avro::Long(v) => json!(v),
        Avro::Float(v) => json!(f64::from(*v)),
        Avro::Double(v) => json!(v),
        Avro::Bytes(v) | Avro::Fixed(_, v) => json!(base64(v)),
        Avro::String(v) | Avro::Enum(_, v) => json!(v),
        Avro::Date(days) => {
            let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(*days);
            json!(date.to_string())
        }
        Avro::TimestampMicros(v) => {
            let text = at(*v).to_string();
            // jiff writes as few digits as it can, we write 0, 3, 6 or 9.
            let (whole, fraction) = text
                .trim_end_matches('Z')
                .split_once('.')
                .map_or((text.trim_end_matches('Z'), ""), |p| p);
            let width = fraction.len().div_ceil(3) * 3;
            let point = if width == 0 { "" } else { "." };
            json!(format!("{whole}{point}{fraction:0<width$}Z"))
        }
        Avro::Decimal(v) => {
            let bytes = Vec::<u8>::try_from(v).unwrap();
            let units = bytes
                .iter()
                .fold(if bytes[0] & 0x80 == 0 { 0i128 } else { -1 }, |n, b| {
                    n << 8 | i128::from(*b)
                });
            let sign = if units < 0 { "-" } else { "" };
            json!(format!(
                "{sign}{}.{:03}",
                units.unsigned_abs() / 1_000,
                units.unsigned_abs() % 1_000
            ))
        }
        Avro::Array(v) => v.iter().map(to_json).collect::<Vec<_>>().into(),
        Avro::Map(v) => Json::Object(v.iter().map(|(k, v)| (k.clone(), to_json(v))).collect()),
        Avro::Record(v) => Json::Object(v.iter().map(|(k, v)| (k.clone(), to_json(v))).collect()),
        Avro::Union(_, v) => to_json(v),
        other => panic!("{other:?} is not drawn"),
    }
}

/// The model without the writer's branches.
fn plain(model: &Model) -> Model {
    match model {
        Model::Branch(_, inner) => plain(inner),
        Model::List(list) => Model::List(list.iter().map(plain).collect()),
        Model::Map(map) => Model::Map(map.iter().map(|(k, v)| (k.clone(), plain(v))).collect()),
        other => other.clone(),
    }
}

fn same(found: &Val<'_>, expected: &Model) -> bool {
    match (found, expected) {
        (Val::Null, Model::Null) => true,
        (Val::Bool(a), Model::Bool(b)) => a == b,
        (Val::Int(a), Model::Int(b)) => a == b,
        (Val::Double(a), Model::Double(b)) => a == b,
        (Val::Str(a), Model::Str(b)) => a == b,
        (Val::Bytes(a), Model::Bytes(b)) => a == b,
        (Val::List(a), Model::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Val::Map(a), Model::Map(b)) => {
            // Maps have no order.
            let find = |key: &str| {
                a.iter()
                    .find(|(k, _)| matches!(k, Val::Str(k) if *k == key))
            };
            a.len() == b.len()
                && b.iter()
                    .all(|(key, v)| find(key).is_some_and(|(_, found)| same(found, v)))
        }
        _ => false,
    }
}

/// A reader's schema that every value of `ty` can be read as, and `model` as it must then be read. Decisions follow from
/// the seed and the place, so that they are the same for every item of an array.
pub(super) fn evolve(ty: &Ty, at: &str, seed: u64, model: &Model) -> (Json, Model) {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    (seed, at).hash(&mut hasher);
    let mut rng = StdRng::seed_from_u64(hasher.finish());
    let number = |model: &Model| match model {
        Model::Int(v) => *v,
        other => panic!("{other:?} is no number"),
    };
    let items = |inner: &Ty, at: String, list: Vec<&Model>| {
        let (schema, _) = evolve_any(inner, &at, seed);
        (
            schema,
            list.into_iter()
                .map(|v| evolve(inner, &at, seed, v).1)
                .collect::<Vec<_>>(),
        )
    };
    let (schema, read) = match (ty, model) {
        (Ty::Int, _) => match rng.random_range(0..3) {
            0 => (json!("long"), model.clone()),
            1 => (json!("double"), Model::Double(number(model) as f64)),
            _ => (
                json!("float"),
                Model::Double(f64::from(number(model) as f32)),
            ),
        },
        (Ty::Long, _) if rng.random() => (json!("double"), Model::Double(number(model) as f64)),
        (Ty::Float, _) => (json!("double"), model.clone()),
        (Ty::String, Model::Str(text)) if rng.random() => {
            (json!("bytes"), Model::Bytes(text.clone().into_bytes()))
        }
        (Ty::Date, _) if rng.random() => (json!("long"), model.clone()),
        (Ty::Enum(count), Model::Str(text)) => {
            let mut list = symbols(*count);
            list.reverse();
            let gone = list.pop().unwrap();
            list.push("OTHER".to_owned());
            let text = if *text == gone {
                "OTHER".to_owned()
            } else {
                text.clone()
            };
            (
                json!({"type": "enum", "name": format!("E{at}"), "symbols": list, "default": "OTHER"}),
                Model::Str(text),
            )
        }
        (Ty::Array(inner), Model::List(list)) => {
            let (schema, list) = items(inner, format!("{at}a"), list.iter().collect());
            (json!({"type": "array", "items": schema}), Model::List(list))
        }
        (Ty::Map(inner), Model::Map(map)) => {
            let (schema, list) = items(
                inner,
                format!("{at}m"),
                map.iter().map(|(_, v)| v).collect(),
            );
            let map = map
                .iter()
                .zip(list)
                .map(|((k, _), v)| (k.clone(), v))
                .collect();
            (json!({"type": "map", "values": schema}), Model::Map(map))
        }
        (Ty::Nullable(inner, _), Model::Branch(_, v)) => {
            let is_null = matches!(**v, Model::Null);
            let place = format!("{at}n");
            // A union inside would not be allowed; the inner type stays as it is if it would become one.
            let (schema, _) = evolve_any(inner, &place, seed);
            let read = if is_null {
                Model::Null
            } else {
                evolve(inner, &place, seed, v).1
            };
            return match (schema.is_array(), rng.random()) {
                (true, _) => (schema, read),
                (false, true) => (json!(["null", schema]), read),
                (false, false) => (json!([schema, "null"]), read),
            };
        }
        (Ty::Record(fields), Model::Map(values)) => {
            let (mut list, mut read) = (Vec::new(), Vec::new());
            for (i, (ty, (name, v))) in fields.iter().zip(values).enumerate() {
                let (schema, v) = evolve(ty, &format!("{at}_{i}"), seed, v);
                match rng.random_range(0..6) {
                    0 => {}
                    1 => {
                        list.push(json!({"name": format!("new_{name}"), "aliases": [name], "type": schema}));
                        read.push((format!("new_{name}"), v));
                    }
                    _ => {
                        list.push(json!({"name": name, "type": schema}));
                        read.push((name.clone(), v));
                    }
                }
                if rng.random_range(0..4) == 0 {
                    list.push(
                        json!({"name": format!("d{i}"), "type": ["long", "null"], "default": 7}),
                    );
                    read.push((format!("d{i}"), Model::Int(7)));
                }
            }
            list.reverse();
            read.reverse();
            (
                json!({"type": "record", "name": format!("R{at}"), "fields": list}),
                Model::Map(read),
            )
        }
        _ => (to_schema(ty, at), plain(model)),
    };
    // What was required becomes optional.
    let can_wrap = !schema.is_array() && schema != "null" && !at.ends_with('n');
    if can_wrap && !at.is_empty() && rng.random_range(0..4) == 0 {
        (json!([schema, "null"]), read)
    } else {
        (schema, read)
    }
}

/// The schema of [`evolve`] alone.
fn evolve_any(ty: &Ty, at: &str, seed: u64) -> (Json, Model) {
    let any = value(ty, &mut StdRng::seed_from_u64(seed));
    evolve(ty, at, seed, &any)
}

pub(super) fn datum(schema: &Json, value: Avro) -> (apache_avro::Schema, Vec<u8>) {
    let oracle = apache_avro::Schema::parse_str(&schema.to_string()).unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&oracle)
        .build()
        .unwrap();
    let bytes = writer.write_value_to_vec(value).unwrap();
    (oracle, bytes)
}

pub(super) fn oracle_reads(schema: &apache_avro::Schema, bytes: &[u8]) -> Result<Avro, String> {
    let mut rest = bytes;
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(schema)
        .build()
        .unwrap();
    let value = reader.read_value(&mut rest).map_err(|e| e.to_string())?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("{} bytes are left", rest.len()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn slots_and_json_are_what_apache_avro_reads(ty in root(), seed in any::<u64>()) {
        let text = to_schema(&ty, "");
        let model = value(&ty, &mut StdRng::seed_from_u64(seed));
        let (oracle, bytes) = datum(&text, to_avro(&ty, &model));
        let read = oracle_reads(&oracle, &bytes).unwrap();
        let schema = schema(&text);

        let json = json::to_json(&schema, &bytes).unwrap();
        prop_assert_eq!(&json, &to_json(&read));
        let back = json::from_json(&schema, &json).unwrap();
        prop_assert_eq!(&json::to_json(&schema, &back).unwrap(), &json);

        let places = places(&schema);
        let wants: Vec<_> = places.iter().map(|(want, _, _)| want.clone()).collect();
        let scan = Scan::compile(&schema, &schema, &wants).unwrap();
        let mut slots = Slots::new();
        scan.run(&bytes, &mut slots).unwrap();
        let bump = Bump::new();
        let model = plain(&model);
        for (slot, (_, names, _)) in places.iter().enumerate() {
            let expected = names.iter().fold(&model, |model, name| match model {
                Model::Map(fields) => &fields.iter().find(|(n, _)| n == name).unwrap().1,
                _ => &Model::Null,
            });
            let found = scan.materialise(&slots, slot as u16, &bytes, &bump).unwrap();
            prop_assert!(same(&found, expected), "{names:?}: {found:?} is not {expected:?}");
            prop_assert_eq!(scan.is_null(&slots, slot as u16), matches!(expected, Model::Null));
            if !matches!(expected, Model::List(_) | Model::Map(_)) {
                let got = scan.get(&slots, slot as u16, &bytes);
                prop_assert!(same(&got, expected), "{names:?}: {got:?} is not {expected:?}");
            }
        }
    }

    #[test]
    fn a_changed_reader_sees_what_resolution_says(ty in root(), seed in any::<u64>()) {
        let text = to_schema(&ty, "");
        let model = value(&ty, &mut StdRng::seed_from_u64(seed));
        let (_, bytes) = datum(&text, to_avro(&ty, &model));
        let (reader, expected) = evolve(&ty, "", seed, &model);
        let (writer, reader) = (schema(&text), schema(&reader));
        let places = places(&reader);
        let wants: Vec<_> = places.iter().map(|(want, _, _)| want.clone()).collect();
        let scan = Scan::compile(&writer, &reader, &wants);
        let scan = scan.unwrap_or_else(|faults| panic!("{faults:?}: {text} as {}", reader.source));
        let mut slots = Slots::new();
        scan.run(&bytes, &mut slots).unwrap();
        let bump = Bump::new();
        for (slot, (_, names, _)) in places.iter().enumerate() {
            let expected = names.iter().fold(&expected, |model, name| match model {
                Model::Map(fields) => &fields.iter().find(|(n, _)| n == name).unwrap().1,
                _ => &Model::Null,
            });
            let found = scan.materialise(&slots, slot as u16, &bytes, &bump).unwrap();
            prop_assert!(same(&found, expected), "{names:?}: {found:?} is not {expected:?}; {}", reader.source);
        }
    }

    #[test]
    fn any_bytes_are_accepted_or_refused_and_never_more_than_apache_avro_accepts(
        ty in root(),
        seed in any::<u64>(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        random in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let text = to_schema(&ty, "");
        let model = value(&ty, &mut StdRng::seed_from_u64(seed));
        let (oracle, mut bytes) = datum(&text, to_avro(&ty, &model));
        for (at, byte) in noise {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let schema = schema(&text);
        let places = places(&schema);
        let wants: Vec<_> = places.iter().map(|(want, _, _)| want.clone()).collect();
        let scan = Scan::compile(&schema, &schema, &wants).unwrap();
        let mut slots = Slots::new();
        for bytes in [&bytes, &random] {
            let verdict = scan.run(bytes, &mut slots);
            let json = json::to_json(&schema, bytes);
            if verdict.is_ok() {
                prop_assert!(oracle_reads(&oracle, bytes).is_ok(), "accepted what apache-avro refuses");
                prop_assert!(json.is_ok(), "{json:?}");
                let bump = Bump::new();
                for slot in 0..wants.len() as u16 {
                    prop_assert!(scan.materialise(&slots, slot, bytes, &bump).is_ok());
                }
            }
        }
    }
}
