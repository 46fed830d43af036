//! The way of one record through a plan, stage by stage, in the order in which it meets them.

mod routes;

use bumpalo::Bump;

use crate::codec::frame::Side;
use crate::codec::{Emit, Scan, Slots, Val, frame, placeholder};
use crate::expr::{Cx, Datum, EvalFault, Evaluator, Meta, Node, eval};
use crate::topology::code::{Computed, SourceCode, StepCode};
use crate::topology::plan::{
    KeyFormat, Other, OtherOutcome, Plan, SourcePlan, Tombstones, Unavailable,
};
use crate::topology::program::{KeyProgram, ValueKind, ValueProgram};

use super::{Builtin, Input, Outputs, Poison};

/// What ends a record on its way.
pub(super) enum End {
    Filtered(u16),
    Poison(Poison),
}

/// One record on its way through a plan.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) source: &'a SourcePlan,
    pub(super) code: &'a SourceCode,
    pub(super) schema_ids: &'a [u32],
    pub(super) steps: &'a Builtin,
    pub(super) bump: &'a Bump,
    pub(super) meta: &'a Meta<'a>,
    pub(super) input: &'a Input<'a>,
}

/// The value of an event, scanned, and the programs that write from it.
#[derive(Clone, Copy)]
struct Event<'a> {
    datum: Datum<'a>,
    emits: &'a [Emit],
}

impl<'a> Run<'a> {
    /// The record's way to its outputs, or to what ends it before.
    pub(super) fn record(
        &self,
        key: Option<&'a KeyProgram>,
        value: Option<&'a ValueProgram>,
        value_slots: &'a mut Slots,
        key_slots: &'a mut Slots,
        out: &mut Outputs,
    ) -> Result<(), End> {
        let (Some(bytes), Some(program)) = (self.input.value, value) else {
            return self.tombstone(key, key_slots, out);
        };
        let datum = self.datum(Side::Value, bytes, self.steps.decode)?;
        let (scan, emits) = match &program.kind {
            ValueKind::Event { scan, emits } => (scan, emits),
            ValueKind::Other { kind, scan } => {
                self.scan(scan, datum, value_slots, self.steps.decode)?;
                return Err(self.other(*kind));
            }
        };
        self.scan(scan, datum, value_slots, self.steps.decode)?;
        self.envelope(scan, datum, value_slots)?;
        let key = self.key(key, key_slots)?;
        if self.code.placeholders.suspect(datum) {
            self.unavailable(scan, datum, value_slots)?;
        }
        if self.code.guards_all && placeholder::stands_in(datum) {
            return Err(self.left_out("a column that is newer than the checked schema"));
        }
        let datum = Datum {
            scan,
            bytes: datum,
            slots: value_slots,
        };
        let mut cx = Cx {
            value: Some(datum),
            key,
            regs: &[],
            meta: self.meta,
            bump: self.bump,
        };
        self.run_steps(&mut cx)?;
        self.routes(cx, Some(Event { datum, emits }), out)
    }

    /// The datum of a key or value, without its frame if it has one.
    fn datum(&self, side: Side, bytes: &'a [u8], step: u16) -> Result<&'a [u8], End> {
        let from = self.source.id_from(side);
        match frame::locate(from, side, self.input.headers, bytes) {
            Ok((_, datum)) => Ok(datum),
            Err(reason) => {
                Err(self.poison(reason, step, format!("the {} has no frame", side.name())))
            }
        }
    }

    fn tombstone(
        &self,
        key: Option<&'a KeyProgram>,
        slots: &'a mut Slots,
        out: &mut Outputs,
    ) -> Result<(), End> {
        let key = self.key(key, slots)?;
        if self.source.tombstones == Tombstones::Drop {
            return Err(End::Filtered(self.steps.tombstone));
        }
        let cx = Cx {
            value: None,
            key,
            regs: &[],
            meta: self.meta,
            bump: self.bump,
        };
        self.routes(cx, None, out)
    }

    fn scan(&self, scan: &Scan, datum: &[u8], slots: &mut Slots, step: u16) -> Result<(), End> {
        scan.run(datum, slots)
            .map_err(|fault| self.poison(fault.reason, step, fault.to_string()))
    }

    /// The operation is one that is processed here, and the envelope keeps what flow typing was told of it.
    fn envelope(&self, scan: &Scan, datum: &[u8], slots: &Slots) -> Result<(), End> {
        let Some(envelope) = self.code.envelope else {
            return Ok(());
        };
        let wants = match scan.text_bytes(slots, envelope.op, datum) {
            // (before, after): must be there, must be null, or either.
            Some(b"c" | b"r") => (Some(false), Some(true)),
            Some(b"u") => (None, Some(true)),
            Some(b"d") => (Some(true), Some(false)),
            Some(op @ (b"t" | b"m")) => {
                let kind = if op == b"t" {
                    Other::Truncate
                } else {
                    Other::Message
                };
                if self.source.outcome(kind) != OtherOutcome::Pass {
                    return Err(self.other(kind));
                }
                (Some(false), Some(false))
            }
            _ => {
                let message = "event.op is none of c, r, u, d, t, m".to_owned();
                return Err(self.poison("unknown_op", self.steps.decode, message));
            }
        };
        for (name, slot, wanted) in [
            ("before", envelope.before, wants.0),
            ("after", envelope.after, wants.1),
        ] {
            if let Some(there) = wanted
                && scan.is_null(slots, slot) == there
            {
                let is = if there { "null" } else { "not null" };
                let message = format!("event.{name} is {is}, which contradicts event.op");
                return Err(self.poison("bad_envelope", self.steps.decode, message));
            }
        }
        Ok(())
    }

    /// One of Debezium's other records: what the topology says becomes of it.
    fn other(&self, kind: Other) -> End {
        let step = self.plan.step(kind.name()).unwrap_or(self.steps.decode);
        match self.source.outcome(kind) {
            OtherOutcome::Drop => End::Filtered(step),
            OtherOutcome::DeadLetter | OtherOutcome::Pass => End::Poison(Poison {
                declared: true,
                ..Poison::new(
                    kind.name(),
                    Some(step),
                    format!("a record of Debezium's of the kind {}", kind.name()),
                )
            }),
        }
    }

    fn key(
        &self,
        program: Option<&'a KeyProgram>,
        slots: &'a mut Slots,
    ) -> Result<Option<Datum<'a>>, End> {
        if !matches!(self.source.key, KeyFormat::Avro(_)) {
            return Ok(None);
        }
        let step = self.steps.key;
        let (Some(bytes), Some(program)) = (self.input.key, program) else {
            let message = "the key is null, the topology says that it is Avro".to_owned();
            return Err(self.poison("null_key", step, message));
        };
        let Some(scan) = &program.scan else {
            let message = "the key is that of another kind of record".to_owned();
            return Err(self.poison("wrong_schema", step, message));
        };
        let datum = self.datum(Side::Key, bytes, step)?;
        self.scan(scan, datum, slots, step)?;
        Ok(Some(Datum {
            scan,
            bytes: datum,
            slots,
        }))
    }

