//! Goal: a datum read as another version of its schema, and written on in that version, is what `apache-avro` makes of it.
//! Method: the random types, values and changes of the oracle (aliases, defaults, promotions, fields added, removed and moved,
//! unions widened), in a bounded number of cases; a failing one is printed with its seed and shrunk. The pinned 0.23 is the judge: 0.22
//! resolves decimals wrongly.

use std::cell::Cell;

use apache_avro_next as judge;
use bumpalo::Bump;
use judge::reader::datum::GenericDatumReader;
use judge::types::Value as Judged;
use lockgate::codec::{Emit, FieldSource, Scan, Slots, Val, Want};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value as Json;

use super::oracle::{Model, datum, evolve, root, to_avro, to_schema, value};
use super::schema;

/// The judge's value as our model has it: without branches, and numbers as they count.
fn model(value: &Judged) -> Model {
    let decimal = |bytes: Vec<u8>| {
        // The fewest bytes, however it was encoded.
        let first = usize::from(bytes.first().is_some_and(|byte| byte & 0x80 != 0));
        let sign = [0u8, 0xFF][first];
        let mut start = 0;
        while bytes.len() - start > 1
            && bytes[start] == sign
            && (bytes[start + 1] & 0x80 != 0) == (sign == 0xFF)
        {
            start += 1;
        }
        Model::Bytes(bytes[start..].to_vec())
    };
    match value {
        Judged::Null => Model::Null,
        Judged::Boolean(v) => Model::Bool(*v),
        Judged::Int(v) | Judged::Date(v) => Model::Int(i64::from(*v)),
        Judged::Long(v) | Judged::TimestampMicros(v) => Model::Int(*v),
        Judged::Float(v) => Model::Double(f64::from(*v)),
        Judged::Double(v) => Model::Double(*v),
        Judged::Bytes(v) | Judged::Fixed(_, v) => Model::Bytes(v.clone()),
        Judged::Decimal(v) => decimal(Vec::<u8>::try_from(v).unwrap()),
        Judged::String(v) | Judged::Enum(_, v) => Model::Str(v.clone()),
        Judged::Array(v) => Model::List(v.iter().map(model).collect()),
        Judged::Map(v) => Model::Map(v.iter().map(|(k, v)| (k.clone(), model(v))).collect()),
        Judged::Record(v) => Model::Map(v.iter().map(|(k, v)| (k.clone(), model(v))).collect()),
        Judged::Union(_, v) => model(v),
        other => panic!("{other:?} is not drawn"),
    }
}

/// What a slot holds, as a model.
fn found(value: &Val<'_>) -> Model {
    match value {
        Val::Null => Model::Null,
        Val::Bool(v) => Model::Bool(*v),
        Val::Int(v) => Model::Int(*v),
        Val::Double(v) => Model::Double(*v),
        Val::Str(v) => Model::Str((*v).to_owned()),
        Val::Bytes(v) => Model::Bytes(v.to_vec()),
        Val::List(v) => Model::List(v.iter().map(found).collect()),
        Val::Map(v) => Model::Map(
            v.iter()
                .map(|(key, v)| match key {
                    Val::Str(key) => ((*key).to_owned(), found(v)),
                    other => panic!("{other:?} is no key"),
                })
                .collect(),
        ),
        other => panic!("{other:?} is no physical value"),
    }
}

