//! What is known of types before any datum: the fewest bytes of a value, and which records contain themselves.

use crate::schema::{Kind, NodeId, Schema, resolve};

/// Which records must be subroutines: those that a depth-first walk meets while they are open. Every cycle of types has
/// one, so that everything else can be written out in place.
pub(super) fn recursive(schema: &Schema) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; schema.nodes.len()];
    let mut recursive = vec![false; schema.nodes.len()];
    // (node, next child)
    let mut stack: Vec<(usize, usize)> = vec![(schema.root.0 as usize, 0)];
    states[schema.root.0 as usize] = State::Open;
    while let Some((node, next)) = stack.last_mut() {
        let (at, child) = (*node, child(schema, *node, *next));
        *next += 1;
        match child {
            None => {
                states[at] = State::Done;
                stack.pop();
            }
            Some(child) if states[child] == State::New => {
                states[child] = State::Open;
                stack.push((child, 0));
            }
            Some(child) if states[child] == State::Open => recursive[child] = true,
            Some(_) => {}
        }
    }
    recursive
}

fn child(schema: &Schema, node: usize, index: usize) -> Option<usize> {
    let id = match &schema.nodes[node].kind {
        Kind::Array(inner) | Kind::Map(inner) => (index == 0).then_some(*inner),
        Kind::Union(branches) => branches.get(index).copied(),
        Kind::Record(fields) => fields.get(index).map(|field| field.ty),
        _ => None,
    };
    id.map(|id| id.0 as usize)
}

/// The fewest bytes that a value of each node takes; a record inside itself counts as none, which is a lower bound still.
pub(super) fn bytes_min(schema: &Schema) -> Vec<u16> {
    fn of(schema: &Schema, node: usize, known: &mut [Option<u16>], depth: u32) -> u16 {
        if let Some(bytes) = known[node] {
            return bytes;
        }
        known[node] = Some(0);
        if depth > resolve::PAIR_DEPTH_MAX {
            return 0;
        }
        let mut inner = |id: &NodeId| of(schema, id.0 as usize, known, depth + 1);
        let bytes = match &schema.nodes[node].kind {
            Kind::Null => 0,
            Kind::Float => 4,
            Kind::Double => 8,
            Kind::Fixed { size } => (*size).min(u32::from(u16::MAX)) as u16,
            Kind::Union(branches) => branches
                .iter()
                .map(&mut inner)
                .min()
                .unwrap_or(0)
                .saturating_add(1),
            Kind::Record(fields) => fields
                .iter()
                .fold(0u16, |sum, field| sum.saturating_add(inner(&field.ty))),
            Kind::Array(items) | Kind::Map(items) => {
                inner(items);
                1
            }
            _ => 1,
        };
        known[node] = Some(bytes);
        bytes
    }
    let mut known = vec![None; schema.nodes.len()];
    (0..schema.nodes.len())
        .map(|node| of(schema, node, &mut known, 0))
        .collect()
}
