//! How containers are built from their encoding: a tree per (writer type, reader type), resolved when it is compiled.

use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::primitive::{self, Trouble};
use super::{Fault, VALUES_MAX, Val, ZERO_BYTE_ITEMS_MAX, defaults, lift};
use crate::schema::resolve;
use crate::schema::{Kind, NodeId, Schema};

/// Deepest nesting of containers that is built: the limits of a datum and of a schema together, unions not counted.
const BUILD_DEPTH_MAX: u32 = 128;

/// Index of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShapeId(u32);

#[derive(Clone, Debug)]
enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// An int or long that the reader takes as a float or double.
    IntAsFloat,
    IntAsDouble,
    Text,
    Bytes,
    Fixed(u32),
    /// The reader's symbol for each of the writer's.
    Enum(Vec<Arc<str>>),
    Array(ShapeId),
    Map(ShapeId),
    Union(Vec<ShapeId>),
    Record(Vec<Step>, Vec<Arc<str>>),
}

#[derive(Clone, Debug)]
enum Step {
    /// The next value of the writer is the reader's field with this index, or is passed over.
    Read(ShapeId, Option<u32>),
    /// The reader's field has this default.
    Default(u32, ShapeId, Arc<[u8]>),
}

/// The shapes of one scan.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    /// The shape and the reader's node, whose meaning a value is lifted to. `None` for what the reader passes over.
    shapes: Vec<(Shape, Option<NodeId>)>,
    known: HashMap<(bool, NodeId, Option<NodeId>), ShapeId>,
}

/// How many values one datum may still become.
struct Budget {
    values: usize,
    items: u64,
}

impl Budget {
    fn new(bytes: usize) -> Budget {
        Budget {
            values: VALUES_MAX.saturating_add(bytes.saturating_mul(4)),
            items: bytes as u64 + ZERO_BYTE_ITEMS_MAX,
        }
    }
}

impl Shapes {
    /// The shape of reading the writer's `w` as the reader's `r`, which it resolves to.
    pub(super) fn compile(
        &mut self,
        writer: &Schema,
        w: NodeId,
        reader: &Schema,
        r: NodeId,
    ) -> ShapeId {
        self.pair(writer, w, reader, Some(r))
    }

