//! The JSON Schema of topology files, for editors: made from the same table of keys that the reader uses.

use serde_json::{Map, Value, json};

use super::keys::{Kind, OBJECTS, Object, TOPOLOGY};

/// The schema, draft 2020-12. It knows keys, types and words; what needs the Avro schemas only `lockgate check` knows.
pub fn topology() -> Value {
    let mut definitions = Map::new();
    for object in OBJECTS.iter().filter(|object| object.name != TOPOLOGY.name) {
        definitions.insert(name(object), self::object(object));
    }
    let mut schema = Map::new();
    schema.insert(
        "$schema".into(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".into(), json!("Lockgate topology"));
    if let Value::Object(root) = object(&TOPOLOGY) {
        schema.extend(root);
    }
    schema.insert("$defs".into(), Value::Object(definitions));
    Value::Object(schema)
}

fn name(object: &Object) -> String {
    object.name.replace(' ', "_").to_lowercase()
}

fn object(object: &'static Object) -> Value {
    let mut properties = Map::new();
    for key in object.keys {
        let mut value = kind(&key.kind);
        if let Value::Object(value) = &mut value {
            value.insert("description".into(), json!(key.doc));
            if let Some(default) = key.default {
                let default = match key.kind {
                    Kind::Flag => json!(default == "true"),
                    _ => json!(default),
                };
                value.insert("default".into(), default);
            }
        }
        properties.insert(key.name.into(), value);
    }
    let required: Vec<_> = object
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    json!({
        "description": object.doc,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn kind(kind: &'static Kind) -> Value {
    match kind {
        Kind::Text | Kind::Template | Kind::Path => json!({ "type": "string" }),
        // YAML reads `true` and `1` as what they look like; both are expressions.
        Kind::Expr => json!({ "type": ["string", "boolean", "number"] }),
        Kind::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$" }),
        Kind::Words(words) => {
            let words: Vec<_> = words
                .iter()
                .map(|word| json!({ "const": word.word, "description": word.doc }))
                .collect();
            json!({ "oneOf": words })
        }
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Json => json!({}),
        Kind::Object(object) => json!({ "$ref": format!("#/$defs/{}", name(object)) }),
        Kind::List(item) => match item {
            Kind::Object(_) => json!({ "type": "array", "items": self::kind(item), "minItems": 1 }),
            _ => json!({ "type": "array", "items": self::kind(item) }),
        },
        Kind::Map(item) => json!({ "type": "object", "additionalProperties": self::kind(item) }),
        Kind::Either(word, object) => {
            json!({ "oneOf": [self::kind(word), { "$ref": format!("#/$defs/{}", name(object)) }] })
        }
    }
}
