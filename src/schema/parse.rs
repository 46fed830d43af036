//! JSON to arena. Every limit is checked before anything expensive happens, and before `apache-avro` sees the text.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Field, Kind, Node, NodeId, Schema, logical};

/// Largest schema text, in bytes, references included. Registries accept about this much.
pub const SOURCE_BYTES_MAX: usize = 1_000_000;
/// Most types in one schema, counted as written.
pub const NODES_MAX: usize = 8_192;
/// Most types after every reference to a named type has been replaced by the type: what a compiled program grows
/// with. Each level of `{a: R, b: R}` doubles it, so a few hundred bytes of schema could ask for gigabytes.
pub const EXPANDED_NODES_MAX: u64 = 100_000;
/// Deepest nesting of types, references replaced, recursion not followed.
pub const DEPTH_MAX: u32 = 64;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
/// Longest `doc`, in bytes.
const DOC_BYTES_MAX: usize = 65_536;

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaFault {
    /// What is wrong and where, for the operator. Bounded, control characters escaped.
    pub message: String,
}

impl SchemaFault {
    fn new(message: impl Into<String>) -> SchemaFault {
        const MESSAGE_BYTES_MAX: usize = 512;
        let text: String = message.into();
        let mut message = String::with_capacity(text.len().min(MESSAGE_BYTES_MAX));
        for char in text.chars() {
            if message.len() >= MESSAGE_BYTES_MAX {
                message.push('…');
                break;
            }
            if char.is_control() {
                message.extend(char.escape_default())
            } else {
                message.push(char)
            }
        }
        SchemaFault { message }
    }
}

type Result<T> = std::result::Result<T, SchemaFault>;

pub(super) fn parse(json: &str, references: &[(String, String)]) -> Result<Schema> {
    let bytes = references.iter().map(|(_, text)| text.len()).sum::<usize>() + json.len();
    if bytes > SOURCE_BYTES_MAX {
        return fault(format!(
            "the schema has {bytes} bytes; at most {SOURCE_BYTES_MAX} are read"
        ));
    }
    let mut parser = Parser {
        nodes: Vec::new(),
        names: HashMap::new(),
        sizes: Vec::new(),
    };
    let mut judged = Vec::new();
    for (name, text) in references {
        let value =
            to_value(text).map_err(|e| SchemaFault::new(format!("reference {name}: {e}")))?;
        parser.ty(&value, "")?;
        judged.push(without_defaults(&value));
    }
    let value = to_value(json)?;
    let root = parser.ty(&value, "")?;
    match without_defaults(&value) {
        Value::Array(branches) if !judged.is_empty() => judged.extend(branches),
        other => judged.push(other),
    }
    // One parser must see the references and the schema, and a union is the one place where types stand side by side.
    accepted_by_apache_avro(if judged.len() == 1 && references.is_empty() {
        judged.remove(0)
    } else {
        Value::Array(judged)
    })?;
    Ok(Schema {
        nodes: parser.nodes,
        root,
        source: json.to_owned(),
    })
}

fn to_value(text: &str) -> Result<Value> {
    let trimmed = text.trim_start();
    if trimmed.is_empty() {
        return fault("the schema is empty");
    }
    // A bare type name is a valid schema text in the wild, though not JSON.
    if primitive(trimmed.trim_end()).is_some() {
        return Ok(Value::String(trimmed.trim_end().to_owned()));
    }
    serde_json::from_str(text).map_err(|e| SchemaFault::new(format!("the schema is not JSON: {e}")))
}

/// `apache-avro` refuses defaults that the specification allows (a decimal's text, for one) and resolves each through
/// the whole type, so they are kept from it. Our own encoder judges a default where it is needed.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(without_defaults).collect()),
        Value::Object(object) => {
            let is_field = object.contains_key("name")
                && !matches!(object.get("type"), Some(Value::String(t)) if t == "enum" && object.contains_key("symbols"));
            let keep = |key: &str| match key {
                "type" | "items" | "values" | "fields" | "name" | "namespace" | "aliases"
                | "symbols" | "size" | "logicalType" | "precision" | "scale" => true,
                "default" => !is_field,
                _ => false,
            };
            let kept = object.iter().filter(|(key, _)| keep(key));
            Value::Object(
                kept.map(|(key, value)| match key.as_str() {
                    "type" | "items" | "values" | "fields" => {
                        (key.clone(), without_defaults(value))
                    }
                    _ => (key.clone(), value.clone()),
                })
                .collect::<Map<_, _>>(),
            )
        }
        other => other.clone(),
    }
}