    /// The datum holds Debezium's placeholder somewhere: is it in a column that is read or copied?
    fn unavailable(&self, scan: &Scan, datum: &[u8], slots: &mut Slots) -> Result<(), End> {
        for guard in &self.code.guards {
            let bump = Bump::new();
            let value = scan
                .materialise(slots, guard.slot, datum, &bump)
                .map_err(|fault| {
                    self.poison(fault.reason, self.steps.unavailable, fault.message)
                })?;
            if !placeholder::holds(&value) {
                continue;
            }
            match self.source.unavailable {
                Unavailable::Null if guard.nullable => slots.set_null(guard.slot),
                Unavailable::Keep => {}
                Unavailable::Null | Unavailable::Optional | Unavailable::DeadLetter => {
                    return Err(self.left_out(&guard.path));
                }
            }
        }
        Ok(())
    }

    fn left_out(&self, column: &str) -> End {
        let message = format!("{column} was not part of the change: it is Debezium's placeholder");
        End::Poison(Poison {
            declared: true,
            ..Poison::new("unavailable_value", Some(self.steps.unavailable), message)
        })
    }

    fn run_steps(&self, cx: &mut Cx<'a>) -> Result<(), End> {
        for step in &self.code.steps {
            match step {
                StepCode::Filter { step, node, keep } => {
                    if self
                        .condition(node, cx)
                        .map_err(|fault| self.failed(fault, *step))?
                        != *keep
                    {
                        return Err(End::Filtered(*step));
                    }
                }
                StepCode::Require { step, node, text } => {
                    if !self
                        .condition(node, cx)
                        .map_err(|fault| self.failed(fault, *step))?
                    {
                        let message = format!("`{text}` does not hold");
                        return Err(End::Poison(Poison {
                            declared: true,
                            ..Poison::new("rule", Some(*step), message)
                        }));
                    }
                }
                StepCode::Compute { step, values } => {
                    cx.regs = self.compute(values, cx).map_err(|(field, fault)| {
                        let message = format!("field {field}: {}", fault.message);
                        self.poison(fault.reason, *step, message)
                    })?;
                }
            }
        }
        Ok(())
    }

    fn condition(&self, node: &'a Node, cx: &Cx<'a>) -> Result<bool, EvalFault> {
        match eval(node, cx)? {
            Val::Bool(value) => Ok(value),
            _ => Err(EvalFault::new(
                "wrong_type",
                "the condition is neither true nor false",
            )),
        }
    }

    /// The registers with the values added; names the field that failed.
    fn compute(
        &self,
        values: &'a [Computed],
        cx: &Cx<'a>,
    ) -> Result<&'a [Val<'a>], (&'a str, EvalFault)> {
        if values.is_empty() {
            return Ok(cx.regs);
        }
        let regs = self
            .bump
            .alloc_slice_fill_copy(cx.regs.len() + values.len(), Val::Null);
        let (old, new) = regs.split_at_mut(cx.regs.len());
        old.copy_from_slice(cx.regs);
        let evaluator = Evaluator::new(cx);
        for (reg, value) in new.iter_mut().zip(values) {
            *reg = evaluator
                .eval(&value.node)
                .map_err(|fault| (value.field.as_str(), fault))?;
        }
        Ok(regs)
    }

    fn failed(&self, fault: EvalFault, step: u16) -> End {
        let (reason, message) = self::fault(fault);
        self.poison(reason, step, message)
    }

    fn poison(&self, reason: &'static str, step: u16, message: String) -> End {
        End::Poison(Poison::new(reason, Some(step), message))
    }
}

fn fault(fault: EvalFault) -> (&'static str, String) {
    let told = fault.told();
    (told.reason, told.message.into_owned())
}