    fn pair(&mut self, writer: &Schema, w: NodeId, reader: &Schema, r: Option<NodeId>) -> ShapeId {
        let r = match r.map(|r| (r, &reader.node(r).kind)) {
            Some((_, Kind::Union(branches))) if !matches!(writer.node(w).kind, Kind::Union(_)) => {
                resolve::reader_branch(writer, w, reader, branches).map(|at| branches[at])
            }
            other => other.map(|(r, _)| r),
        };
        // Defaults are read with the reader's schema on both sides.
        let key = (std::ptr::eq(writer, reader), w, r);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let id = ShapeId(self.shapes.len() as u32);
        self.known.insert(key, id);
        self.shapes.push((Shape::Null, r));
        let rk = r.map(|r| &reader.node(r).kind);
        let shape = match (&writer.node(w).kind, rk) {
            (Kind::Null, _) => Shape::Null,
            (Kind::Boolean, _) => Shape::Boolean,
            (Kind::Int | Kind::Long, Some(Kind::Float)) => Shape::IntAsFloat,
            (Kind::Int | Kind::Long, Some(Kind::Double)) => Shape::IntAsDouble,
            (Kind::Int, _) => Shape::Int,
            (Kind::Long, _) => Shape::Long,
            (Kind::Float, _) => Shape::Float,
            (Kind::Double, _) => Shape::Double,
            (Kind::String, Some(Kind::Bytes)) => Shape::Bytes,
            (Kind::Bytes, Some(Kind::String)) | (Kind::String, _) => Shape::Text,
            (Kind::Bytes, _) => Shape::Bytes,
            (Kind::Fixed { size }, _) => Shape::Fixed(*size),
            (
                Kind::Enum { symbols, .. },
                Some(Kind::Enum {
                    symbols: known,
                    default,
                }),
            ) => {
                let at = resolve::symbols(symbols, known, *default);
                Shape::Enum(
                    at.zip(symbols)
                        .map(|(at, own)| at.map_or(own, |at| &known[at as usize]).clone())
                        .collect(),
                )
            }
            (Kind::Enum { symbols, .. }, _) => Shape::Enum(symbols.clone()),
            (Kind::Array(wi), rk) => {
                let inner = match rk {
                    Some(Kind::Array(ri)) => Some(*ri),
                    _ => None,
                };
                Shape::Array(self.pair(writer, *wi, reader, inner))
            }
            (Kind::Map(wi), rk) => {
                let inner = match rk {
                    Some(Kind::Map(ri)) => Some(*ri),
                    _ => None,
                };
                Shape::Map(self.pair(writer, *wi, reader, inner))
            }
            (Kind::Union(branches), _) => Shape::Union(
                branches
                    .iter()
                    .map(|b| self.pair(writer, *b, reader, r))
                    .collect(),
            ),
            (Kind::Record(wf), rk) => {
                let rf = match rk {
                    Some(Kind::Record(fields)) => fields.as_slice(),
                    _ => &[],
                };
                let map = resolve::field_map(wf, rf);
                let mut steps: Vec<Step> = Vec::with_capacity(wf.len());
                for (i, field) in wf.iter().enumerate() {
                    let j = map.iter().position(|from| *from == Some(i));
                    let shape = self.pair(writer, field.ty, reader, j.map(|j| rf[j].ty));
                    steps.push(Step::Read(shape, j.map(|j| j as u32)));
                }
                for (j, field) in rf.iter().enumerate().filter(|(j, _)| map[*j].is_none()) {
                    let bytes = field
                        .default
                        .as_ref()
                        .and_then(|d| defaults::encode(reader, field.ty, d).ok());
                    // Resolution has encoded this default once already, without a fault.
                    if let Some(bytes) = bytes {
                        let shape = self.pair(reader, field.ty, reader, Some(field.ty));
                        steps.push(Step::Default(j as u32, shape, bytes.into()));
                    }
                }
                Shape::Record(steps, rf.iter().map(|field| field.name.clone()).collect())
            }
        };
        self.shapes[id.0 as usize].0 = shape;
        id
    }
}

/// A datum, or a part of one, on its way to values.
pub(super) struct Builder<'r, 'a> {
    shapes: &'a Shapes,
    reader: &'r Schema,
    data: &'a [u8],
    pos: usize,
    bump: &'a Bump,
    budget: Budget,
    /// Whether values are given the meaning that the reader's schema says.
    lifted: bool,
}

/// A fault in a box: what every value returns is small.
type Built<T> = Result<T, Box<Fault>>;

impl<'r, 'a> Builder<'r, 'a> {
    pub(super) fn new(
        shapes: &'a Shapes,
        reader: &'r Schema,
        data: &'a [u8],
        bump: &'a Bump,
        lifted: bool,
    ) -> Builder<'r, 'a> {
        Builder {
            shapes,
            reader,
            data,
            pos: 0,
            bump,
            budget: Budget::new(data.len()),
            lifted,
        }
    }

