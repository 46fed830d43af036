//! What may be copied or computed into what: the verdicts of `check`, and when bytes may be copied as they are.

use std::collections::HashSet;

use super::alike::{ambiguous, are_alike, confused};
use crate::expr::Type;
use crate::schema::resolve::PAIR_DEPTH_MAX;
use crate::schema::{Kind, Logical, NodeId, Schema};

/// Whether every value of `from` can be copied into `to` without a loss. Whether null may arrive is the caller's
/// question at the top (flow facts); inside of arrays, maps and records it is answered here. `Err` says what does not
/// fit and what to write instead.
///
/// A wall-clock timestamp and one in UTC are copied into each other: without a zone it is taken as UTC, as in
/// expressions. Fields of a record that the target lacks are left out; fields that the source lacks need a default.
pub fn copyable(
    from: &Schema,
    from_node: NodeId,
    to: &Schema,
    to_node: NodeId,
) -> Result<(), String> {
    let mut walk = Walk::new(from, to);
    let (f, _) = from.strip_null(from_node);
    let (t, _) = to.strip_null(to_node);
    walk.copyable(f, t, "", 0)?;
    match same_encoding(from, f, to, t) {
        true => Ok(()),
        false => rebuildable(from, f, to, t),
    }
}

/// Whether a value of `from` that is built and written to the target goes into the branches of unions that it came in.
pub(super) fn rebuildable(
    from: &Schema,
    from_node: NodeId,
    to: &Schema,
    to_node: NodeId,
) -> Result<(), String> {
    match ambiguous(from, from_node, to, to_node) {
        Some(union) => Err(confused(to, union)),
        None => Ok(()),
    }
}

/// Whether a computed value of type `ty` may be written to the node. `Err` says why not and what to write instead.
/// A value may still be out of range when it arrives (`int_overflow`, `decimal_overflow`, `unrepresentable`).
pub fn encodable(ty: &Type, to: &Schema, to_node: NodeId) -> Result<(), String> {
    let (target, nullable) = to.strip_null(to_node);
    let is_null = matches!(to.node(target).kind, Kind::Null);
    match ty {
        Type::Null if nullable || is_null || has_null(to, target) => return Ok(()),
        Type::Null => return Err("the value is null, the field is not nullable".to_owned()),
        Type::Nullable(_) if !(nullable || is_null || has_null(to, target)) => {
            return Err(format!(
                "{ty} may be null, the field is not nullable: test for null, or give the field a nullable type"
            ));
        }
        _ => {}
    }
    let ty = ty.non_null();
    if let Type::Made(schema, node) = ty
        && std::ptr::eq(&**schema, to)
        && *node == target
    {
        return Ok(());
    }
    if let Kind::Union(branches) = &to.node(target).kind {
        if !branches.iter().any(|branch| fits(ty, to, *branch).is_ok()) {
            return Err(misfit(ty, to, target));
        }
        if is_of_several(ty, to, branches) {
            return Err(confused(to, target));
        }
        return match branches.iter().find(|branch| is_rival(ty, to, **branch)) {
            Some(rival) => Err(format!(
                "{}: as a value it cannot be told from what {} is for",
                misfit(ty, to, target),
                to.describe(*rival)
            )),
            None => Ok(()),
        };
    }
    fits(ty, to, target)
}

/// Whether several branches may take a record, and none of them alone is made for it.
fn is_of_several(ty: &Type, to: &Schema, branches: &[NodeId]) -> bool {
    let Type::Record(from, id) = ty else {
        return false;
    };
    let is_record = |branch: &&NodeId| matches!(to.node(**branch).kind, Kind::Record(_));
    let records: Vec<NodeId> = branches.iter().filter(is_record).copied().collect();
    let mut own = records
        .iter()
        .filter(|branch| are_alike((from, *id), (to, **branch)));
    match (own.next(), own.next()) {
        (Some(one), None) => fits(ty, to, *one).is_err(),
        (Some(_), Some(_)) => true,
        (None, _) => records.len() > 1,
    }
}

/// Whether values of the type look like those of a branch that is not for them: a date is days, as numbers are.
fn is_rival(ty: &Type, to: &Schema, branch: NodeId) -> bool {
    let node = to.node(branch);
    match (ty, &node.kind, &node.logical) {
        (Type::Date, _, Some(Logical::Date)) => false,
        (Type::Date, Kind::Int | Kind::Long | Kind::Float | Kind::Double, _) => true,
        (Type::Date, _, Some(Logical::Decimal { .. })) => true,
        (Type::TimeOfDay, _, Some(Logical::Interval { .. })) => true,
        (Type::Map(..), Kind::Record(_), _) => true,
        (Type::Record(..), Kind::Map(_), _) => true,
        _ => false,
    }
}

