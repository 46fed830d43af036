//! Conditions that are watched: what `lockgate test` counts as coverage and `lockgate trace` shows. Only what is compiled
//! for these two holds probes ([`Env::probes`](super::Env::probes)); what a worker runs has none, and pays nothing.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ast::{Ast, AstKind, FoldKind};
use super::{EvalFault, Node};
use crate::codec::Val;

/// The conditions that were planted while expressions were compiled. Clones share one list.
#[derive(Clone, Debug, Default)]
pub struct Probes(Arc<Mutex<Vec<Probe>>>);

/// A watched condition: an operand of `&&` or `||`, what stands before `?`, what a macro asks of each element, or a condition as
/// a whole.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its bytes: in the expression when planted, in the file once [placed](Probes::place).
    pub span: Range<usize>,
    /// Whether it is a condition of the topology (`keep`, `when`, …) and not a part of an expression.
    pub is_whole: bool,
    /// How its evaluations came out.
    pub outcomes: Arc<Outcomes>,
}

/// How the evaluations of a condition came out.
#[derive(Debug, Default)]
pub struct Outcomes {
    is_constant: AtomicBool,
    was_true: AtomicBool,
    was_false: AtomicBool,
    has_failed: AtomicBool,
}

impl Outcomes {
    /// Whether it came out so at least once.
    pub fn was(&self, outcome: bool) -> bool {
        match outcome {
            true => self.was_true.load(Ordering::Relaxed),
            false => self.was_false.load(Ordering::Relaxed),
        }
    }

    /// Whether an evaluation ended with a fault.
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Whether it is the same for all records, so that it is never evaluated.
    pub fn is_constant(&self) -> bool {
        self.is_constant.load(Ordering::Relaxed)
    }

    /// Notes an evaluation.
    pub(super) fn note(&self, value: &Result<Val<'_>, EvalFault>) {
        let seen = match value {
            Ok(Val::Bool(true)) => &self.was_true,
            Ok(Val::Bool(false)) => &self.was_false,
            _ => &self.has_failed,
        };
        seen.store(true, Ordering::Relaxed);
    }

    fn forget(&self) {
        for seen in [&self.was_true, &self.was_false, &self.has_failed] {
            seen.store(false, Ordering::Relaxed);
        }
    }
}

impl Probes {
    /// All of them, in the order in which they were planted.
    pub fn list(&self) -> Vec<Probe> {
        self.lock().clone()
    }

    /// How many there are: a mark for [`place`](Self::place).
    pub fn mark(&self) -> usize {
        self.lock().len()
    }

    /// Moves the spans of all that were planted since the mark.
    pub fn place(&self, mark: usize, to: impl Fn(Range<usize>) -> Range<usize>) {
        for probe in self.lock().iter_mut().skip(mark) {
            probe.span = to(probe.span.clone());
        }
    }

    /// Forgets how all evaluations came out.
    pub fn forget(&self) {
        self.lock().iter().for_each(|probe| probe.outcomes.forget());
    }

    /// The node of a condition of the topology, watched; its span is all of the text.
    pub fn whole(&self, node: Node, text: &str) -> Node {
        let outcomes = Arc::<Outcomes>::default();
        self.lock().push(Probe {
            span: 0..text.len(),
            is_whole: true,
            outcomes: outcomes.clone(),
        });
        outcomes.watch(node)
    }

    /// Plants a probe at every operand of `&&` and `||`, at every condition of `?:`, and at what macros ask of each element.
    pub(super) fn plant(&self, ast: &mut Ast) {
        match &mut ast.kind {
            AstKind::And(a, b) | AstKind::Or(a, b) => {
                self.condition(a);
                self.condition(b);
            }
            AstKind::Cond(condition, a, b) => {
                self.condition(condition);
                self.plant(a);
                self.plant(b);
            }
            AstKind::Fold(fold) => {
                self.plant(&mut fold.over);
                if let Some(filter) = &mut fold.filter {
                    self.condition(filter);
                }
                match fold.kind {
                    FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne => {
                        self.condition(&mut fold.body);
                    }
                    FoldKind::Map | FoldKind::TransformMap | FoldKind::TransformMapEntry => {
                        self.plant(&mut fold.body);
                    }
                }
            }
            kind => kind
                .parts_mut()
                .into_iter()
                .for_each(|part| self.plant(part)),
        }
    }

