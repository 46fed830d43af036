//! What is known of the variables of macros, from what they stand for.

use std::sync::Arc;

use super::scope::of_schema;
use super::{Extent, Scope, Values};
use crate::expr::check::{Checker, Typed, Value};
use crate::expr::node::FoldKind;
use crate::expr::{Facts, Node, Type};
use crate::schema::{Kind, NodeId, Schema};

/// Fields of a record whose values are noted.
const FIELDS_MAX: usize = 256;

impl Checker<'_> {
    /// The facts within a macro over a list or a map. With `two` variables the second is the element.
    pub fn within_fold(&self, over: &Typed, two: bool, facts: &Facts) -> Facts {
        let scope = self.scope(facts);
        let at = scope.depth + usize::from(two);
        let known = match &over.value {
            Value::Node(node) => elements(&scope, node, at),
            Value::Path { source, path, .. } => scope
                .place_of(*source, path)
                .map(|(schema, node)| of_items(schema, node, at)),
        };
        let is_map = matches!(over.ty, Type::Map(..));
        match known {
            // The variable of a macro over a map is a key.
            Some(known) if two || !is_map => facts.and(&Facts::of_values(known)),
            _ => facts.clone(),
        }
    }

    /// The facts within `cel.bind`.
    pub fn within_bind(&self, value: &Typed, facts: &Facts) -> Facts {
        let scope = self.scope(facts);
        if let Value::Node(node) = &value.value
            && let Some((schema, record)) = scope.part(node)
            && let Kind::Record(_) = schema.node(record).kind
        {
            return facts.and(&Facts::of_values(of_record(schema, record, scope.depth)));
        }
        let extent = match &value.value {
            Value::Node(node) => scope.extent(node),
            Value::Path {
                source, path, view, ..
            } => match scope.place_of(*source, path) {
                Some((schema, node)) => of_schema(schema, node, view),
                None => Extent::Any,
            },
        };
        let known = one(scope.depth, "", extent, !value.ty.is_nullable());
        facts.and(&Facts::of_values(known))
    }
}

impl Scope<'_> {
    /// Asks something within a variable that has a value.
    pub fn within_bound<T>(&self, value: &Node, ask: impl FnOnce(&Scope) -> T) -> T {
        let known = match self.part(value) {
            Some((schema, record)) if matches!(schema.node(record).kind, Kind::Record(_)) => {
                of_record(schema, record, self.depth)
            }
            _ => one(self.depth, "", self.extent(value), false),
        };
        let facts = self.facts.and(&Facts::of_values(known));
        ask(&Scope {
            facts: &facts,
            depth: self.depth + 1,
            ..*self
        })
    }
}

/// What is known of an element of a list, as the variable at a depth.
fn elements(scope: &Scope, list: &Node, at: usize) -> Option<Values> {
    match list {
        Node::List(items) => {
            let extents = items.iter().map(|item| match item {
                Node::IfPresent(_) => Extent::Any,
                item => scope.extent(item),
            });
            let all = extents.fold(Extent::Empty, |all, one| all.join(&one));
            Some(one(at, "", all, false))
        }
        Node::Fold(fold) if fold.kind == FoldKind::Map && !fold.two && at == scope.depth => {
            let known = elements(scope, &fold.over, at).unwrap_or_default();
            let facts = scope.facts.and(&Facts::of_values(known.clone()));
            let within = Scope {
                facts: &facts,
                depth: scope.depth + 1,
                ..*scope
            };
            let known = match &fold.filter {
                Some(filter) => known.and(&within.assume(filter, true)?)?,
                None => known,
            };
            match fold.body {
                // `filter`: elements as they were.
                Node::Local(0) => Some(known),
                _ => {
                    let body = within.under(&known, |scope| scope.extent(&fold.body));
                    Some(one(at, "", body, false))
                }
            }
        }
        node => {
            let (schema, node) = scope.part(node)?;
            Some(of_items(schema, node, at))
        }
    }
}

/// What the schema says of the elements of an array or the values of a map.
fn of_items(schema: &Arc<Schema>, node: NodeId, at: usize) -> Values {
    let (Kind::Array(items) | Kind::Map(items)) = &schema.node(node).kind else {
        return Values::default();
    };
    let (item, nullable) = schema.strip_null(*items);
    match schema.node(item).kind {
        Kind::Record(_) => of_record(schema, item, at),
        _ => one(at, "", of_node(schema, item), !nullable),
    }
}

/// What the schema says of the fields of a record.
fn of_record(schema: &Arc<Schema>, record: NodeId, at: usize) -> Values {
    let fields = schema.fields(record);
    let each = fields.iter().take(FIELDS_MAX).map(|field| {
        let (node, _) = schema.strip_null(field.ty);
        one(
            at,
            &format!(".{}", field.name),
            of_node(schema, node),
            false,
        )
    });
    each.fold(Values::default(), |all, one| all.and(&one).unwrap_or(all))
}

fn of_node(schema: &Arc<Schema>, node: NodeId) -> Extent {
    of_schema(schema, node, &Type::with_view(schema, node).1)
}

fn one(at: usize, path: &str, extent: Extent, present: bool) -> Values {
    match extent {
        Extent::Any | Extent::Empty => Values::default(),
        known => Values::one(format!("l{at}{path}"), known, present),
    }
}
