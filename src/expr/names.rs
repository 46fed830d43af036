//! Names with dots: variables of a dialect, in its container, and the names of types.

use super::ast::{Ast, AstKind, Span};
use super::check::{Checker, Typed};
use super::{Const, Node, Type};

/// What types are called as values.
const TYPES: [&str; 14] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
    "decimal",
    "optional_type",
    "google.protobuf.Duration",
    "google.protobuf.Timestamp",
];

impl Checker<'_> {
    /// The variable of this name: the one in the innermost namespace of the container.
    pub fn variable(&self, name: &str, span: Span) -> Option<Typed> {
        let dialect = &self.env.dialect;
        let named = |full: &str| dialect.variables.iter().find(|one| one.name == full);
        let found = in_container(&dialect.container, name, named)?;
        Some(Typed::new(Node::Reg(found.reg), found.ty.clone(), span))
    }

    /// The variable or type that a path of names is as a whole, if its first is not a variable of a macro.
    pub fn qualified(&self, of: &Ast, field: &str, span: Span) -> Option<Typed> {
        let path = self.dotted(of)?;
        let name = format!("{path}.{field}");
        self.variable(&name, span)
            .or_else(|| self.type_named(&name, span))
    }

    /// What facts call a path of names and constant keys, if it is one: the same text for the same value.
    pub fn place(&self, ast: &Ast) -> Option<String> {
        match &ast.kind {
            AstKind::Ident(name) => Some(match self.local(name) {
                Some(up) => format!("{name}#{}", self.locals.len() - 1 - up),
                None => name.clone(),
            }),
            AstKind::Select {
                of,
                field,
                optional,
            } => {
                let of = self.place(of)?;
                Some(format!("{of}.{}{field}", if *optional { "?" } else { "" }))
            }
            AstKind::Index {
                of,
                index,
                optional,
            } => {
                let AstKind::Literal(key) = &index.kind else {
                    return None;
                };
                let of = self.place(of)?;
                let sign = if *optional { "?" } else { "" };
                Some(match key {
                    Const::Str(key) => format!("{of}.{sign}{key}"),
                    key => format!("{of}[{sign}{key:?}]"),
                })
            }
            _ => None,
        }
    }

    /// What facts call the value of a key.
    pub fn key(&self, of: &Ast, key: &str) -> Option<String> {
        self.place(of).map(|of| format!("{of}.{key}"))
    }

    /// A type as a value.
    pub fn type_named(&self, name: &str, span: Span) -> Option<Typed> {
        let known = |full: &str| TYPES.into_iter().find(|known| *known == full);
        let found = in_container(&self.env.dialect.container, name, known)?;
        let node = Node::Const(Const::Type(found));
        Some(Typed::new(node, Type::Type, span))
    }

    /// The names of a path, with dots, if its first is not a variable of a macro.
    pub fn dotted(&self, ast: &Ast) -> Option<String> {
        match &ast.kind {
            AstKind::Ident(name) if self.local(name).is_none() => Some(name.clone()),
            AstKind::Select {
                of,
                field,
                optional: false,
            } => self.dotted(of).map(|path| format!("{path}.{field}")),
            _ => None,
        }
    }
}

/// What is found under a name in a container: in `a.b` the name `x` is `a.b.x`, `a.x` or `x`; `.x` is `x` alone.
pub(super) fn in_container<T>(
    container: &str,
    name: &str,
    found: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    if let Some(absolute) = name.strip_prefix('.') {
        return found(absolute);
    }
    let mut space = container;
    while !space.is_empty() {
        if let Some(one) = found(&format!("{space}.{name}")) {
            return Some(one);
        }
        space = space.rsplit_once('.').map_or("", |(outer, _)| outer);
    }
    found(name)
}
