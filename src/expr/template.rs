//! Text with expressions in it: `orders.${out.region}`. Everywhere a topology takes text that is not an expression by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::lex::{Kind, Lexer};

use super::eval::{constant, mismatch};
use super::functions::{self, Call};
use super::proof::Finding;
use super::{
    Compiled, Const, Cx, Env, EvalFault, ExprFault, Facts, Node, Probes, Type, Wants, compile, eval,
};
use crate::codec::Val;

/// A checked template. `$${` stands for `${`.
#[derive(Clone, Debug)]
pub struct Template {
    /// Text and expressions in order, no two texts next to each other.
    pub parts: Vec<Part>,
    /// Reason codes that an evaluation can end with, sorted.
    pub can_fail: Vec<&'static str>,
    /// Where it can fail, and which of its conditions are decided.
    pub findings: Vec<Finding>,
    /// Full paths that are read.
    pub reads: BTreeSet<String>,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub enum Part {
    /// As it is.
    Text(Arc<str>),
    /// A value written as text.
    Value(Node),
}

impl Template {
    /// Checks a template; the spans of faults are bytes of the whole text.
    ///
    /// # Errors
    /// All faults of all expressions in it.
    pub fn compile(
        text: &str,
        env: &Env,
        wants: &mut Wants,
        facts: &Facts,
    ) -> Result<Template, Vec<ExprFault>> {
        let mut template = Template {
            parts: Vec::new(),
            can_fail: Vec::new(),
            findings: Vec::new(),
            reads: BTreeSet::new(),
        };
        let (mut faults, mut literal, mut at) = (Vec::new(), String::new(), 0);
        while let Some(found) = text[at..].find("${").map(|found| found + at) {
            if text[at..found].ends_with('$') {
                literal.push_str(&text[at..found]);
                literal.push('{');
                at = found + 2;
                continue;
            }
            literal.push_str(&text[at..found]);
            let start = found + 2;
            let Some(len) = closing(&text[start..]) else {
                let fault =
                    ExprFault::new("expr_syntax", (found, text.len()), "`${` is not closed");
                faults.push(fault.help("close it with `}`, or write `$${` for the text `${`"));
                return Err(faults);
            };
            at = start + len + 1;
            let mark = env.probes.as_ref().map_or(0, Probes::mark);
            match value(&text[start..start + len], env, wants, facts) {
                Ok(compiled) => {
                    match compiled.as_const().and_then(constant_text) {
                        Some(known) => literal.push_str(&known),
                        None => {
                            template.push_text(&mut literal);
                            template.parts.push(Part::Value(compiled.node));
                        }
                    }
                    if let Some(probes) = &env.probes {
                        probes.place(mark, |span| span.start + start..span.end + start);
                    }
                    template.can_fail.extend(compiled.can_fail);
                    let moved = compiled.findings.into_iter().map(|finding| Finding {
                        start: finding.start + start,
                        end: finding.end + start,
                        ..finding
                    });
                    template.findings.extend(moved);
                    template.reads.extend(compiled.reads);
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| ExprFault {
                    start: fault.start + start,
                    end: fault.end + start,
                    ..fault
                })),
            }
        }
        literal.push_str(&text[at..]);
        template.push_text(&mut literal);
        template.can_fail.sort_unstable();
        template.can_fail.dedup();
        if faults.is_empty() {
            Ok(template)
        } else {
            Err(faults)
        }
    }

    /// The expressions of a template, each with the place where it begins; none behind one that is not closed.
    pub fn expressions(text: &str) -> Vec<(usize, &str)> {
        let (mut all, mut at) = (Vec::new(), 0);
        while let Some(found) = text[at..].find("${").map(|found| found + at) {
            let start = found + 2;
            if text[at..found].ends_with('$') {
                at = start;
                continue;
            }
            let Some(len) = closing(&text[start..]) else {
                break;
            };
            all.push((start, &text[start..start + len]));
            at = start + len + 1;
        }
        all
    }

    fn push_text(&mut self, literal: &mut String) {
        if !literal.is_empty() {
            self.parts.push(Part::Text(std::mem::take(literal).into()));
        }
    }

    /// The text, if there is nothing to compute.
    pub fn as_const(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What every value of the template begins with.
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether only `meta` and `vars` are read, so that the template also has a value for a tombstone.
    pub fn reads_only_meta(&self) -> bool {
        self.reads.iter().all(|path| path.starts_with("meta."))
    }

    /// The text for a record; in the arena unless it is constant.
    ///
    /// # Errors
    /// A reason code out of `can_fail`.
    pub fn eval<'a>(&'a self, cx: &Cx<'a>) -> Result<&'a str, EvalFault> {
        if let Some(text) = self.as_const() {
            return Ok(text);
        }
        let mut out = bumpalo::collections::String::new_in(cx.bump);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(node) => match eval(node, cx)? {
                    Val::Str(text) => out.push_str(text),
                    other => return Err(mismatch(&[other])),
                },
            }
        }
        Ok(out.into_bump_str())
    }
}

/// An expression whose value has one obvious text.
fn value(
    text: &str,
    env: &Env,
    wants: &mut Wants,
    facts: &Facts,
) -> Result<Compiled, Vec<ExprFault>> {
    let compiled = compile(text, env, wants, facts)?;
    let written = match &compiled.ty {
        Type::String => return Ok(compiled),
        Type::Bool
        | Type::Int
        | Type::Uint
        | Type::Decimal
        | Type::Timestamp
        | Type::Date
        | Type::TimeOfDay => functions::conversion("string", &compiled.ty),
        _ => None,
    };
    let Some(written) = written else {
        let other = &compiled.ty;
        let may_be_null = other.is_nullable();
        let code = if may_be_null {
            "nullable"
        } else {
            "type_mismatch"
        };
        let fault = ExprFault::new(
            code,
            (0, text.len()),
            format!("{other} cannot be written into text"),
        );
        let help = match other {
            Type::Optional(_) => "take its value with `.orValue(…)`",
            _ if may_be_null => "say what null becomes: `x != null ? x : \"none\"`",
            _ => "convert it with `string(…)`",
        };
        return Err(vec![fault.help(help)]);
    };
    let node = Node::Call(Box::new(Call::of(written, vec![compiled.node.clone()])));
    let node = match &compiled.node {
        Node::Const(_) => constant(&node)
            .and_then(Result::ok)
            .map_or(node, Node::Const),
        _ => node,
    };
    Ok(Compiled {
        node,
        ty: Type::String,
        ..compiled
    })
}

fn constant_text(value: &Const) -> Option<Arc<str>> {
    match value {
        Const::Str(text) => Some(text.clone()),
        _ => None,
    }
}

/// Bytes up to the `}` that closes an expression: not one within text, a map or a comment.
fn closing(text: &str) -> Option<usize> {
    let mut lexer = Lexer::new(text);
    let mut open = 0_usize;
    loop {
        // Text that is not closed within the braces, or a stray character, which the parser will name.
        let Ok(token) = lexer.next() else {
            return text.find('}');
        };
        match token.kind {
            Kind::End => return None,
            Kind::Sign("{") => open += 1,
            Kind::Sign("}") if open == 0 => return Some(token.span.0),
            Kind::Sign("}") => open -= 1,
            _ => {}
        }
    }
}
