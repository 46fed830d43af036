//! `json.parse` with a schema: a JSON text as a value of an Avro type.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bumpalo::collections::Vec as BumpVec;
use serde_json::Value as Json;

use super::super::ast::{Ast, Span};
use super::super::check::{Checker, Typed, article};
use super::super::eval::{Result, Run};
use super::super::path::{closest, listed};
use super::super::read::apply;
use super::super::{Const, EvalFault, ExprFault, Facts, Node, Type, View};
use super::call::Call;
use super::prepared::Prepared;
use super::{json, named};
use crate::codec::json::time_units;
use crate::codec::{Decimal, Val, time};
use crate::schema::{Kind, Logical, NodeId, Schema};

/// A schema, and how its values are seen.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The schema.
    pub schema: Arc<Schema>,
    view: View,
}

impl Checker<'_> {
    /// `json.parse(text, "schema")`
    pub fn typed_json(
        &mut self,
        text: &Ast,
        name: &Ast,
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let (of, name) = (self.expr(text, facts), self.expr(name, facts));
        let (of, name) = (self.non_null(of?)?, name?);
        match of.ty {
            Type::String | Type::Never => {}
            Type::Dyn => {
                self.can_fail.insert("no_such_overload");
            }
            ref other => {
                let message = format!("JSON is read from text, this is {}", article(other));
                return self.fault(ExprFault::new("type_mismatch", of.span, message));
            }
        }
        let Some(Const::Str(wanted)) = name.constant() else {
            let message = "the name of a schema is a constant text";
            return self.fault(ExprFault::new("type_mismatch", name.span, message));
        };
        let schemas = &self.env.given.schemas;
        let found = schemas.iter().find(|(known, _)| **known == **wanted);
        let Some((_, schema)) = found else {
            let names: Vec<&str> = schemas.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("there is no schema `{wanted}` here");
            let fault = ExprFault::new("unknown_name", name.span, message);
            return self.fault(fault.help(match closest(wanted, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => format!("put it into avro/{wanted}.avsc"),
                None => format!("there are {}", listed(&names)),
            }));
        };
        // A schema that could not be read has had its fault.
        let schema = schema.clone()?;
        let (ty, view) = Type::with_view(&schema, schema.root);
        let overload = named("json.parse")
            .iter()
            .find(|overload| overload.signature.params.len() == 2)?;
        self.can_fail.extend(overload.function.fails);
        self.view_can_fail(&view);
        let args = vec![self.node(of)?, self.node(name)?];
        let call = Call::prepared(overload, args, Prepared::Shape(Shape { schema, view }));
        Some(Typed::new(Node::Call(Box::new(call)), ty, span))
    }
}

/// Why a JSON value is none of a type, and where.
struct Misfit {
    path: String,
    why: String,
}

impl Misfit {
    /// The same, seen from the container.
    fn under(mut self, part: &str) -> Misfit {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, part);
        self
    }
}

enum Failed {
    Misfit(Misfit),
    Over(EvalFault),
}

type Read<'a> = std::result::Result<Val<'a>, Failed>;

impl From<EvalFault> for Failed {
    fn from(fault: EvalFault) -> Failed {
        Failed::Over(fault)
    }
}

fn misfit<'a>(why: impl Into<String>) -> Read<'a> {
    Err(Failed::Misfit(Misfit {
        path: String::new(),
        why: why.into(),
    }))
}

fn within<'a>(part: impl FnOnce() -> String, read: Read<'a>) -> Read<'a> {
    read.map_err(|failed| match failed {
        Failed::Misfit(misfit) => Failed::Misfit(misfit.under(&part())),
        over => over,
    })
}

pub(super) fn parse_as<'a>(
    run: &Run<'_, 'a>,
    args: &[Val<'a>],
    prepared: Option<&'a Prepared>,
) -> Result<Val<'a>> {
    let json = json::read(run, args.first())?;
    let Some(Prepared::Shape(shape)) = prepared else {
        return Err(EvalFault::new("json_mismatch", "the schema is not known"));
    };
    let reader = Reader {
        run,
        schema: &shape.schema,
    };
    match reader.node(shape.schema.root, &json) {
        Ok(val) => apply(&shape.view, val, run.cx),
        Err(Failed::Over(fault)) => Err(fault),
        Err(Failed::Misfit(Misfit { path, why })) => Err(EvalFault::new(
            "json_mismatch",
            match path.is_empty() {
                true => format!("the JSON does not fit its schema: {why}"),
                false => format!("`{path}` of the JSON does not fit its schema: {why}"),
            },
        )),
    }
}