fn has_null(schema: &Schema, id: NodeId) -> bool {
    matches!(&schema.node(id).kind, Kind::Union(branches) if branches.iter().any(|b| schema.node(*b).kind == Kind::Null))
}

fn misfit(ty: &Type, to: &Schema, id: NodeId) -> String {
    format!("{ty} cannot be written as {}", to.describe(id))
}

/// A type without null against a node that is no union.
fn fits(ty: &Type, to: &Schema, id: NodeId) -> Result<(), String> {
    let node = to.node(id);
    let refuse = |help: &str| Err(format!("{}{help}", misfit(ty, to, id)));
    // A name without a known meaning is its physical type.
    let logical = node
        .logical
        .as_ref()
        .filter(|logical| !matches!(logical, Logical::Other(_)));
    match (ty, &node.kind, logical) {
        // An empty list or map has no elements that could not be written.
        (Type::Never, _, _) => Ok(()),
        (Type::Decimal | Type::Int | Type::Uint, _, Some(Logical::Decimal { .. })) => Ok(()),
        (Type::Double, _, Some(Logical::Decimal { .. })) => {
            refuse(": a double is not exact; compute with decimal(...)")
        }
        (Type::Decimal, _, Some(Logical::VariableScaleDecimal)) => Ok(()),
        (
            Type::Timestamp,
            _,
            Some(
                Logical::Timestamp { .. }
                | Logical::LocalTimestamp { .. }
                | Logical::ZonedTimestamp,
            ),
        ) => Ok(()),
        (Type::Date, _, Some(Logical::Date)) => Ok(()),
        (Type::TimeOfDay, _, Some(Logical::Time { .. })) => Ok(()),
        (Type::Duration, _, Some(Logical::Interval { .. })) => Ok(()),
        (
            Type::String,
            _,
            Some(
                Logical::Uuid
                | Logical::Json
                | Logical::TextEnum { .. }
                | Logical::ZonedTimestamp
                | Logical::ZonedTime
                | Logical::Iso(_),
            ),
        ) => Ok(()),
        (Type::String, _, Some(Logical::Timestamp { .. } | Logical::LocalTimestamp { .. })) => {
            refuse(": write timestamp(...)")
        }
        (Type::Int, _, Some(Logical::Timestamp { .. } | Logical::LocalTimestamp { .. })) => {
            refuse(": the number's unit is not known; make a timestamp of it first")
        }
        (Type::Record(from, from_id), Kind::Record(_), _) => {
            let mut walk = Walk::new(from, to);
            walk.copyable(*from_id, id, "", 0)?;
            rebuildable(from, *from_id, to, id)?;
            // A computed record carries physical values, so units and scales must agree.
            if walk.same_meaning(*from_id, id) {
                Ok(())
            } else {
                refuse(
                    ": units or scales inside differ; copy the field with a plain path, or set its fields one by one",
                )
            }
        }
        (_, _, Some(_)) => refuse(""),
        (Type::Bool, Kind::Boolean, None) => Ok(()),
        (Type::Int | Type::Uint, Kind::Int | Kind::Long | Kind::Double, None) => Ok(()),
        (Type::Double, Kind::Double | Kind::Float, None) => Ok(()),
        (Type::String, Kind::String | Kind::Enum { .. }, None) => Ok(()),
        (Type::Bytes, Kind::Bytes | Kind::Fixed { .. }, None) => Ok(()),
        (Type::List(item), Kind::Array(items), None) => encodable(item, to, *items),
        (Type::Map(key, value), Kind::Map(values), None)
            if matches!(**key, Type::String | Type::Never) =>
        {
            encodable(value, to, *values)
        }
        (Type::Map(..), Kind::Record(_), None) => refuse(
            ": a record is written out only where nothing more is done with it: `{…}`, `x.map(i, {…})`, a branch of `c ? {…} : null`",
        ),
        (Type::Decimal, Kind::String, None) => refuse(": write string(...)"),
        (Type::Timestamp | Type::Date | Type::TimeOfDay | Type::Duration, Kind::String, None) => {
            refuse(": write string(...)")
        }
        (Type::Made(..), _, _) => {
            refuse(": it was written out for another schema, write it out here too")
        }
        (Type::Dyn, _, _) => refuse(": its type is known at run time only"),
        (Type::Optional(_), _, _) => refuse(": take its value with .orValue(...)"),
        _ => refuse(""),
    }
}

/// Whether the encoding of every `from` is the encoding of the same value of `to`: then bytes are copied.
/// A one-way question: `int` reads as `long`, an enum may have more symbols at its end.
pub(super) fn same_encoding(
    from: &Schema,
    from_node: NodeId,
    to: &Schema,
    to_node: NodeId,
) -> bool {
    Walk::new(from, to).same_encoding(from_node, to_node, 0)
}

