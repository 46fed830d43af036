//! What a checked expression can come out as, given the schemas and what conditions have proved.

use std::sync::Arc;

use super::call;
use super::extent::{Extent, Number};
use crate::expr::{Const, Env, Facts, KeyEnv, MetaField, Node, Source, Type, View, Wants};
use crate::schema::{Kind, Logical, NodeId, Schema};

/// A list or text has fewer elements than this: more do not fit a record.
const SIZE_MAX: i128 = 1 << 40;

/// Where an expression stands.
#[derive(Clone, Copy)]
pub struct Scope<'e> {
    /// What it can see.
    pub env: &'e Env,
    /// The paths of its slots.
    pub wants: &'e Wants,
    /// What is known.
    pub facts: &'e Facts,
    /// Variables of macros around it.
    pub depth: usize,
}

impl<'e> Scope<'e> {
    /// The schema's node that a slot reads, unions with null looked through.
    pub fn place(&self, source: Source, slot: u16) -> Option<(&'e Arc<Schema>, NodeId)> {
        self.place_of(source, self.wants.path(source, slot))
    }

    /// The schema's node at the end of a path, unions with null looked through.
    pub fn place_of(&self, source: Source, path: &[u32]) -> Option<(&'e Arc<Schema>, NodeId)> {
        let schema = self.schema(source)?;
        let mut node = schema.root;
        for index in path {
            let record = schema.strip_null(node).0;
            node = schema.fields(record).get(*index as usize)?.ty;
        }
        Some((schema, schema.strip_null(node).0))
    }

