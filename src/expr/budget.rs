//! What one evaluation may cost: steps of macros, bytes that are built.

use std::cell::Cell;

use super::eval::{Result, Run, simple};
use super::{Cx, EvalFault, Node, Source};
use crate::codec::Val;

/// Steps of one evaluation: elements that are looked at, and text in pieces of [`PIECE`]. Bounds the time of macros within
/// macros over long lists.
const STEPS_MAX: usize = 10_000_000;
/// Bytes of text that count as a step.
pub(super) const PIECE: usize = 64;
/// Bytes that one evaluation may build.
const BUILT_MAX: usize = 16 << 20;

/// Evaluates several expressions for one record, each with a budget of its own. Lists, maps and records of the record are
/// built once for all of them.
pub struct Evaluator<'c, 'a> {
    cx: &'c Cx<'a>,
    budget: Budget<'a>,
}

impl<'c, 'a> Evaluator<'c, 'a> {
    /// For the record of a context.
    pub fn new(cx: &'c Cx<'a>) -> Evaluator<'c, 'a> {
        Evaluator {
            cx,
            budget: Budget::new(cx),
        }
    }

    /// Evaluates an expression.
    ///
    /// # Errors
    /// As [`super::eval`].
    pub fn eval(&self, node: &'a Node) -> Result<Val<'a>> {
        if let Some(value) = simple(node, self.cx) {
            return value;
        }
        self.budget.renew(self.cx);
        Run::new(self.cx, &self.budget).eval(node)
    }
}

/// Something that is evaluated within a budget of its own.
pub(super) fn budgeted<'a, T>(
    cx: &Cx<'a>,
    evaluate: impl FnOnce(&Run<'_, 'a>) -> Result<T>,
) -> Result<T> {
    limited(cx, STEPS_MAX, evaluate)
}

/// The same with fewer steps.
pub(super) fn limited<'a, T>(
    cx: &Cx<'a>,
    steps: usize,
    evaluate: impl FnOnce(&Run<'_, 'a>) -> Result<T>,
) -> Result<T> {
    let budget = Budget::new(cx);
    budget.steps.set(steps);
    evaluate(&Run::new(cx, &budget))
}

/// What is left to one evaluation, and what it has built.
pub(super) struct Budget<'a> {
    steps: Cell<usize>,
    bytes: Cell<usize>,
    /// Bytes of the arena when the evaluation began.
    arena: Cell<usize>,
    /// Containers of the record, so that a macro does not build one for every element of another.
    pub(super) built: [Cell<Option<(Source, u16, Val<'a>)>>; 4],
}

impl<'a> Budget<'a> {
    fn new(cx: &Cx<'a>) -> Budget<'a> {
        Budget {
            steps: Cell::new(STEPS_MAX),
            bytes: Cell::new(BUILT_MAX),
            arena: Cell::new(cx.bump.allocated_bytes()),
            built: Default::default(),
        }
    }

    /// All of it again, for the next evaluation of the same record.
    fn renew(&self, cx: &Cx<'a>) {
        self.steps.set(STEPS_MAX);
        self.bytes.set(BUILT_MAX);
        self.arena.set(cx.bump.allocated_bytes());
    }
}

impl<'a> Run<'_, 'a> {
    /// Whether the arena has grown too far. What is built on the way to a value counts, even if the value is small.
    pub(super) fn check_arena(&self) -> Result<()> {
        let built = self.cx.bump.allocated_bytes();
        if built.saturating_sub(self.budget.arena.get()) > 2 * BUILT_MAX {
            return Err(too_large());
        }
        Ok(())
    }

    /// Takes bytes out of the budget of this evaluation.
    pub fn spend(&self, bytes: usize) -> Result<()> {
        let left = self
            .budget
            .bytes
            .get()
            .checked_sub(bytes)
            .ok_or_else(too_large)?;
        self.budget.bytes.set(left);
        Ok(())
    }

    /// Whether a macro repeats this, so that looking at values takes steps.
    #[inline]
    pub(super) fn is_repeated(&self) -> bool {
        self.repeated
    }

    /// Takes the steps of looking at a value. Only what macros repeat can be too much: an expression is short, and looks at
    /// each value a bounded number of times.
    #[inline]
    pub fn look(&self, steps: usize) -> Result<()> {
        if self.repeated {
            self.step(steps)
        } else {
            Ok(())
        }
    }

    /// Takes steps out of the budget of this evaluation.
    pub fn step(&self, steps: usize) -> Result<()> {
        let left = self.budget.steps.get().checked_sub(steps).ok_or_else(|| {
            EvalFault::new(
                "expression_limit",
                format!("the expression took more than {STEPS_MAX} steps"),
            )
        })?;
        self.budget.steps.set(left);
        Ok(())
    }
}

pub(super) fn too_large() -> EvalFault {
    EvalFault::new(
        "expression_limit",
        format!("the expression built more than {BUILT_MAX} bytes"),
    )
}
