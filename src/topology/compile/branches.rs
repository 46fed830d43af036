//! Unions of several types: for which of their branches an expression has no meaning.

use super::Compiler;
use super::source::Scope;
use crate::expr::proof::FindingKind;
use crate::expr::{self, Compiled, Source, Target, Type, Wants};
use crate::schema::Kind;
use crate::topology::fault::Severity;
use crate::topology::spec::Text;

/// Branches of one union that are tried.
const BRANCHES_MAX: usize = 16;

impl Compiler<'_> {
    /// Compiles the expression once more for each branch of each union that it reads, and tells of the parts that have no
    /// meaning then. What was found of them without that is taken away: it says less.
    pub(super) fn branches(
        &mut self,
        text: &Text,
        compiled: &mut Compiled,
        target: Option<Target>,
        scope: &Scope,
    ) {
        if !compiled.can_fail.contains(&"no_such_overload") {
            return;
        }
        let open = |kind: &FindingKind| *kind == FindingKind::CanFail("no_such_overload");
        let parts: Vec<(usize, usize)> = compiled
            .findings
            .iter()
            .filter(|finding| open(&finding.kind))
            .map(|finding| (finding.start, finding.end))
            .collect();
        let mut told = Vec::new();
        for (path, branch) in unions(compiled, scope) {
            let mut env = scope.env.clone();
            env.probes = None;
            env.supposed.push((path.clone(), branch.clone()));
            let mut wants: Wants = scope.wants.clone();
            let compiled = expr::compile_for(&text.value, &env, &mut wants, &scope.facts, target);
            let Err(faults) = compiled else {
                continue;
            };
            for fault in faults {
                let within =
                    |(start, end): &&(usize, usize)| fault.start >= *start && fault.end <= *end;
                let Some(part) = parts.iter().find(within) else {
                    continue;
                };
                told.push(*part);
                let span = self.within(text, fault.start..fault.end);
                let message = format!(
                    "`{path}` can be {}, and then: {}",
                    expr::proof::article(&branch),
                    fault.message
                );
                let help = "what becomes of it then is a dead letter, `no_such_overload`: convert the value, or keep such \
                    events out";
                self.told(Severity::Warning, "unhandled_branch", &span, message, help);
            }
        }
        compiled.findings.retain(|finding| {
            !(open(&finding.kind) && told.contains(&(finding.start, finding.end)))
        });
    }
}

/// The unions of several types that an expression reads, by their paths, with each of their types.
fn unions(compiled: &Compiled, scope: &Scope) -> Vec<(String, Type)> {
    let seen = scope.seen();
    let mut found: Vec<(String, Type)> = Vec::new();
    let mut open = vec![&compiled.node];
    while let Some(node) = open.pop() {
        open.extend(node.children());
        let expr::Node::Slot {
            source: Source::Value,
            slot,
            ..
        } = node
        else {
            continue;
        };
        let (Some((schema, place)), Some(path)) = (
            seen.place(Source::Value, *slot),
            seen.name(Source::Value, *slot),
        ) else {
            continue;
        };
        let Kind::Union(branches) = &schema.node(place).kind else {
            continue;
        };
        if found.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let types = branches
            .iter()
            .take(BRANCHES_MAX)
            .map(|branch| Type::of(schema, *branch))
            .filter(|ty| *ty != Type::Null);
        found.extend(types.map(|ty| (path.clone(), ty)));
    }
    found
}