fn accepted_by_apache_avro(value: Value) -> Result<()> {
    // It has `expect`s of its own; a schema from a registry must not be able to end a thread.
    match catch_unwind(AssertUnwindSafe(|| apache_avro::Schema::parse(&value))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => fault(format!("not a valid Avro schema: {error}")),
        Err(_) => fault("not a valid Avro schema: apache-avro gave up on it"),
    }
}

fn fault<T>(message: impl Into<String>) -> Result<T> {
    Err(SchemaFault::new(message))
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

/// Expanded size and depth of a finished node; a node still being parsed counts as one (recursion is not followed).
#[derive(Clone, Copy)]
struct Size {
    nodes: u64,
    depth: u32,
}

const LEAF: Size = Size { nodes: 1, depth: 1 };

struct Parser {
    nodes: Vec<Node>,
    names: HashMap<String, NodeId>,
    sizes: Vec<Size>,
}

impl Parser {
    /// Recursion is bounded by serde_json's own limit on nesting (128).
    fn ty(&mut self, value: &Value, namespace: &str) -> Result<NodeId> {
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, namespace),
            _ => fault("a type must be a name, a list or an object"),
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<NodeId> {
        if let Some(kind) = primitive(name) {
            return self.add(
                Node {
                    kind,
                    name: None,
                    aliases: Vec::new(),
                    logical: None,
                },
                &[],
            );
        }
        let full = full_name(name, namespace);
        match self.names.get(&full) {
            Some(id) => Ok(*id),
            None => fault(format!("the type {full} is not defined before it is used")),
        }
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Result<NodeId> {
        if branches.is_empty() {
            return fault("a union needs at least one branch");
        }
        let mut ids: Vec<NodeId> = Vec::with_capacity(branches.len());
        for branch in branches {
            ids.push(self.ty(branch, namespace)?);
        }
        let mut seen = std::collections::HashSet::new();
        for id in &ids {
            let node = &self.nodes[id.0 as usize];
            if matches!(node.kind, Kind::Union(_)) {
                return fault("a union must not hold another union directly");
            }
            let tag = node
                .name
                .clone()
                .unwrap_or_else(|| kind_name(&node.kind).to_owned());
            if !seen.insert(tag.clone()) {
                return fault(format!("a union holds {tag} twice"));
            }
        }
        let node = Node {
            kind: Kind::Union(ids.clone()),
            name: None,
            aliases: Vec::new(),
            logical: None,
        };
        self.add(node, &ids)
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId> {
        let ty = match object.get("type") {
            Some(Value::String(ty)) => ty.as_str(),
            Some(inner) => {
                let before = self.nodes.len();
                let id = self.ty(inner, namespace)?;
                // A meaning written around a type that is defined right here belongs to that type.
                let index = id.0 as usize;
                if index >= before && self.nodes[index].logical.is_none() {
                    self.nodes[index].logical = logical::of(&self.nodes[index].kind, object, false);
                }
                return Ok(id);
            }
            None => return fault("a type object lacks \"type\""),
        };
        match ty {
            "record" | "error" => self.record(object, namespace),
            "enum" => self.enumeration(object, namespace),
            "fixed" => self.fixed(object, namespace),
            "array" | "map" => {
                let key = if ty == "array" { "items" } else { "values" };
                let Some(items) = object.get(key) else {
                    return fault(format!("a {ty} lacks \"{key}\""));
                };
                let inner = self.ty(items, namespace)?;
                let kind = if ty == "array" {
                    Kind::Array(inner)
                } else {
                    Kind::Map(inner)
                };
                let logical = logical::of(&kind, object, false);
                self.add(
                    Node {
                        kind,
                        name: None,
                        aliases: Vec::new(),
                        logical,
                    },
                    &[inner],
                )
            }
            name => match primitive(name) {
                Some(kind) => {
                    let logical = logical::of(&kind, object, false);
                    self.add(
                        Node {
                            kind,
                            name: None,
                            aliases: Vec::new(),
                            logical,
                        },
                        &[],
                    )
                }
                None => self.named(name, namespace),
            },
        }
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId> {
        let (id, inner_namespace) = self.define(object, namespace)?;
        let Some(Value::Array(list)) = object.get("fields") else {
            return fault(format!(
                "record {} lacks a list of \"fields\"",
                self.name_of(id)
            ));
        };
        let mut fields: Vec<Field> = Vec::with_capacity(list.len().min(NODES_MAX));
        let mut seen = std::collections::HashSet::new();
        for value in list {
            let field = self.record_field(value, &inner_namespace).map_err(|e| {
                SchemaFault::new(format!("record {}: {}", self.name_of(id), e.message))
            })?;
            if !seen.insert(field.name.clone()) {
                return fault(format!(
                    "record {} has the field {} twice",
                    self.name_of(id),
                    field.name
                ));
            }
            fields.push(field);
        }
        let children: Vec<NodeId> = fields.iter().map(|field| field.ty).collect();
        let variable =
            logical::is_variable_scale(&fields, |f| self.nodes[f.ty.0 as usize].kind.clone());
        let kind = Kind::Record(fields);
        let logical = logical::of(&kind, object, variable);
        let index = id.0 as usize;
        self.nodes[index].kind = kind;
        self.nodes[index].logical = logical;
        self.sizes[index] = self.measure(&children)?;
        Ok(id)
    }

    fn record_field(&mut self, value: &Value, namespace: &str) -> Result<Field> {
        let Some(object) = value.as_object() else {
            return fault("a field must be an object");
        };
        let name = simple_name(object)?;
        let Some(ty) = object.get("type") else {
            return fault(format!("field {name} lacks \"type\""));
        };
        let ty = self
            .ty(ty, namespace)
            .map_err(|e| SchemaFault::new(format!("field {name}: {}", e.message)))?;
        let doc = object.get("doc").and_then(Value::as_str);
        if doc.is_some_and(|doc| doc.len() > DOC_BYTES_MAX) {
            return fault(format!(
                "field {name}: the doc is longer than {DOC_BYTES_MAX} bytes"
            ));
        }
        Ok(Field {
            name: Arc::from(name),
            aliases: strings(object.get("aliases")),
            ty,
            default: object.get("default").cloned(),
            doc: doc.map(str::to_owned),
            pii: is_pii(object),
        })
    }

    fn enumeration(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId> {
        let (id, _) = self.define(object, namespace)?;
        let symbols: Vec<Arc<str>> = match object.get("symbols") {
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(Value::as_str)
                .map(Arc::from)
                .collect(),
            _ => Vec::new(),
        };
        if symbols.is_empty() || symbols.len() > NODES_MAX {
            return fault(format!(
                "enum {} needs 1 to {NODES_MAX} \"symbols\"",
                self.name_of(id)
            ));
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = symbols.iter().find(|symbol| !seen.insert(&***symbol)) {
            return fault(format!(
                "enum {} has the symbol {twice} twice",
                self.name_of(id)
            ));
        }
        let default = match object.get("default").and_then(Value::as_str) {
            Some(text) => match symbols.iter().position(|symbol| &**symbol == text) {
                Some(index) => Some(index as u32),
                None => {
                    return fault(format!(
                        "enum {}: its default {text} is no symbol",
                        self.name_of(id)
                    ));
                }
            },
            None => None,
        };
        self.nodes[id.0 as usize].kind = Kind::Enum { symbols, default };
        Ok(id)
    }

    fn fixed(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId> {
        let (id, _) = self.define(object, namespace)?;
        let size = object
            .get("size")
            .and_then(Value::as_u64)
            .and_then(|size| u32::try_from(size).ok());
        let Some(size) = size else {
            return fault(format!(
                "fixed {} needs a \"size\" of at most 4294967295",
                self.name_of(id)
            ));
        };
        let kind = Kind::Fixed { size };
        let logical = logical::of(&kind, object, false);
        let node = &mut self.nodes[id.0 as usize];
        node.kind = kind;
        node.logical = logical;
        Ok(id)
    }

    /// Registers a named type before its parts are read, so that they may refer to it. Gives its node and the namespace inside it.
    fn define(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<(NodeId, String)> {
        let name = match object.get("name").and_then(Value::as_str) {
            Some(name) => name,
            None => return fault("a record, enum or fixed lacks \"name\""),
        };
        let own = object
            .get("namespace")
            .and_then(Value::as_str)
            .unwrap_or(namespace);
        let full = full_name(name, own);
        if full.len() > NAME_BYTES_MAX || !full.split('.').all(is_identifier) {
            return fault(format!("{full:?} is not a valid name"));
        }
        let inner = match full.rfind('.') {
            Some(dot) => full[..dot].to_owned(),
            None => String::new(),
        };
        if self.names.contains_key(&full) {
            return fault(format!("the type {full} is defined twice"));
        }
        if object
            .get("doc")
            .and_then(Value::as_str)
            .is_some_and(|doc| doc.len() > DOC_BYTES_MAX)
        {
            return fault(format!(
                "{full}: the doc is longer than {DOC_BYTES_MAX} bytes"
            ));
        }
        let aliases = strings(object.get("aliases"))
            .iter()
            .map(|alias| full_name(alias, &inner))
            .collect();
        let node = Node {
            kind: Kind::Null,
            name: Some(full.clone()),
            aliases,
            logical: None,
        };
        let id = self.add(node, &[])?;
        self.names.insert(full, id);
        Ok((id, inner))
    }

    fn add(&mut self, node: Node, children: &[NodeId]) -> Result<NodeId> {
        if self.nodes.len() >= NODES_MAX {
            return fault(format!("the schema has more than {NODES_MAX} types"));
        }
        let size = self.measure(children)?;
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.sizes.push(size);
        Ok(id)
    }

    fn measure(&self, children: &[NodeId]) -> Result<Size> {
        let mut size = LEAF;
        for child in children {
            let inner = self.sizes[child.0 as usize];
            size.nodes = size.nodes.saturating_add(inner.nodes);
            size.depth = size.depth.max(inner.depth + 1);
        }
        if size.nodes > EXPANDED_NODES_MAX {
            return fault(format!(
                "the schema, written out, has more than {EXPANDED_NODES_MAX} types"
            ));
        }
        if size.depth > DEPTH_MAX {
            return fault(format!("the schema nests types more than {DEPTH_MAX} deep"));
        }
        Ok(size)
    }

    fn name_of(&self, id: NodeId) -> &str {
        self.nodes[id.0 as usize].name.as_deref().unwrap_or("")
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.trim_start_matches('.').to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn simple_name(object: &Map<String, Value>) -> Result<&str> {
    match object.get("name").and_then(Value::as_str) {
        Some(name) if name.len() <= NAME_BYTES_MAX && is_identifier(name) => Ok(name),
        Some(name) => fault(format!("{name:?} is not a valid field name")),
        None => fault("a field lacks \"name\""),
    }
}

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or(&[]);
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn is_pii(field: &Map<String, Value>) -> bool {
    let tagged = |key: &str| {
        strings(field.get(key))
            .iter()
            .any(|tag| tag.eq_ignore_ascii_case("pii"))
    };
    let said = |key: &str| field.get(key) == Some(&Value::Bool(true));
    said("pii") || said("lockgate.pii") || tagged("tags") || tagged("confluent:tags")
}

pub(super) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Float => "float",
        Kind::Double => "double",
        Kind::Bytes => "bytes",
        Kind::String => "string",
        Kind::Fixed { .. } => "fixed",
        Kind::Enum { .. } => "enum",
        Kind::Array(_) => "array",
        Kind::Map(_) => "map",
        Kind::Union(_) => "union",
        Kind::Record(_) => "record",
    }
}