struct Reader<'r, 'c, 'a> {
    run: &'r Run<'c, 'a>,
    schema: &'a Schema,
}

impl<'a> Reader<'_, '_, 'a> {
    /// The physical value of a node, as a record of the node's type has it.
    fn node(&self, id: NodeId, json: &Json) -> Read<'a> {
        let node = self.schema.node(id);
        if let Some(logical) = &node.logical
            && let Some(read) = self.meaning(&node.kind, logical, json)
        {
            return read;
        }
        let bump = self.run.cx.bump;
        match (&node.kind, json) {
            (Kind::Union(branches), json) => self.union(id, branches, json),
            (Kind::Null, Json::Null) => Ok(Val::Null),
            (Kind::Boolean, Json::Bool(value)) => Ok(Val::Bool(*value)),
            (Kind::Int, Json::Number(number)) => match number.as_i64() {
                Some(value) if i32::try_from(value).is_ok() => Ok(Val::Int(value)),
                _ => misfit("the number is no int of 32 bits"),
            },
            (Kind::Long, Json::Number(number)) => match number.as_i64() {
                Some(value) => Ok(Val::Int(value)),
                None => misfit("the number is no long of 64 bits"),
            },
            (Kind::Float | Kind::Double, Json::Number(number)) => match number.as_f64() {
                Some(value) if value.is_finite() => Ok(Val::Double(match node.kind {
                    Kind::Float => f64::from(value as f32),
                    _ => value,
                })),
                _ => misfit("the number is no double"),
            },
            (Kind::String, Json::String(text)) => Ok(Val::Str(bump.alloc_str(text))),
            (Kind::Enum { symbols, .. }, Json::String(text)) => {
                match symbols.iter().find(|symbol| ***symbol == **text) {
                    Some(symbol) => Ok(Val::Str(symbol)),
                    None => misfit("the text is no symbol of the enum"),
                }
            }
            (Kind::Bytes | Kind::Fixed { .. }, Json::String(text)) => {
                match (STANDARD.decode(text), &node.kind) {
                    (Ok(bytes), Kind::Fixed { size }) if bytes.len() != *size as usize => {
                        misfit(format!("{} bytes are no fixed of {size}", bytes.len()))
                    }
                    (Ok(bytes), _) => Ok(Val::Bytes(bump.alloc_slice_copy(&bytes))),
                    (Err(_), _) => misfit("the text is not base64"),
                }
            }
            (Kind::Array(item), Json::Array(items)) => {
                let mut out = BumpVec::with_capacity_in(items.len(), bump);
                for (at, json) in items.iter().enumerate() {
                    out.push(within(|| format!("[{at}]"), self.node(*item, json))?);
                }
                Ok(Val::List(out.into_bump_slice()))
            }
            (Kind::Map(item), Json::Object(entries)) => {
                let mut out = BumpVec::with_capacity_in(entries.len(), bump);
                for (key, json) in entries {
                    // The key belongs to the record, and a reason tells nothing of it.
                    let value = within(|| "[a key]".to_owned(), self.node(*item, json))?;
                    out.push((Val::Str(bump.alloc_str(key)), value));
                }
                Ok(Val::Map(out.into_bump_slice()))
            }
            (Kind::Record(fields), Json::Object(entries)) => {
                // A record of many fields may be short as JSON: what is missing is null or a default.
                self.run
                    .spend(fields.len().saturating_mul(2 * size_of::<Val>()))?;
                let mut out = BumpVec::with_capacity_in(fields.len(), bump);
                for field in fields {
                    let value = match (entries.get(&*field.name), &field.default) {
                        (Some(json), _) => self.node(field.ty, json),
                        (None, Some(default)) => self.default(field.ty, default),
                        (None, None) if self.schema.strip_null(field.ty).1 => Ok(Val::Null),
                        (None, None) => misfit("it is missing"),
                    };
                    let value = within(|| field.name.to_string(), value)?;
                    out.push((Val::Str(&field.name), value));
                }
                Ok(Val::Map(out.into_bump_slice()))
            }
            (_, json) => self.misfit(id, json),
        }
    }

    /// A default of the schema: bytes in it are written as characters, not as base64.
    fn default(&self, id: NodeId, json: &Json) -> Read<'a> {
        let node = self.schema.node(self.schema.strip_null(id).0);
        let (Kind::Bytes | Kind::Fixed { .. }, Json::String(text)) = (&node.kind, json) else {
            return self.node(id, json);
        };
        let bump = self.run.cx.bump;
        let mut bytes = BumpVec::with_capacity_in(text.len(), bump);
        bytes.extend(text.chars().map(|c| u8::try_from(c).unwrap_or_default()));
        let bytes = bytes.into_bump_slice();
        match &node.logical {
            Some(Logical::Decimal { scale, .. }) => match Decimal::from_be_bytes(bytes, *scale) {
                Ok(value) => Ok(Val::Decimal(bump.alloc(value))),
                Err(fault) => misfit(fault.to_string()),
            },
            _ => Ok(Val::Bytes(bytes)),
        }
    }

    fn misfit(&self, id: NodeId, json: &Json) -> Read<'a> {
        let found = match json {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a text",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        };
        misfit(format!("{found} is no {}", self.schema.describe(id)))
    }

    fn union(&self, id: NodeId, branches: &'a [NodeId], json: &Json) -> Read<'a> {
        if let Some((_, inner)) = self.schema.nullable(id) {
            // With one type to fit, its own reason says more than that none fits.
            return match json {
                Json::Null => Ok(Val::Null),
                json => self.node(inner, json),
            };
        }
        for branch in branches {
            match self.node(*branch, json) {
                Err(Failed::Misfit(_)) => {}
                read => return read,
            }
        }
        self.misfit(id, json)
    }

    /// The value in the form of the node's meaning; `None` if it is to be read as its physical type.
    fn meaning(&self, kind: &Kind, logical: &Logical, json: &Json) -> Option<Read<'a>> {
        let text = json.as_str();
        let units = match (logical, text) {
            (Logical::Decimal { precision, scale }, _) => {
                return Some(self.decimal(json, Some((*precision, *scale))));
            }
            (Logical::VariableScaleDecimal, _) if !json.is_object() => {
                return Some(self.decimal(json, None));
            }
            (Logical::ZonedTimestamp, Some(text)) => {
                return time::parse_timestamp(text)
                    .is_none()
                    .then(|| misfit("the text is no time with a zone"));
            }
            (logical, Some(text)) => time_units(logical, text)?,
            _ => return None,
        };
        Some(match units {
            Some(units) if *kind == Kind::Long || i32::try_from(units).is_ok() => {
                Ok(Val::Int(units))
            }
            _ => misfit("the text is no time in ISO 8601 that its unit can hold"),
        })
    }

    /// A decimal, exact: digits behind the point that the type has no room for are none of it.
    fn decimal(&self, json: &Json, fits: Option<(u32, u32)>) -> Read<'a> {
        let parsed = match json {
            Json::String(text) => Decimal::parse(text),
            Json::Number(number) => Decimal::parse(&number.to_string()),
            _ => return misfit("a decimal is a text or a number"),
        };
        let fitted = parsed.and_then(|value| match fits {
            Some((_, scale)) => value.rescale(scale),
            None => Ok(value),
        });
        match fitted {
            Ok(value) if fits.is_none_or(|(precision, _)| value.digits() <= precision) => {
                Ok(Val::Decimal(self.run.cx.bump.alloc(value)))
            }
            Ok(value) => misfit(format!(
                "it has {} digits, more than its type",
                value.digits()
            )),
            Err(fault) => misfit(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::eval::tried;
    use super::super::super::{Env, Given, Wants, compile};
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"T","fields":[
     {"name":"items","type":{"type":"array","items":{"type":"record","name":"I","fields":[
       {"name":"n","type":"int"},
       {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
       {"name":"kind","type":{"type":"enum","name":"K","symbols":["a","b"]},"default":"b"}]}},"default":[]},
     {"name":"m","type":{"type":"map","values":"long"},"default":{}},
     {"name":"u","type":["null","int","string"],"default":null},
     {"name":"raw","type":["null",{"type":"fixed","name":"F","size":2}]},
     {"name":"b","type":"bytes","default":"\u0001\u00ff"},
     {"name":"e","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":1},"default":"\u000f"},
     {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}}]}"#;

    fn outcome(json: &str, rest: &str) -> Result<Option<Const>> {
        let env = Env {
            given: Given {
                schemas: vec![("t".into(), Some(Schema::parse(SCHEMA).unwrap().into()))],
                ..Given::default()
            },
            ..Env::default()
        };
        let text = format!("json.parse(r'''{json}''', 't'){rest}");
        let compiled = compile(&text, &env, &mut Wants::new(), &Facts::none());
        let compiled = compiled.unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        let outcome = tried(&compiled.node);
        if let Err(fault) = &outcome {
            assert!(
                compiled.can_fail.contains(&fault.reason),
                "{text}: {fault:?}"
            );
        }
        outcome
    }

    #[test]
    fn json_has_the_values_of_its_schema() {
        let json = r#"{"items":[{"n":1,"at":"2024-01-31T00:00:00.5Z"},{"n":-2,"at":null,"kind":"a"}],
            "m":{"x":9},"u":"text","raw":"AQI=","d":12.5,"unknown":[1]}"#;
        for (rest, expected) in [
            (".items[0].n", "1"),
            (".items[1].kind", "'a'"),
            (".items[0].kind", "'b'"),
            (
                ".items[0].?at.orValue(timestamp(0))",
                "timestamp('2024-01-31T00:00:00.5Z')",
            ),
            (".items[1].?at.hasValue()", "false"),
            (".items.map(i, i.n)[1]", "-2"),
            (".m.x", "9"),
            (".u == 'text'", "true"),
            (".?raw.orValue(b'')", r"b'\x01\x02'"),
            (".d", "decimal('12.50')"),
            (".b", r"b'\x01\xff'"),
            (".e", "decimal('1.5')"),
        ] {
            let env = Env::default();
            let wanted = compile(expected, &env, &mut Wants::new(), &Facts::none()).unwrap();
            assert_eq!(
                outcome(json, rest).unwrap(),
                tried(&wanted.node).unwrap(),
                "{rest}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_path_and_reason() {
        for (json, path, why) in [
            (
                r#"{"d":1,"items":[{"n":1},{"n":"x"}]}"#,
                "`items[1].n`",
                "a text is no int",
            ),
            (
                r#"{"d":1,"items":[{"n":3000000000}]}"#,
                "`items[0].n`",
                "32 bits",
            ),
            (r#"{"d":1,"items":[{}]}"#, "`items[0].n`", "missing"),
            (
                r#"{"d":1,"items":[{"n":1,"at":"noon"}]}"#,
                "`items[0].at`",
                "ISO 8601",
            ),
            (
                r#"{"d":1,"items":[{"n":1,"kind":"c"}]}"#,
                "`items[0].kind`",
                "symbol",
            ),
            (r#"{"d":1,"m":{"a b":1.5}}"#, "`m[a key]`", "64 bits"),
            (r#"{"d":1,"u":true}"#, "`u`", "a boolean is no"),
            (r#"{"d":1,"raw":"AQ=="}"#, "`raw`", "fixed of 2"),
            (r#"{"d":"1.234"}"#, "`d`", "fewer digits"),
            (r#"{"d":123.5}"#, "`d`", "5 digits"),
            (r"[]", "the JSON", "an array is no"),
        ] {
            let fault = outcome(json, "").unwrap_err();
            assert_eq!(fault.reason, "json_mismatch", "{json}");
            // What is in the record is nobody's business in a log.
            for of_record in ["3000000000", "noon", "1.234", "123.5"] {
                assert!(!fault.message.contains(of_record), "{}", fault.message);
            }
            assert!(
                fault.message.contains(path) && fault.message.contains(why),
                "{json}: {}",
                fault.message
            );
        }
        assert_eq!(outcome("{", "").unwrap_err().reason, "bad_encoding");
    }
}