    /// Builds the value that is next. The bytes have been scanned, but nothing here relies on it.
    pub(super) fn read(&mut self, id: ShapeId, depth: u32) -> Built<Val<'a>> {
        if self.budget.values == 0 || depth > BUILD_DEPTH_MAX {
            let what = "the value nests too deep or holds too many values to be built";
            return Err(Fault::new("avro_limit", what).into());
        }
        self.budget.values -= 1;
        let shapes = self.shapes;
        let (shape, node) = &shapes.shapes[id.0 as usize];
        let value = match shape {
            Shape::Null => Val::Null,
            Shape::Boolean => Val::Bool(self.take(primitive::boolean)?),
            Shape::Int => Val::Int(self.take(primitive::int)?),
            Shape::Long => Val::Int(self.take(primitive::long)?),
            Shape::Float => Val::Double(self.take(primitive::float)?.into()),
            Shape::Double => Val::Double(self.take(primitive::double)?),
            Shape::IntAsFloat => Val::Double((self.take(primitive::long)? as f32).into()),
            Shape::IntAsDouble => Val::Double(self.take(primitive::long)? as f64),
            Shape::Text => Val::Str(self.text()?),
            Shape::Bytes => Val::Bytes(self.run()?),
            Shape::Fixed(size) => {
                let start = self.pos;
                self.pos = primitive::skip(self.data, start, *size).map_err(wrong)?;
                Val::Bytes(&self.data[start..self.pos])
            }
            Shape::Enum(symbols) => {
                let count = symbols.len() as u32;
                let at =
                    self.take(|data, pos| primitive::index(data, pos, count, Trouble::EnumIndex))?;
                Val::Str(&symbols[at as usize])
            }
            Shape::Union(branches) => {
                let count = branches.len() as u32;
                let at =
                    self.take(|data, pos| primitive::index(data, pos, count, Trouble::UnionIndex))?;
                return self.read(branches[at as usize], depth);
            }
            Shape::Array(items) => {
                let mut list = BumpVec::new_in(self.bump);
                while let Some(count) = self.next_block()? {
                    // Most items take a byte at least; a count is not trusted beyond that.
                    let left = (self.data.len() - self.pos) as u64;
                    list.reserve_exact(count.min(left) as usize);
                    for _ in 0..count {
                        list.push(self.read(*items, depth + 1)?);
                    }
                }
                Val::List(list.into_bump_slice())
            }
            Shape::Map(values) => {
                let mut entries = BumpVec::new_in(self.bump);
                while let Some(count) = self.next_block()? {
                    for _ in 0..count {
                        let key = self.text()?;
                        entries.push((Val::Str(key), self.read(*values, depth + 1)?));
                    }
                }
                Val::Map(entries.into_bump_slice())
            }
            Shape::Record(steps, names) => {
                let fields = self
                    .bump
                    .alloc_slice_fill_iter(names.iter().map(|name| (Val::Str(name), Val::Null)));
                for step in steps {
                    match step {
                        Step::Read(shape, field) => {
                            let value = self.read(*shape, depth + 1)?;
                            if let Some(field) = field {
                                fields[*field as usize].1 = value;
                            }
                        }
                        Step::Default(field, shape, bytes) => {
                            fields[*field as usize].1 = self.default(*shape, bytes, depth)?;
                        }
                    }
                }
                Val::Map(fields)
            }
        };
        match node {
            Some(node) if self.lifted => Ok(lift(self.reader, *node, value, self.bump)?),
            _ => Ok(value),
        }
    }

    /// The value of a default, which has bytes of its own.
    fn default(&mut self, shape: ShapeId, bytes: &'a [u8], depth: u32) -> Built<Val<'a>> {
        let (data, pos) = (self.data, self.pos);
        (self.data, self.pos) = (bytes, 0);
        let value = self.read(shape, depth + 1);
        (self.data, self.pos) = (data, pos);
        value
    }

    #[inline(always)]
    fn take<T>(
        &mut self,
        read: impl FnOnce(&'a [u8], usize) -> Result<(T, usize), Trouble>,
    ) -> Built<T> {
        let (value, end) = read(self.data, self.pos).map_err(wrong)?;
        self.pos = end;
        Ok(value)
    }

    fn run(&mut self) -> Built<&'a [u8]> {
        let (start, end) = primitive::run(self.data, self.pos).map_err(wrong)?;
        self.pos = end;
        Ok(&self.data[start..end])
    }

    fn text(&mut self) -> Built<&'a str> {
        let bytes = self.run()?;
        std::str::from_utf8(bytes).map_err(|_| wrong(Trouble::Utf8))
    }

    fn next_block(&mut self) -> Built<Option<u64>> {
        let block = primitive::block(self.data, self.pos, 0, &mut self.budget.items);
        let (block, next) = block.map_err(wrong)?;
        self.pos = next;
        Ok((block.items > 0).then_some(block.items))
    }
}

#[cold]
fn wrong(trouble: Trouble) -> Box<Fault> {
    Box::new(Fault::new(trouble.reason(), "the value cannot be read"))
}
