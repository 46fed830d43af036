//! Functions that use what the topology was given beside its expressions: tables and secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::ast::{Ast, AstKind, Span};
use super::super::check::{Checker, Typed, article};
use super::super::eval::{Result, Run, mismatch};
use super::super::node::Lookup;
use super::super::path::{closest, listed};
use super::super::{Const, ExprFault, Facts, Node, Type};
use super::call::Call;
use super::encode::room;
use super::prepared::Prepared;
use super::{Family, Function, named};
use crate::codec::Val;

const LIMIT: &[&str] = &["expression_limit"];

pub(super) static FAMILY: Family = Family {
    title: "Tables and secrets",
    intro: "A table is declared under `tables:` of the topology and read from a CSV or YAML file beside it, once, when the topology is checked or \
            started. A secret is a variable of the type `secret`: the configuration has a reference to it (`env:NAME`, `file:PATH`), never the value, \
            and expressions can use it as the key of these functions only. The examples have a table `countries` with the columns `name` and `vat`, and \
            a secret `vars.pii_key`.",
    functions: &[
        Function::form("lookup(string, A?, string) -> B?")
            .doc("The value of a column of a table, in the row of a key; null if there is no such row. The names of table and column are constants.")
            .examples(&[("default(lookup('countries', 'DE', 'name'), '?')", "'Germany'"), ("lookup('countries', 'XX', 'name') == null", "true")]),
        Function::form("lookup(string, A?) -> B?")
            .doc("The row of a key: the value, if the table has one column beside the key, else a map from the names of the columns to their values.")
            .examples(&[("lookup('countries', 'DE') != null", "true")]),
        Function::keyed("hash.hmac_sha256(secret, bytes) -> bytes", hmac)
            .fails(LIMIT)
            .doc("HMAC-SHA-256 with a secret, 32 bytes.")
            .examples(&[(
                "hex.encode(hash.hmac_sha256(vars.pii_key, b'The quick brown fox jumps over the lazy dog'))",
                "'f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8'",
            )]),
        Function::keyed("hash.hmac_sha256(secret, string) -> bytes", hmac)
            .fails(LIMIT)
            .doc("The same of the text in UTF-8.")
            .examples(&[("hash.hmac_sha256(vars.pii_key, 'a') == hash.hmac_sha256(vars.pii_key, b'a')", "true")]),
        Function::keyed("tokenize(secret, string) -> string", tokenize)
            .fails(LIMIT)
            .doc("A token of 32 hexadecimal digits: the same text has the same token under one secret, and without the secret the text cannot be told from it.")
            .examples(&[("tokenize(vars.pii_key, 'ann@example.org').size()", "32")]),
    ],
};

/// The state of HMAC behind its key.
#[derive(Clone)]
pub struct Key {
    state: Hmac<Sha256>,
    /// Set by every use, of a key that stands in for one that is not there.
    used: Option<Arc<AtomicBool>>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(<hidden>)")
    }
}

impl Key {
    /// The key of a secret.
    pub fn new(secret: &[u8]) -> Option<Key> {
        let state = Hmac::new_from_slice(secret).ok()?;
        Some(Key { state, used: None })
    }

    /// A key for expressions to be compiled with where the secret is not there. What comes of it is worth nothing: `used`
    /// tells whether anything did.
    pub fn stand_in(used: Arc<AtomicBool>) -> Option<Key> {
        let used = Some(used);
        Some(Key {
            used,
            ..Key::new(&[0; 32])?
        })
    }
}

fn digest(run: &Run<'_, '_>, args: &[Val], key: Option<&Prepared>) -> Result<[u8; 32]> {
    let input = match args {
        [_, Val::Str(text)] => text.as_bytes(),
        [_, Val::Bytes(bytes)] => bytes,
        other => return Err(mismatch(other)),
    };
    let Some(Prepared::Key(key)) = key else {
        return Err(mismatch(args));
    };
    if let Some(used) = &key.used {
        used.store(true, Ordering::Relaxed);
    }
    // A byte of a hash is some ten times dearer than one that is compared.
    run.step(input.len() / 64 * 10)?;
    let code = key.state.clone().chain_update(input).finalize();
    Ok(code.into_bytes().into())
}

fn hmac<'a>(run: &Run<'_, 'a>, args: &[Val<'a>], key: Option<&'a Prepared>) -> Result<Val<'a>> {
    let digest = digest(run, args, key)?;
    let out = room(run, digest.len())?;
    out.copy_from_slice(&digest);
    Ok(Val::Bytes(out))
}

fn tokenize<'a>(run: &Run<'_, 'a>, args: &[Val<'a>], key: Option<&'a Prepared>) -> Result<Val<'a>> {
    super::encode::hex(run, &digest(run, args, key)?[..16])
}