    /// Plants a probe at a condition; where it is made of others, at those: their outcomes imply its own.
    fn condition(&self, ast: &mut Ast) {
        let mut inner = &*ast;
        while let AstKind::Not(of) = &inner.kind {
            inner = of;
        }
        let is_joined = matches!(inner.kind, AstKind::And(..) | AstKind::Or(..));
        self.plant(ast);
        if is_joined {
            return;
        }
        let mut list = self.lock();
        let outcomes = Arc::<Outcomes>::default();
        list.push(Probe {
            span: ast.span.0..ast.span.1,
            is_whole: false,
            outcomes: outcomes.clone(),
        });
        let span = ast.span;
        let of = std::mem::replace(ast, Ast::new(AstKind::List(Vec::new()), span));
        ast.kind = AstKind::Watched(Box::new(of), outcomes);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Probe>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcomes {
    /// The node, watched, unless it is a constant.
    pub(super) fn watch(self: Arc<Outcomes>, node: Node) -> Node {
        if let Node::Const(_) = node {
            self.is_constant.store(true, Ordering::Relaxed);
            return node;
        }
        Node::Watched(Box::new(node), self)
    }
}

/// Two nodes of a syntax tree are the same whoever watches them.
impl PartialEq for Outcomes {
    fn eq(&self, _: &Outcomes) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Const, Env, Facts, Wants, compile};
    use super::*;

    #[test]
    fn every_operand_and_every_choice_is_watched_and_joined_ones_in_their_parts() {
        let probes = Probes::default();
        let env = Env {
            vars: vec![("on".to_owned(), Const::Bool(true))],
            probes: Some(probes.clone()),
            ..Env::default()
        };
        let text = "!(meta.topic == 'a' && meta.offset > 1) || (vars.on ? meta.offset == 2 : [1].exists(x, x == 1 || x == meta.offset))";
        compile(text, &env, &mut Wants::new(), &Facts::none()).unwrap();
        let watched: Vec<_> = probes
            .list()
            .iter()
            .map(|probe| {
                (
                    text[probe.span.clone()].to_owned(),
                    probe.outcomes.is_constant(),
                )
            })
            .collect();
        let expected = [
            ("meta.topic == 'a'", false),
            ("meta.offset > 1", false),
            ("vars.on", true),
            ("x == 1", false),
            ("x == meta.offset", false),
            (
                "vars.on ? meta.offset == 2 : [1].exists(x, x == 1 || x == meta.offset)",
                false,
            ),
        ];
        let expected = expected.map(|(text, is_constant)| (text.to_owned(), is_constant));
        assert_eq!(watched, expected);
    }

    #[test]
    fn what_macros_ask_of_each_element_is_watched() {
        let watched = |text: &str| {
            let probes = Probes::default();
            let env = Env {
                probes: Some(probes.clone()),
                ..Env::default()
            };
            compile(text, &env, &mut Wants::new(), &Facts::none()).unwrap();
            let spans = probes.list().into_iter().map(|probe| probe.span);
            spans.map(|span| text[span].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(watched("[1].all(x, x > meta.offset)"), ["x > meta.offset"]);
        assert_eq!(
            watched("[1].filter(x, !(x > 1 || x < meta.offset)).map(x, x > 3, x + 1)"),
            ["x > 1", "x < meta.offset", "x > 3"]
        );
        assert_eq!(
            watched("{'a': 1}.transformMap(k, v, v == meta.offset, [v].exists_one(w, w == 1))"),
            ["v == meta.offset", "w == 1"]
        );
        assert_eq!(watched("[1].map(x, x + meta.offset)"), [""; 0]);
    }
}
