//! Evaluation of what builds or goes through lists, maps and optionals.

use bumpalo::collections::Vec as BumpVec;

use super::eval::{Result, Run, mismatch, weight};
use super::functions::some;
use super::node::{Fold, FoldKind, Wrap};
use super::value::get;
use super::{EvalFault, Node};
use crate::codec::Val;

impl<'a> Run<'_, 'a> {
    #[inline(never)]
    pub(super) fn list(&self, nodes: &'a [Node]) -> Result<Val<'a>> {
        self.spend(nodes.len() * size_of::<Val>())?;
        let mut list = BumpVec::with_capacity_in(nodes.len(), self.cx.bump);
        for node in nodes {
            list.extend(self.item(node)?);
        }
        Ok(Val::List(list.into_bump_slice()))
    }

    #[inline(never)]
    pub(super) fn map(&self, nodes: &'a [(Node, Node)], differ: bool) -> Result<Val<'a>> {
        self.spend(nodes.len() * 2 * size_of::<Val>())?;
        let mut map = BumpVec::with_capacity_in(nodes.len(), self.cx.bump);
        for (key, value) in nodes {
            let key = self.eval(key)?;
            match self.item(value)? {
                Some(value) if differ => map.push((key, value)),
                Some(value) => insert(&mut map, key, value)?,
                None => {}
            }
        }
        Ok(Val::Map(map.into_bump_slice()))
    }

    /// An element or value of a literal, if it is there.
    fn item(&self, node: &'a Node) -> Result<Option<Val<'a>>> {
        match node {
            Node::IfPresent(of) => match self.eval(of)? {
                Val::Optional(inner) => Ok(inner.copied()),
                other => Err(mismatch(&[other])),
            },
            node => self.eval(node).map(Some),
        }
    }

    #[inline(never)]
    pub(super) fn fold(&self, fold: &'a Fold) -> Result<Val<'a>> {
        let over = self.eval(&fold.over)?;
        let len = match over {
            Val::List(items) => items.len(),
            Val::Map(items) => items.len(),
            other => return Err(mismatch(&[other])),
        };
        let element = |at: usize| match over {
            Val::List(items) => (Val::Int(at as i64), items[at]),
            Val::Map(items) => items[at],
            _ => (Val::Null, Val::Null),
        };
        let mut found = 0_usize;
        let mut fault = None;
        let mut built = match (fold.kind, &fold.filter) {
            (FoldKind::Map, None) => BumpVec::with_capacity_in(len, self.cx.bump),
            _ => BumpVec::new_in(self.cx.bump),
        };
        let mut entries = BumpVec::new_in(self.cx.bump);
        let this = self.repeated();
        for at in 0..len {
            self.step(1)?;
            self.check_arena()?;
            let (key, value) = element(at);
            let first = match (fold.two, over) {
                (false, Val::List(_)) => value,
                _ => key,
            };
            let outer = this.framed(first);
            let with_first = this.within(&outer);
            let second = with_first.framed(value);
            let inner = match fold.two {
                true => with_first.within(&second),
                false => with_first,
            };
            match fold.kind {
                FoldKind::All | FoldKind::Exists => {
                    let decides = fold.kind == FoldKind::Exists;
                    match inner.bool(&fold.body) {
                        Ok(value) if value == decides => return Ok(Val::Bool(decides)),
                        Ok(_) => {}
                        Err(error) => fault = fault.or(Some(error)),
                    }
                    continue;
                }
                FoldKind::ExistsOne => {
                    found += usize::from(inner.bool(&fold.body)?);
                    continue;
                }
                _ => {}
            }
            if let Some(filter) = &fold.filter
                && !inner.bool(filter)?
            {
                continue;
            }
            let body = inner.eval(&fold.body)?;
            match fold.kind {
                FoldKind::TransformMap => {
                    self.spend(2 * size_of::<Val>())?;
                    // Keys of a map, or indexes: no two are the same.
                    entries.push((key, body));
                }
                FoldKind::TransformMapEntry => {
                    let Val::Map(new) = body else {
                        return Err(mismatch(&[body]));
                    };
                    self.spend(2 * size_of_val(new))?;
                    for (key, value) in new {
                        self.step(1 + entries.len())?;
                        insert(&mut entries, *key, *value)?;
                    }
                }
                _ => {
                    self.spend(size_of::<Val>())?;
                    built.push(body);
                }
            }
        }
        match (fold.kind, fault) {
            (_, Some(fault)) => Err(fault),
            (FoldKind::All, None) => Ok(Val::Bool(true)),
            (FoldKind::Exists, None) => Ok(Val::Bool(false)),
            (FoldKind::ExistsOne, None) => Ok(Val::Bool(found == 1)),
            (FoldKind::Map, None) => Ok(Val::List(built.into_bump_slice())),
            (FoldKind::TransformMap | FoldKind::TransformMapEntry, None) => {
                Ok(Val::Map(entries.into_bump_slice()))
            }
        }
    }

    /// Nodes that are about optionals.
    #[inline(never)]
    pub(super) fn optional(&self, node: &'a Node) -> Result<Val<'a>> {
        match node {
            Node::OptNonNull(of) => Ok(match self.eval(of)? {
                Val::Null => Val::Optional(None),
                val => some(self, val),
            }),
            Node::OptIndex(operands) => {
                let (of, key) = (self.eval(&operands[0])?, self.eval(&operands[1])?);
                match of {
                    Val::Optional(of) => self.possible_element(of, key),
                    of => self.possible_element(Some(&of), key),
                }
            }
            Node::OptMap(parts, wrap) => {
                let Some(val) = self.opened(&parts[0])? else {
                    return Ok(Val::Optional(None));
                };
                let frame = self.framed(val);
                let body = self.within(&frame).eval(&parts[1])?;
                match (wrap, body) {
                    (Wrap::Flat, Val::Optional(_)) => Ok(body),
                    (Wrap::Flat, other) => Err(mismatch(&[other])),
                    (Wrap::NonNull, Val::Null) => Ok(Val::Optional(None)),
                    (Wrap::NonNull | Wrap::Value, body) => Ok(some(self, body)),
                }
            }
            Node::OptOr(parts) => match (&parts[..], self.eval(&parts[0])?) {
                (_, val @ Val::Optional(Some(_))) => Ok(val),
                ([_, other], Val::Optional(None)) => match self.eval(other)? {
                    val @ Val::Optional(_) => Ok(val),
                    other => Err(mismatch(&[other])),
                },
                (_, other) => Err(mismatch(&[other])),
            },
            Node::OptOrValue(parts) => match self.opened(&parts[0])? {
                Some(val) => Ok(val),
                None => self.eval(&parts[1]),
            },
            // In a list or a map only, where they are looked for.
            _ => Err(mismatch(&[])),
        }
    }

    /// The value of an optional.
    fn opened(&self, node: &'a Node) -> Result<Option<Val<'a>>> {
        match self.eval(node)? {
            Val::Optional(inner) => Ok(inner.copied()),
            other => Err(mismatch(&[other])),
        }
    }

    /// What a container that may be missing has at a key, as an optional.
    pub(super) fn possible_element(&self, of: Option<&Val<'a>>, key: Val<'a>) -> Result<Val<'a>> {
        let Some(of) = of else {
            return Ok(Val::Optional(None));
        };
        self.look(weight(*of))?;
        Ok(match element(*of, key)? {
            Some(found) => some(self, found),
            None => Val::Optional(None),
        })
    }
}

/// Adds an entry to a map that does not have its key.
fn insert<'a>(
    map: &mut BumpVec<'a, (Val<'a>, Val<'a>)>,
    key: Val<'a>,
    value: Val<'a>,
) -> Result<()> {
    if !matches!(key, Val::Bool(_) | Val::Int(_) | Val::Uint(_) | Val::Str(_)) {
        return Err(mismatch(&[key]));
    }
    if get(map, key).is_some() {
        return Err(EvalFault::new(
            "duplicate_key",
            "a map was given the same key twice",
        ));
    }
    map.push((key, value));
    Ok(())
}

/// What a container has at an index or key, if anything.
pub(super) fn element<'a>(of: Val<'a>, index: Val) -> Result<Option<Val<'a>>> {
    match (of, index) {
        (Val::List(items), index) => {
            let at = match index {
                Val::Int(v) => usize::try_from(v).ok(),
                Val::Uint(v) => usize::try_from(v).ok(),
                Val::Double(v) if v.fract() == 0.0 && v >= 0.0 => Some(v as usize),
                Val::Double(_) => None,
                other => return Err(mismatch(&[other])),
            };
            Ok(at.and_then(|at| items.get(at)).copied())
        }
        (Val::Map(items), key) => Ok(get(items, key)),
        (other, _) => Err(mismatch(&[other])),
    }
}

pub(super) fn missing(of: Val) -> EvalFault {
    match of {
        Val::List(items) => {
            let message = format!("an index is outside of a list of {} elements", items.len());
            EvalFault::new("index_out_of_range", message)
        }
        _ => EvalFault::new("missing_key", "a map does not have the key"),
    }
}