struct Walk<'a> {
    from: &'a Schema,
    to: &'a Schema,
    seen: HashSet<(NodeId, NodeId)>,
}

impl<'a> Walk<'a> {
    fn new(from: &'a Schema, to: &'a Schema) -> Walk<'a> {
        Walk {
            from,
            to,
            seen: HashSet::new(),
        }
    }

    fn same_encoding(&mut self, f: NodeId, t: NodeId, depth: u32) -> bool {
        if !self.seen.insert((f, t)) {
            return true;
        }
        let (fnode, tnode) = (self.from.node(f), self.to.node(t));
        if depth > PAIR_DEPTH_MAX || !agree(&fnode.logical, &tnode.logical) {
            return false;
        }
        match (&fnode.kind, &tnode.kind) {
            (Kind::Union(a), Kind::Union(b)) => {
                a.len() <= b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(f, t)| self.same_encoding(*f, *t, depth + 1))
            }
            (Kind::Record(a), Kind::Record(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(f, t)| f.name == t.name && self.same_encoding(f.ty, t.ty, depth + 1))
            }
            (Kind::Array(a), Kind::Array(b)) | (Kind::Map(a), Kind::Map(b)) => {
                self.same_encoding(*a, *b, depth + 1)
            }
            (Kind::Enum { symbols: a, .. }, Kind::Enum { symbols: b, .. }) => b.starts_with(a),
            (Kind::Int, Kind::Long) | (Kind::String, Kind::Bytes) => true,
            (a, b) => a == b,
        }
    }

    /// Whether physical values of `f` mean the same in `t`, wherever both have them. Assumes that they are copyable.
    fn same_meaning(&self, f: NodeId, t: NodeId) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![(f, t)];
        while let Some((f, t)) = open.pop() {
            let ((f, _), (t, _)) = (self.from.strip_null(f), self.to.strip_null(t));
            if !seen.insert((f, t)) {
                continue;
            }
            let (fnode, tnode) = (self.from.node(f), self.to.node(t));
            if !agree(&fnode.logical, &tnode.logical) {
                return false;
            }
            match (&fnode.kind, &tnode.kind) {
                (Kind::Record(a), Kind::Record(b)) => open.extend(
                    b.iter()
                        .filter_map(|t| a.iter().find(|f| f.name == t.name).map(|f| (f.ty, t.ty))),
                ),
                (Kind::Array(a), Kind::Array(b)) | (Kind::Map(a), Kind::Map(b)) => {
                    open.push((*a, *b))
                }
                _ => {}
            }
        }
        true
    }

    fn copyable(&mut self, f: NodeId, t: NodeId, path: &str, depth: u32) -> Result<(), String> {
        let (from, to) = (self.from, self.to);
        let at = |path: &str| {
            if path.is_empty() {
                String::new()
            } else {
                format!("{path}: ")
            }
        };
        let refuse = |help: &str| {
            Err(format!(
                "{}{} cannot be copied into {}{help}",
                at(path),
                from.describe(f),
                to.describe(t)
            ))
        };
        if depth > PAIR_DEPTH_MAX {
            return refuse(": the types nest too deep");
        }
        if !self.seen.insert((f, t)) {
            return Ok(());
        }
        let (fnode, tnode) = (from.node(f), to.node(t));
        match (&fnode.kind, &tnode.kind) {
            (Kind::Null, Kind::Null) => return Ok(()),
            (Kind::Union(_), _) | (_, Kind::Union(_)) => {
                return if same_encoding(from, f, to, t) {
                    Ok(())
                } else {
                    refuse(": unions of several types are copied only into the same union")
                };
            }
            _ => {}
        }
        use Logical::*;
        let known = |logical: &Option<Logical>| logical.clone().filter(|l| !matches!(l, Other(_)));
        match (known(&fnode.logical), known(&tnode.logical)) {
            (
                Some(Decimal {
                    precision: p,
                    scale: s,
                }),
                Some(Decimal {
                    precision: q,
                    scale: u,
                }),
            ) => {
                return if u >= s && i64::from(q) - i64::from(u) >= i64::from(p) - i64::from(s) {
                    Ok(())
                } else {
                    refuse(
                        ": it has fewer digits; set the field with an expression that says what happens to them",
                    )
                };
            }
            (Some(Decimal { .. } | VariableScaleDecimal), Some(VariableScaleDecimal)) => {
                return Ok(());
            }
            (Some(VariableScaleDecimal), Some(Decimal { .. })) => {
                return refuse(
                    ": its scale is known at run time only; set the field with an expression",
                );
            }
            (Some(Decimal { .. }), None) => {
                return refuse(
                    ": its digits without their scale mean nothing; give the field the logical type decimal",
                );
            }
            (
                Some(Timestamp { per_second: a } | LocalTimestamp { per_second: a }),
                Some(Timestamp { per_second: b } | LocalTimestamp { per_second: b }),
            )
            | (Some(Time { per_second: a }), Some(Time { per_second: b }))
            | (Some(Interval { per_second: a }), Some(Interval { per_second: b })) => {
                return if b >= a {
                    Ok(())
                } else {
                    refuse(
                        ": its unit is coarser; set the field with an expression to cut the digits",
                    )
                };
            }
            (
                Some(Timestamp { .. } | LocalTimestamp { .. } | ZonedTimestamp),
                Some(ZonedTimestamp),
            ) => return Ok(()),
            (
                Some(ZonedTimestamp),
                Some(Timestamp { per_second } | LocalTimestamp { per_second }),
            ) => {
                return if per_second >= 1_000_000 {
                    Ok(())
                } else {
                    refuse(
                        ": its unit is coarser; set the field with an expression to cut the digits",
                    )
                };
            }
            // Texts may be outside the list all the same; that is a fault of the value.
            (Some(TextEnum { allowed }), Some(TextEnum { allowed: taken }))
                if allowed.iter().all(|text| taken.contains(text)) =>
            {
                return Ok(());
            }
            (Some(TextEnum { allowed }), None) => {
                if let Kind::Enum { symbols, .. } = &tnode.kind {
                    return if allowed
                        .iter()
                        .all(|text| symbols.iter().any(|s| **s == **text))
                    {
                        Ok(())
                    } else {
                        refuse(": the enum lacks some of the allowed texts")
                    };
                }
            }
            (Some(Uuid), Some(Uuid)) => return Ok(()),
            (Some(a), Some(b)) if a != b => return refuse(""),
            (None, Some(_)) => {
                return refuse(
                    ": what the plain value means is not known; set the field with an expression",
                );
            }
            _ => {}
        }
        match (&fnode.kind, &tnode.kind) {
            (a, b)
                if a == b
                    && !matches!(
                        a,
                        Kind::Record(_) | Kind::Array(_) | Kind::Map(_) | Kind::Enum { .. }
                    ) =>
            {
                Ok(())
            }
            (Kind::Int, Kind::Long | Kind::Double)
            | (Kind::Float, Kind::Double)
            | (Kind::String | Kind::Fixed { .. }, Kind::Bytes)
            | (Kind::Enum { .. }, Kind::String) => Ok(()),
            (Kind::Long, Kind::Double) => {
                refuse(": numbers beyond 2^53 would change; write double(...)")
            }
            (Kind::Enum { symbols: a, .. }, Kind::Enum { symbols: b, .. }) => {
                if a.iter().all(|symbol| b.contains(symbol)) {
                    Ok(())
                } else {
                    refuse(": it lacks symbols")
                }
            }
            (Kind::Array(a), Kind::Array(b)) => self.inner(*a, *b, &format!("{path}[]"), depth),
            (Kind::Map(a), Kind::Map(b)) => self.inner(*a, *b, &format!("{path}{{}}"), depth),
            (Kind::Record(a), Kind::Record(b)) => {
                for field in b {
                    let path = if path.is_empty() {
                        field.name.to_string()
                    } else {
                        format!("{path}.{}", field.name)
                    };
                    match a.iter().find(|f| f.name == field.name) {
                        Some(f) => self.inner(f.ty, field.ty, &path, depth)?,
                        None if field.default.is_some() => {}
                        None => {
                            return Err(format!(
                                "{path}: the source has no such field, and it has no default"
                            ));
                        }
                    }
                }
                Ok(())
            }
            _ => refuse(""),
        }
    }

    fn inner(&mut self, f: NodeId, t: NodeId, path: &str, depth: u32) -> Result<(), String> {
        let ((f, f_null), (t, t_null)) = (self.from.strip_null(f), self.to.strip_null(t));
        if f_null && !t_null {
            return Err(format!(
                "{path}: the source may be null, the target is not nullable"
            ));
        }
        self.copyable(f, t, path, depth + 1)
    }
}

/// Whether a physical value means the same under both.
fn agree(from: &Option<Logical>, to: &Option<Logical>) -> bool {
    use Logical::*;
    match (from, to) {
        (
            Some(Decimal {
                precision: p,
                scale: s,
            }),
            Some(Decimal {
                precision: q,
                scale: u,
            }),
        ) => p <= q && s == u,
        (
            Some(Timestamp { per_second: a } | LocalTimestamp { per_second: a }),
            Some(Timestamp { per_second: b } | LocalTimestamp { per_second: b }),
        ) => a == b,
        (Some(TextEnum { allowed }), Some(TextEnum { allowed: taken })) => {
            allowed.iter().all(|text| taken.contains(text))
        }
        (_, None | Some(Other(_))) => true,
        (a, b) => a == b,
    }
}
