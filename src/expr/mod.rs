//! CEL over typed slots: parse, infer types from the schemas, compile to a typed node tree that reads slots. Pure.
//!
//! ```text
//! text ─ parse ─► Ast (spans) ─ check (Env, Facts) ─► Node + Type + Facts + can_fail ─ eval (Cx) ─► Val
//! ```
//!
//! Everything that can be known from the schemas is decided in `check`: names, types, nullability, which columns of
//! `event.before` are real. What is left for a record are faults of its values (overflow, division by zero, text that
//! is not a time); each of them has a reason code and is listed in [`Compiled::can_fail`].

mod access;
mod arith;
mod arithmetic;
mod ast;
mod budget;
mod check;
mod codes;
mod containers;
mod cx;
mod env;
mod eval;
mod facts;
mod fault;
mod fold;
mod functions;
mod left_out;
mod lex;
mod logic;
mod macros;
mod names;
mod node;
mod nulls;
mod operators;
mod optional;
mod parse;
mod path;
mod paths;
mod probe;
pub mod proof;
mod read;
mod record;
mod show;
mod table;
mod template;
mod texts;
mod time;
mod types;
mod value;
mod wants;
mod written;

pub use budget::Evaluator;
pub use codes::{Code, FAULTS, REASONS};
pub use cx::{Cx, Datum};
pub use env::{
    BeforeColumns, Binding, BrokenOut, Dialect, Env, Envelope, EventEnv, Given, KeyEnv, Meta,
    OutField, Variable,
};
pub use eval::eval;
pub use facts::Facts;
pub use fault::{EvalFault, ExprFault, Told};
pub use functions::{Call, Key, reference};
pub use node::{Arith, Compiled, Const, Fold, FoldKind, MetaField, Node, Order, Set, Source, Wrap};
pub use paths::{paths, schemas};
pub use probe::{Outcomes, Probe, Probes};
pub use show::to_json;
pub use table::Table;
pub use template::{Part as TemplatePart, Template};
pub use texts::Texts;
pub use types::{Type, View};
pub use wants::Wants;
pub use written::{Entry, Given as GivenField, Target, Written};

/// Checks an expression and compiles it. Slots it reads are added to `wants`; `facts` is what is known where it stands.
///
/// # Errors
/// All faults found in the text.
pub fn compile(
    text: &str,
    env: &Env,
    wants: &mut Wants,
    facts: &Facts,
) -> Result<Compiled, Vec<ExprFault>> {
    compile_for(text, env, wants, facts, None)
}

/// The same for a value that is written as a node of an output: where the output has a record, a map that is written out is one.
///
/// # Errors
/// As [`compile`]; fields of such a record that are unknown, missing or given twice.
pub fn compile_for(
    text: &str,
    env: &Env,
    wants: &mut Wants,
    facts: &Facts,
    target: Option<Target<'_>>,
) -> Result<Compiled, Vec<ExprFault>> {
    let mut ast = parse::parse(text, env.dialect.macros).map_err(|fault| vec![fault])?;
    if let Some(probes) = &env.probes {
        probes.plant(&mut ast);
    }
    check::check(&ast, env, wants, facts, target)
}

#[cfg(test)]
mod tests;
