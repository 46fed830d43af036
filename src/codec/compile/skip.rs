//! Operations for what is validated and not captured.

use super::super::digits::DecimalCheck;
use super::super::op::{Number, Op};
use super::{Compiler, resolve};
use crate::schema::resolve::Mismatch;
use crate::schema::{Kind, Logical, NodeId};

impl<'a> Compiler<'a> {
    /// The reader's type for the writer's `w` (no union): `r`, or the branch of it that fits.
    pub(super) fn counterpart(&self, w: NodeId, r: NodeId) -> Option<NodeId> {
        match &self.reader.node(r).kind {
            Kind::Union(branches) => {
                resolve::reader_branch(self.writer, w, self.reader, branches).map(|at| branches[at])
            }
            _ => Some(r),
        }
    }

    /// Ops that validate the writer's `w`. The reader's type matters only where it makes text of bytes.
    pub(super) fn skip(&mut self, w: NodeId, r: Option<NodeId>) {
        let writer = self.writer;
        let wn = writer.node(w);
        if let Kind::Union(branches) = &wn.kind {
            return self.skip_union(w, branches, r);
        }
        let r = r.and_then(|r| self.counterpart(w, r));
        let reads_text = r.is_some_and(|r| self.reader.node(r).kind == Kind::String);
        match &wn.kind {
            Kind::Null | Kind::Fixed { size: 0 } => {}
            Kind::Boolean => _ = self.push(Op::Boolean),
            Kind::Int => _ = self.push(Op::Int),
            Kind::Long => _ = self.push(Op::Longs(1)),
            Kind::Float => _ = self.push(Op::Skip(4)),
            Kind::Double => _ = self.push(Op::Skip(8)),
            Kind::String => _ = self.push(Op::Strs(1)),
            Kind::Bytes if reads_text => _ = self.push(Op::Strs(1)),
            Kind::Bytes => {
                let op = self.check_of(w).map_or(Op::Bytes, Op::Decimal);
                self.push(op);
            }
            Kind::Fixed { size } => {
                let op = self.check_of(w).map_or(Op::Skip(*size), Op::FixedDecimal);
                self.push(op);
            }
            Kind::Enum { symbols, .. } => _ = self.push(Op::Enum(symbols.len() as u32)),
            Kind::Array(items) => {
                let inner = r.and_then(|r| match self.reader.node(r).kind {
                    Kind::Array(items) => Some(items),
                    _ => None,
                });
                self.items(self.bytes_min[items.0 as usize], |this| {
                    this.skip(*items, inner)
                });
            }
            Kind::Map(values) => {
                let inner = r.and_then(|r| match self.reader.node(r).kind {
                    Kind::Map(values) => Some(values),
                    _ => None,
                });
                // A key takes at least its length byte.
                let bytes_min = self.bytes_min[values.0 as usize].saturating_add(1);
                self.items(bytes_min, |this| {
                    this.push(Op::Strs(1));
                    this.skip(*values, inner);
                });
            }
            Kind::Record(_) if self.recursive[w.0 as usize] => {
                let at = self.push(Op::Call(0));
                self.here();
                self.calls.push((at, w, r));
            }
            Kind::Record(_) => self.record_body(w, r),
            Kind::Union(_) => unreachable!("handled above"),
        }
    }

    fn skip_union(&mut self, w: NodeId, branches: &'a [NodeId], r: Option<NodeId>) {
        let Some((null, inner)) = self.writer.nullable(w) else {
            let done = self.branches(branches, |this, branch| {
                this.skip(branch, r);
                Ok(())
            });
            return done.expect("a skip cannot fail");
        };
        let null = null as u8;
        match self.writer.node(inner).kind {
            Kind::Long => _ = self.push(Op::OptLong { null }),
            Kind::String => _ = self.push(Op::OptStr { null }),
            _ => {
                let at = self.push(Op::Opt { null, over: 0 });
                self.here();
                self.skip(inner, r);
                if let Some(fused) = fused(null, &self.program.ops[at + 1..], None) {
                    self.program.ops.truncate(at);
                    self.push(fused);
                    return;
                }
                let over = self.here();
                self.program.ops[at] = Op::Opt { null, over };
            }
        }
    }

    pub(super) fn record_body(&mut self, w: NodeId, r: Option<NodeId>) {
        let wf = self.writer.fields(w);
        let rf = r.map_or(&[][..], |r| self.reader.fields(r));
        let map = resolve::field_map(wf, rf);
        for (i, field) in wf.iter().enumerate() {
            let counterpart = map
                .iter()
                .position(|from| *from == Some(i))
                .map(|j| rf[j].ty);
            self.skip(field.ty, counterpart);
        }
    }

    fn items(&mut self, bytes_min: u16, body: impl FnOnce(&mut Self)) {
        let at = self.push(Op::Array { bytes_min, over: 0 });
        let start = self.here();
        body(self);
        if let [Op::Strs(each)] = self.program.ops[at + 1..] {
            self.program.ops.truncate(at);
            self.push(Op::StrItems { bytes_min, each });
            return;
        }
        self.push(Op::Next {
            bytes_min,
            body: start,
        });
        let over = self.here();
        self.program.ops[at] = Op::Array { bytes_min, over };
    }

    pub(super) fn branches(
        &mut self,
        branches: &'a [NodeId],
        mut body: impl FnMut(&mut Self, NodeId) -> Result<(), Vec<Mismatch>>,
    ) -> Result<(), Vec<Mismatch>> {
        let table = self.table(branches.iter().map(|_| 0));
        self.push(Op::Union { table });
        let mut jumps = Vec::with_capacity(branches.len());
        for (i, branch) in branches.iter().enumerate() {
            let start = self.here();
            self.program.tables[table as usize + 1 + i] = start;
            body(self, *branch)?;
            jumps.push(self.push(Op::Jump(0)));
        }
        let end = self.here();
        for at in jumps {
            self.program.ops[at] = Op::Jump(end);
        }
        Ok(())
    }

    pub(super) fn check_of(&mut self, w: NodeId) -> Option<u32> {
        let node = self.writer.node(w);
        let Some(Logical::Decimal { precision, .. }) = node.logical else {
            return None;
        };
        let size = match node.kind {
            Kind::Fixed { size } => size,
            _ => 0,
        };
        Some(self.decimal(DecimalCheck::new(precision, size)))
    }
}

/// One op for a union with null that is captured in `slot`, if there is one for what it holds.
pub(super) fn fused(null: u8, inner: &[Op], slot: Option<u16>) -> Option<Op> {
    match (inner, slot) {
        ([Op::Skip(size)], None) => Some(Op::OptSkip { null, size: *size }),
        // What is captured may also be the only field of a record, which is another matter.
        ([Op::TakeLong(taken, Number::Int)], Some(slot)) if slot == *taken => {
            Some(Op::TakeOptLong { null, slot })
        }
        ([Op::TakeStr(taken)], Some(slot)) if slot == *taken => Some(Op::TakeOptStr { null, slot }),
        _ => None,
    }
}
