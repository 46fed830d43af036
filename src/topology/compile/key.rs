//! The key of an output: text, bytes, or Avro with a schema of its own.

use super::Compiler;
use super::source::Scope;
use crate::codec::{self, FieldSource};
use crate::expr::{Target, Type};
use crate::schema::Kind;
use crate::topology::code::{AvroKey, Computed, KeyCode, KeyPart};
use crate::topology::spec::{KeySpec, MapSpec, Text};

impl Compiler<'_> {
    /// Compiles the key of a route; `only_meta` becomes false if it needs the event.
    pub(super) fn key(
        &mut self,
        key: &KeySpec,
        scope: &mut Scope,
        only_meta: &mut bool,
    ) -> Option<KeyCode> {
        match key {
            KeySpec::Expr(text) => self.plain_key(text, scope, only_meta),
            KeySpec::Avro { map, value } => self
                .avro_key(map, value.as_ref(), scope, only_meta)
                .map(KeyCode::Avro),
        }
    }

    fn plain_key(
        &mut self,
        text: &Text,
        scope: &mut Scope,
        only_meta: &mut bool,
    ) -> Option<KeyCode> {
        // The key as a whole needs no decoding, whatever its format.
        if text.value.trim() == "meta.key" {
            return Some(KeyCode::Source);
        }
        let compiled = self.expression(text, scope)?;
        self.findings(text, &compiled.findings);
        *only_meta &= compiled.reads_only_meta();
        match compiled.ty.non_null() {
            Type::String | Type::Bytes | Type::Null => Some(KeyCode::Computed(compiled.node)),
            other => {
                let message = format!("a key is text or bytes, this is {other}");
                let text_of = text.value.trim();
                let help = match other {
                    Type::Optional(_) => format!("write `{text_of}.orValue(…)`"),
                    _ => format!(
                        "write `string({text_of})`, or give the key a schema: `key: {{ schema: …, value: {text_of} }}`"
                    ),
                };
                self.error("key_type", &text.span, message, help);
                None
            }
        }
    }

    fn avro_key(
        &mut self,
        map: &MapSpec,
        value: Option<&Text>,
        scope: &mut Scope,
        only_meta: &mut bool,
    ) -> Option<AvroKey> {
        let known = self.schema(&map.schema)?;
        let is_record = matches!(known.schema.node(known.schema.root).kind, Kind::Record(_));
        match (is_record, value) {
            (true, None) => self.record_key(map, scope, only_meta),
            (true, Some(value)) => {
                let message = format!("`{}` is a record: its fields are set by name", known.name);
                let help = "write `set: { FIELD: … }` instead of `value`".to_owned();
                self.error("conflicting_keys", &value.span, message, help);
                None
            }
            (false, Some(value)) => self.single_key(map, value, scope, only_meta),
            (false, None) => {
                let message = format!("`{}` is no record, and there is no `value`", known.name);
                let help = "add `value: …`: the key itself".to_owned();
                self.error("missing_key", &map.schema.name.span, message, help);
                None
            }
        }
    }

    fn record_key(
        &mut self,
        map: &MapSpec,
        scope: &mut Scope,
        only_meta: &mut bool,
    ) -> Option<AvroKey> {
        let mapped = self
            .mapping(map, scope, false)
            .filter(|mapped| mapped.broken.is_none())?;
        *only_meta &= mapped.only_meta;
        let schema = self.outputs[usize::from(mapped.schema)].schema.clone();
        let mut values = mapped.values.into_iter();
        let mut parts = Vec::new();
        for (field, source) in schema.fields(schema.root).iter().zip(&mapped.fields) {
            parts.push(match (source, &field.default) {
                (FieldSource::Default, Some(default)) => {
                    // The schema's parser has checked its defaults.
                    let bytes = codec::defaults::encode(&schema, field.ty, default).ok()?;
                    KeyPart::Constant(bytes.into())
                }
                _ => KeyPart::Value(values.next()?, field.ty),
            });
        }
        Some(AvroKey {
            schema: mapped.schema,
            parts,
        })
    }

    fn single_key(
        &mut self,
        map: &MapSpec,
        value: &Text,
        scope: &mut Scope,
        only_meta: &mut bool,
    ) -> Option<AvroKey> {
        let known = self.schema(&map.schema)?;
        let schema = known.schema.clone();
        let field_by_field = [
            map.from.as_ref(),
            map.except.first(),
            map.set.first().map(|set| &set.0),
        ];
        if let Some(text) = field_by_field.into_iter().flatten().next() {
            let message = format!("`{}` is no record: it has no fields", known.name);
            let help = "say the key itself under `value`, and nothing else".to_owned();
            self.error("conflicting_keys", &text.span, message, help);
            return None;
        }
        let target = Target {
            schema: &schema,
            node: schema.root,
        };
        let compiled = self.expression_as(value, Some(target), scope)?;
        *only_meta &= compiled.reads_only_meta();
        if let Some(written) = &compiled.written {
            let name = format!("the key {}", known.name);
            self.entries(&name, written, &schema, value, scope)?;
        } else if let Err(why) = codec::encodable(&compiled.ty, &schema, schema.root) {
            let code = match compiled.ty.is_nullable() {
                true => "may_be_null",
                false => "wrong_field_type",
            };
            if code == "may_be_null" && scope.facts_broken {
                return None;
            }
            let message = format!("this does not fit the key `{}`: {why}", known.name);
            self.error(
                code,
                &value.span,
                message,
                "convert it, or change the schema".to_owned(),
            );
            return None;
        }
        self.findings(value, &compiled.findings);
        let key = format!("the key {}", known.name);
        self.narrowings(&key, &schema, schema.root, &compiled, value, scope);
        let computed = Computed {
            field: "value".to_owned(),
            node: compiled.node,
        };
        Some(AvroKey {
            schema: self.output(known),
            parts: vec![KeyPart::Value(computed, schema.root)],
        })
    }
}