impl Checker<'_> {
    /// A function with a key as its first argument.
    pub fn keyed(&mut self, name: &str, args: &[Ast], span: Span, facts: &Facts) -> Option<Typed> {
        let [key, of] = args else {
            return self.no_overload(name, &[], span);
        };
        let (key, of) = (self.secret(key), self.expr(of, facts));
        let (key, of) = (key?, self.non_null(of?)?);
        let types = [&Type::Null, &of.ty];
        let found = named(name)
            .iter()
            .find(|overload| of.ty != Type::Dyn && overload.signature.result(&types).is_some());
        let Some(overload) = found else {
            let message = format!("`{name}` takes text or bytes, this is {}", article(&of.ty));
            return self.fault(ExprFault::new("type_mismatch", of.span, message));
        };
        let ty = overload.signature.result(&types)?;
        let args = vec![Node::Const(Const::Null), self.node(of)?];
        let call = Call::prepared(overload, args, Prepared::Key(key));
        self.can_fail.extend(overload.function.fails);
        Some(Typed::new(Node::Call(Box::new(call)), ty, span))
    }

    /// `vars.NAME` of a secret.
    fn secret(&mut self, ast: &Ast) -> Option<Key> {
        let env = self.env;
        let names: Vec<&str> = env.given.secrets.iter().map(|(name, _)| &**name).collect();
        let named = match &ast.kind {
            AstKind::Select {
                of,
                field,
                optional: false,
            } if of.kind == AstKind::Ident("vars".into()) => Some(field),
            _ => None,
        };
        let secret =
            named.and_then(|name| env.given.secrets.iter().find(|(known, _)| known == name));
        if let Some((_, key)) = secret {
            return Some(key.clone());
        }
        if named.is_some_and(|name| env.given.broken.contains(name)) {
            return None;
        }
        let fault = ExprFault::new(
            "not_a_secret",
            ast.span,
            "the key is a variable of the type secret: `vars.NAME`",
        );
        self.fault(fault.help(match names.is_empty() {
            true => "declare it: `vars: { pii_key: { type: secret } }`, and set `vars.pii_key` in the configuration to `env:NAME` or `file:PATH`".into(),
            false => format!("the topology has {}", listed(&names)),
        }))
    }

    /// `lookup(table, key)` and `lookup(table, key, column)`.
    pub fn lookup(&mut self, args: &[Ast], span: Span, facts: &Facts) -> Option<Typed> {
        let all: Vec<_> = args.iter().map(|arg| self.expr(arg, facts)).collect();
        let all = all.into_iter().collect::<Option<Vec<_>>>()?;
        let mut all = all.into_iter();
        let (Some(name), Some(key), column, None) =
            (all.next(), all.next(), all.next(), all.next())
        else {
            return self.no_overload("lookup", &[], span);
        };
        let env = self.env;
        let names: Vec<&str> = env.given.tables.iter().map(|table| &*table.name).collect();
        let table = self.constant_name(&name, "unknown_name", "table", &names)?;
        let table = env.given.tables.get(table)?.clone();
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| &**name).collect();
        let column = match &column {
            Some(column) => {
                Some(self.constant_name(column, "unknown_field", "column", &columns)?)
            }
            None if columns.len() == 1 => Some(0),
            None => None,
        };
        let key_type = table.key();
        match key.ty.non_null() {
            Type::Dyn => {
                self.can_fail.insert("no_such_overload");
            }
            ty if *ty == key_type || *ty == Type::Null => {}
            ty => {
                let message = format!(
                    "the key of the table `{}` is {}, this is {}",
                    table.name,
                    article(&key_type),
                    article(ty)
                );
                return self.fault(ExprFault::new("type_mismatch", key.span, message));
            }
        }
        let ty = match column {
            Some(at) => table.columns[at].1.clone().nullable(),
            None => Type::Map(Box::new(Type::String), Box::new(Type::Dyn)).nullable(),
        };
        if column.is_none() {
            self.can_fail.insert("expression_limit");
        }
        let key = self.node(key)?;
        let node = Node::Lookup(Box::new(Lookup { table, key, column }));
        Some(Typed::new(node, ty, span))
    }

    /// Which of the names a constant text is.
    fn constant_name(
        &mut self,
        typed: &Typed,
        code: &'static str,
        what: &str,
        names: &[&str],
    ) -> Option<usize> {
        let Some(Const::Str(text)) = typed.constant() else {
            let message = format!("the name of a {what} is a constant text");
            return self.fault(ExprFault::new("type_mismatch", typed.span, message));
        };
        if let Some(at) = names.iter().position(|name| *name == &**text) {
            return Some(at);
        }
        let fault = ExprFault::new(code, typed.span, format!("there is no {what} `{text}`"));
        self.fault(fault.help(match closest(text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "declare it under `tables:`".into(),
            None => format!("there are {}", listed(names)),
        }))
    }
}

/// Evaluates a lookup.
pub(in super::super) fn look_up<'a>(run: &Run<'_, 'a>, lookup: &'a Lookup) -> Result<Val<'a>> {
    let key = run.eval(&lookup.key)?;
    let fits = match lookup.table.key() {
        Type::Int => matches!(key, Val::Int(_) | Val::Null),
        _ => matches!(key, Val::Str(_) | Val::Null),
    };
    if !fits {
        return Err(mismatch(&[key]));
    }
    let Some(row) = lookup.table.row(key) else {
        return Ok(Val::Null);
    };
    if let Some(at) = lookup.column {
        return Ok(row[at].val());
    }
    run.spend(row.len() * 2 * size_of::<Val>())?;
    let names = lookup.table.columns.iter().map(|(name, _)| Val::Str(name));
    let entries = names.zip(row).map(|(name, value)| (name, value.val()));
    Ok(Val::Map(run.cx.bump.alloc_slice_fill_iter(entries)))
}