    /// The schema's node that an element of a list or map, or a field of one, is read from.
    pub fn part<'n>(&'n self, node: &'n Node) -> Option<(&'n Arc<Schema>, NodeId)> {
        match node {
            Node::Call(call) => {
                let schema = call.schema()?;
                Some((schema, schema.strip_null(schema.root).0))
            }
            Node::Watched(of, _) => self.part(of),
            Node::Try(parts) if matches!(parts[1], Node::Fail(_)) => self.part(&parts[0]),
            Node::Slot { source, slot, .. } => self.place(*source, *slot),
            Node::Index(parts) => {
                let (schema, of) = self.part(&parts[0])?;
                match schema.node(of).kind {
                    Kind::Array(items) | Kind::Map(items) => {
                        Some((schema, schema.strip_null(items).0))
                    }
                    _ => None,
                }
            }
            Node::Field { of, name, .. } => {
                let (schema, of) = self.part(of)?;
                let (_, field) = schema.field(of, name)?;
                Some((schema, schema.strip_null(field.ty).0))
            }
            _ => None,
        }
    }

    /// The path of a slot, as it is written: `event.after.id`.
    pub fn name(&self, source: Source, slot: u16) -> Option<String> {
        let schema = self.schema(source)?;
        let mut name = match source {
            Source::Value => "event".to_owned(),
            Source::Key => "meta.key".to_owned(),
        };
        let mut node = schema.root;
        for index in self.wants.path(source, slot) {
            let record = schema.strip_null(node).0;
            let field = schema.fields(record).get(*index as usize)?;
            name = format!("{name}.{}", field.name);
            node = field.ty;
        }
        Some(name)
    }

    fn schema(&self, source: Source) -> Option<&'e Arc<Schema>> {
        match (source, &self.env.key) {
            (Source::Value, _) => self.env.event.as_ref().map(|event| &event.schema),
            (Source::Key, KeyEnv::Avro { schema, .. }) => Some(schema),
            (Source::Key, _) => None,
        }
    }

    /// Whether a slot can be null, as far as the schema and the facts about its path tell; `None` if it always is.
    pub(super) fn can_be_null(&self, source: Source, slot: u16) -> Option<bool> {
        let Some(schema) = self.schema(source) else {
            return Some(true);
        };
        let mut node = schema.root;
        let mut path = match source {
            Source::Value => "event".to_owned(),
            Source::Key => "meta.key".to_owned(),
        };
        let mut can = matches!(&self.env.key, KeyEnv::Avro { nullable: true, .. })
            && source == Source::Key
            && !self.facts.is_non_null(&path);
        for index in self.wants.path(source, slot) {
            let record = schema.strip_null(node).0;
            let Some(field) = schema.fields(record).get(*index as usize) else {
                return Some(true);
            };
            node = field.ty;
            path = format!("{path}.{}", field.name);
            if self.facts.is_null(&path) {
                return None;
            }
            let one_type = match &schema.node(node).kind {
                Kind::Union(branches) => {
                    let null = |id: &NodeId| schema.node(*id).kind == Kind::Null;
                    !branches.iter().any(null)
                }
                kind => *kind != Kind::Null,
            };
            can |= !one_type && !self.facts.is_non_null(&path);
        }
        Some(can)
    }

    /// Under which name conditions note what they prove of a value; `None` for what is not worth it.
    pub fn key(&self, node: &Node) -> Option<String> {
        Some(match node {
            Node::Slot {
                view: View::LeftOut(_),
                ..
            } => return None,
            Node::Slot { source, slot, .. } => match source {
                Source::Value => format!("v{slot}"),
                Source::Key => format!("k{slot}"),
            },
            Node::Reg(at) => format!("r{at}"),
            Node::Meta(field) => format!("{field:?}"),
            Node::Local(up) => format!("l{}", self.depth.checked_sub(usize::from(*up) + 1)?),
            Node::Field { of, name, .. } => format!("{}.{name}", self.key(of)?),
            Node::Const(value) => format!("{value:?}"),
            Node::HasKey { of, key } => format!("{key:?} in {}", self.key(of)?),
            Node::In(operands) => match &operands[0] {
                Node::Const(Const::Str(key)) => format!("{key:?} in {}", self.key(&operands[1])?),
                _ => return None,
            },
            Node::Index(operands) => {
                format!("{}[{}]", self.key(&operands[0])?, self.key(&operands[1])?)
            }
            Node::Arith { op, operands } => {
                let (left, right) = (self.key(&operands[0])?, self.key(&operands[1])?);
                format!("({left} {op:?} {right})")
            }
            _ => {
                let call = call::named(node)?;
                let args = call.args.iter().map(|arg| self.key(arg));
                format!(
                    "{}({})",
                    call.name,
                    args.collect::<Option<Vec<_>>>()?.join(",")
                )
            }
        })
    }

    /// The values that a node can have where it is not null.
    pub fn extent(&self, node: &Node) -> Extent {
        let own = match node {
            Node::Const(value) => return Extent::of_const(value),
            Node::Slot { source, slot, view } => match self.place(*source, *slot) {
                Some((schema, node)) => of_schema(schema, node, view),
                None => Extent::Any,
            },
            Node::Index(_) | Node::Field { .. } => match self.part(node) {
                Some((schema, node)) => of_schema(schema, node, &Type::with_view(schema, node).1),
                None => Extent::Any,
            },
            Node::Meta(MetaField::Partition) => number(0, i32::MAX.into()),
            Node::Meta(MetaField::Offset) => number(0, i64::MAX.into()),
            Node::Negate(of) => match self.extent(of) {
                Extent::Number(of) => {
                    Number::arith(crate::expr::Arith::Subtract, &Number::from(0), &of)
                        .map_or(Extent::Any, Extent::Number)
                }
                _ => Extent::Any,
            },
            Node::Arith { op, operands } => {
                match (self.extent(&operands[0]), self.extent(&operands[1])) {
                    (Extent::Number(a), Extent::Number(b)) => {
                        Number::arith(*op, &a, &b).map_or(Extent::Any, Extent::Number)
                    }
                    _ => Extent::Any,
                }
            }
            Node::Cond(parts) => {
                let [condition, then, otherwise] = &**parts;
                let branch = |truth, branch: &Node| match self.assume(condition, truth) {
                    Some(known) => self.under(&known, |scope| scope.extent(branch)),
                    None => Extent::Empty,
                };
                branch(true, then).join(&branch(false, otherwise))
            }
            Node::Watched(of, _) => return self.extent(of),
            Node::Fail(_) => return Extent::Empty,
            Node::Coalesce(values) => self.any_of(values),
            Node::Try(parts) => self.any_of(&**parts),
            Node::OptOrValue(parts) => match &parts[..] {
                [Node::OptNonNull(of), other] => self.extent(of).join(&self.extent(other)),
                _ => Extent::Any,
            },
            Node::Not(of) => match self.extent(of) {
                Extent::Truth(value) => Extent::Truth(!value),
                _ => Extent::Any,
            },
            Node::Call(call) => call.extent(self),
            Node::Bind(parts) => self.within_bound(&parts[0], |scope| scope.extent(&parts[1])),
            _ => Extent::Any,
        };
        match self.key(node) {
            Some(key) => self
                .facts
                .values()
                .get(&key)
                .map_or(own.clone(), |known| own.meet(known)),
            None => own,
        }
    }

    fn any_of(&self, nodes: &[Node]) -> Extent {
        let extents = nodes.iter().map(|node| self.extent(node));
        extents.fold(Extent::Empty, |all, one| all.join(&one))
    }

    /// The sizes that a list, a map, a text or bytes can have.
    pub fn sizes(&self, node: &Node) -> Number {
        let (low, high) = match node {
            Node::List(items) => {
                let sure = |item: &&Node| !matches!(item, Node::IfPresent(_));
                (items.iter().filter(sure).count(), items.len())
            }
            Node::Const(Const::Str(text)) => {
                let count = text.chars().count();
                (count, count)
            }
            Node::Const(Const::Bytes(bytes)) => (bytes.len(), bytes.len()),
            _ => return self.size(node).unwrap_or(Number::whole(0, SIZE_MAX)),
        };
        Number::whole(low as i128, high as i128)
    }

    /// The size of a list, a map, a text or bytes, as far as conditions have proved it.
    pub fn size(&self, node: &Node) -> Option<Number> {
        let key = format!("size({})", self.key(node)?);
        self.facts.values().get(&key)?.number().copied()
    }
}

pub(super) fn number(low: i128, high: i128) -> Extent {
    Extent::Number(Number::whole(low, high))
}

/// The values that a schema allows, read through a view. The allowed texts of a Debezium enum are not among them: nobody
/// checks them when a record is read.
pub(super) fn of_schema(schema: &Schema, node: NodeId, view: &View) -> Extent {
    let node = schema.node(node);
    match (&node.kind, &node.logical, view) {
        (Kind::Int, None | Some(Logical::Other(_)), View::Plain) => {
            number(i32::MIN.into(), i32::MAX.into())
        }
        (Kind::Long, None | Some(Logical::Other(_)), View::Plain) => {
            number(i64::MIN.into(), i64::MAX.into())
        }
        (_, Some(Logical::Decimal { precision, scale }), View::Decimal(_)) => {
            Number::digits(*precision, *scale).map_or(Extent::Any, Extent::Number)
        }
        (Kind::Enum { symbols, .. }, _, View::Plain) => {
            Extent::Texts(symbols.iter().cloned().collect())
        }
        _ => Extent::Any,
    }
}