/// Maps have no order.
fn sorted(model: Model) -> Model {
    match model {
        Model::Map(mut entries) => {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Model::Map(entries.into_iter().map(|(k, v)| (k, sorted(v))).collect())
        }
        Model::List(items) => Model::List(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// The fields that a reader knows by an alias: record, the writer's name, the reader's.
fn aliases(reader: &Json) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut open = vec![reader];
    while let Some(json) = open.pop() {
        for field in json["fields"].as_array().into_iter().flatten() {
            if let Some(alias) = field["aliases"][0].as_str() {
                let text = |json: &Json| json.as_str().unwrap().to_owned();
                found.push((text(&json["name"]), alias.to_owned(), text(&field["name"])));
            }
        }
        match json {
            Json::Array(items) => open.extend(items),
            Json::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    found
}

/// The specification's way with aliases: the writer's schema is rewritten. The judge does not know it.
fn rename(writer: &mut Json, aliases: &[(String, String, String)]) {
    let record = writer["name"].as_str().map(str::to_owned);
    for field in writer
        .get_mut("fields")
        .and_then(Json::as_array_mut)
        .into_iter()
        .flatten()
    {
        let is_it = |alias: &&(String, String, String)| {
            Some(&alias.0) == record.as_ref() && field["name"] == *alias.1
        };
        if let Some((_, _, name)) = aliases.iter().find(is_it) {
            field["name"] = name.as_str().into();
        }
    }
    match writer {
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, aliases)),
        Json::Object(members) => members.values_mut().for_each(|item| rename(item, aliases)),
        _ => {}
    }
}

/// The judge's reading of a datum, as another version if one is given.
fn judged(
    writer: &judge::Schema,
    reader: Option<&judge::Schema>,
    bytes: &[u8],
) -> Result<Judged, String> {
    let mut rest = bytes;
    let value = GenericDatumReader::builder(writer)
        .maybe_reader_schema(reader)
        .build()
        .and_then(|reader| reader.read_value(&mut rest))
        .map_err(|error| error.to_string())?;
    assert!(rest.is_empty(), "{} bytes are left", rest.len());
    Ok(value)
}

#[test]
fn what_is_read_and_written_as_another_version_is_what_apache_avro_says() {
    judge::util::max_decode_recursion_depth(200);
    let (compared, refused) = (Cell::new(0u32), Cell::new(0u32));
    let mut runner = TestRunner::new(Config {
        cases: 500,
        // A failure prints the type and the seed; nothing is kept in files.
        failure_persistence: None,
        ..Config::default()
    });
    let run = runner.run(&(root(), any::<u64>()), |(ty, seed)| {
        let text = to_schema(&ty, "");
        let drawn = value(&ty, &mut StdRng::seed_from_u64(seed));
        let (_, bytes) = datum(&text, to_avro(&ty, &drawn));
        let (changed, _) = evolve(&ty, "", seed, &drawn);
        let mut renamed = text.clone();
        rename(&mut renamed, &aliases(&changed));
        let writer = judge::Schema::parse_str(&renamed.to_string()).unwrap();
        let reader = judge::Schema::parse_str(&changed.to_string()).unwrap();
        let expected = match judged(&writer, Some(&reader), &bytes) {
            Ok(value) => sorted(model(&value)),
            // Its own limits: a date is no int to it, and it finds no branch for some records.
            Err(why) => {
                let is_known =
                    why.contains("got: Date(") || why.starts_with("Could not find matching type");
                prop_assert!(is_known, "{why}");
                refused.set(refused.get() + 1);
                return Ok(());
            }
        };
        compared.set(compared.get() + 1);

        // Read: the whole datum.
        let (ours, target) = (schema(&text), schema(&changed));
        let count = target.fields(target.root).len() as u32;
        let wants: Vec<Want> = std::iter::once(Vec::new())
            .chain((0..count).map(|field| vec![field]))
            .map(|path| Want { path })
            .collect();
        let scan = Scan::compile(&ours, &target, &wants).unwrap();
        let mut slots = Slots::new();
        scan.run(&bytes, &mut slots).unwrap();
        let bump = Bump::new();
        let whole = scan.materialise(&slots, 0, &bytes, &bump).unwrap();
        prop_assert_eq!(
            format!("{:?}", sorted(found(&whole))),
            format!("{expected:?}")
        );

        // Written on in the new version, and read back by the judge.
        let sources: Vec<_> = (0..count as u16)
            .map(|slot| FieldSource::Slot(slot + 1))
            .collect();
        let emit = Emit::compile(&scan, &target, &wants, &target, &sources).unwrap();
        let mut out = Vec::new();
        emit.run(&scan, &bytes, &slots, &[], &bump, &mut out)
            .unwrap();
        let back = judged(&reader, None, &out).map_err(TestCaseError::fail)?;
        prop_assert_eq!(
            format!("{:?}", sorted(model(&back))),
            format!("{expected:?}")
        );
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    println!(
        "{} compared, {} refused by the judge",
        compared.get(),
        refused.get()
    );
    assert!(
        compared.get() > 400,
        "{} compared, {} refused",
        compared.get(),
        refused.get()
    );
}
