//! Functions: one table of their types, and the choice of the one that a call means.

use regex::RegexBuilder;

use super::ast::{Ast, AstKind, Span};
use super::check::{Checker, Typed, article};
use super::func::{Func, Part};
use super::path::closest;
use super::{Const, ExprFault, Facts, Node, Type, eval};

/// Bytes of a compiled pattern; the engine is linear in the text, this bounds the constant.
const PATTERN_MAX: usize = 1 << 20;

/// A type in the table.
#[derive(Clone, Copy, PartialEq, Debug)]
enum T {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Decimal,
    Time,
    Duration,
    Date,
    Clock,
    List,
    Texts,
    Map,
}

impl T {
    fn ty(self) -> Type {
        match self {
            T::Bool => Type::Bool,
            T::Int => Type::Int,
            T::Uint => Type::Uint,
            T::Double => Type::Double,
            T::Text => Type::String,
            T::Bytes => Type::Bytes,
            T::Decimal => Type::Decimal,
            T::Time => Type::Timestamp,
            T::Duration => Type::Duration,
            T::Date => Type::Date,
            T::Clock => Type::TimeOfDay,
            T::List => Type::List(Box::new(Type::Dyn)),
            T::Texts => Type::List(Box::new(Type::String)),
            T::Map => Type::Map(Box::new(Type::Dyn), Box::new(Type::Dyn)),
        }
    }

    fn takes(self, ty: &Type) -> bool {
        match (self, ty) {
            (_, Type::Dyn | Type::Never) | (T::List, Type::List(_)) | (T::Map, Type::Map(..)) => {
                true
            }
            (T::Texts, Type::List(item)) => {
                matches!(**item, Type::String | Type::Dyn | Type::Never)
            }
            (T::List | T::Map | T::Texts, _) => false,
            (this, ty) => this.ty() == *ty,
        }
    }
}

/// How a function is called.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// `f(x)`
    Global,
    /// `x.f()`
    Member,
    Both,
}

struct Signature {
    name: &'static str,
    style: Style,
    params: &'static [T],
    func: Func,
    result: T,
    reasons: &'static [&'static str],
}

const fn global(
    name: &'static str,
    params: &'static [T],
    func: Func,
    result: T,
    reasons: &'static [&'static str],
) -> Signature {
    Signature {
        name,
        style: Style::Global,
        params,
        func,
        result,
        reasons,
    }
}

const fn member(
    name: &'static str,
    params: &'static [T],
    func: Func,
    result: T,
    reasons: &'static [&'static str],
) -> Signature {
    Signature {
        name,
        style: Style::Member,
        params,
        func,
        result,
        reasons,
    }
}

const fn part(name: &'static str, params: &'static [T], part: Part) -> Signature {
    let reasons: &[&str] = if params.len() == 2 {
        &["bad_timezone", "time_range"]
    } else {
        &[]
    };
    member(name, params, Func::Part(part), T::Int, reasons)
}

const SIZE: &[&[T]] = &[&[T::Text], &[T::Bytes], &[T::List], &[T::Map]];

const fn size(at: usize) -> Signature {
    Signature {
        name: "size",
        style: Style::Both,
        params: SIZE[at],
        func: Func::Size,
        result: T::Int,
        reasons: &[],
    }
}

const INDEX: &[&str] = &["index_out_of_range"];
const NUMBER: &[&str] = &["bad_number"];
const LIMIT: &[&str] = &["expression_limit"];
const OVERFLOW: &[&str] = &["int_overflow"];

#[rustfmt::skip]
static FUNCTIONS: &[Signature] = &[
    size(0), size(1), size(2), size(3),
    member("contains", &[T::Text, T::Text], Func::Contains, T::Bool, &[]),
    member("startsWith", &[T::Text, T::Text], Func::StartsWith, T::Bool, &[]),
    member("endsWith", &[T::Text, T::Text], Func::EndsWith, T::Bool, &[]),
    member("lowerAscii", &[T::Text], Func::LowerAscii, T::Text, &[]),
    member("upperAscii", &[T::Text], Func::UpperAscii, T::Text, &[]),
    member("trim", &[T::Text], Func::Trim, T::Text, &[]),
    member("charAt", &[T::Text, T::Int], Func::CharAt, T::Text, INDEX),
    member("indexOf", &[T::Text, T::Text], Func::IndexOf, T::Int, &[]),
    member("indexOf", &[T::Text, T::Text, T::Int], Func::IndexOf, T::Int, INDEX),
    member("lastIndexOf", &[T::Text, T::Text], Func::LastIndexOf, T::Int, &[]),
    member("lastIndexOf", &[T::Text, T::Text, T::Int], Func::LastIndexOf, T::Int, INDEX),
    member("substring", &[T::Text, T::Int], Func::Substring, T::Text, INDEX),
    member("substring", &[T::Text, T::Int, T::Int], Func::Substring, T::Text, INDEX),
    member("replace", &[T::Text, T::Text, T::Text], Func::Replace, T::Text, LIMIT),
    member("replace", &[T::Text, T::Text, T::Text, T::Int], Func::Replace, T::Text, LIMIT),
    member("split", &[T::Text, T::Text], Func::Split, T::Texts, LIMIT),
    member("split", &[T::Text, T::Text, T::Int], Func::Split, T::Texts, LIMIT),
    member("join", &[T::Texts], Func::Join, T::Text, LIMIT),
    member("join", &[T::Texts, T::Text], Func::Join, T::Text, LIMIT),
    global("bool", &[T::Bool], Func::ToBool, T::Bool, &[]),
    global("bool", &[T::Text], Func::ToBool, T::Bool, &["bad_bool"]),
    global("int", &[T::Int], Func::ToInt, T::Int, &[]),
    global("int", &[T::Uint], Func::ToInt, T::Int, OVERFLOW),
    global("int", &[T::Double], Func::ToInt, T::Int, OVERFLOW),
    global("int", &[T::Decimal], Func::ToInt, T::Int, OVERFLOW),
    global("int", &[T::Text], Func::ToInt, T::Int, NUMBER),
    global("int", &[T::Time], Func::ToInt, T::Int, &[]),
    global("uint", &[T::Uint], Func::ToUint, T::Uint, &[]),
    global("uint", &[T::Int], Func::ToUint, T::Uint, OVERFLOW),
    global("uint", &[T::Double], Func::ToUint, T::Uint, OVERFLOW),
    global("uint", &[T::Decimal], Func::ToUint, T::Uint, OVERFLOW),
    global("uint", &[T::Text], Func::ToUint, T::Uint, NUMBER),
    global("double", &[T::Double], Func::ToDouble, T::Double, &[]),
    global("double", &[T::Int], Func::ToDouble, T::Double, &[]),
    global("double", &[T::Uint], Func::ToDouble, T::Double, &[]),
    global("double", &[T::Decimal], Func::ToDouble, T::Double, &[]),
    global("double", &[T::Text], Func::ToDouble, T::Double, NUMBER),
    global("decimal", &[T::Decimal], Func::ToDecimal, T::Decimal, &[]),
    global("decimal", &[T::Int], Func::ToDecimal, T::Decimal, &[]),
    global("decimal", &[T::Uint], Func::ToDecimal, T::Decimal, &[]),
    global("decimal", &[T::Text], Func::ToDecimal, T::Decimal, &["bad_number", "decimal_overflow"]),
    global("string", &[T::Text], Func::ToText, T::Text, &[]),
    global("string", &[T::Bool], Func::ToText, T::Text, &[]),
    global("string", &[T::Int], Func::ToText, T::Text, &[]),
    global("string", &[T::Uint], Func::ToText, T::Text, &[]),
    global("string", &[T::Double], Func::ToText, T::Text, &[]),
    global("string", &[T::Decimal], Func::ToText, T::Text, &[]),
    global("string", &[T::Time], Func::ToText, T::Text, &[]),
    global("string", &[T::Duration], Func::ToText, T::Text, &[]),
    global("string", &[T::Bytes], Func::ToText, T::Text, &["bad_utf8"]),
    global("string", &[T::Date], Func::DateToText, T::Text, &["time_range"]),
    global("string", &[T::Clock], Func::ClockToText, T::Text, &[]),
    global("bytes", &[T::Bytes], Func::ToBytes, T::Bytes, &[]),
    global("bytes", &[T::Text], Func::ToBytes, T::Bytes, &[]),
    global("timestamp", &[T::Time], Func::ToTimestamp, T::Time, &[]),
    global("timestamp", &[T::Date], Func::DateToTimestamp, T::Time, &["time_range"]),
    global("timestamp", &[T::Int], Func::ToTimestamp, T::Time, &["time_range"]),
    global("timestamp", &[T::Text], Func::ToTimestamp, T::Time, &["bad_timestamp"]),
    global("duration", &[T::Duration], Func::ToDuration, T::Duration, &[]),
    global("duration", &[T::Text], Func::ToDuration, T::Duration, &["bad_duration"]),
    global("date", &[T::Time], Func::TimestampToDate, T::Date, &[]),
    global("date", &[T::Text], Func::TextToDate, T::Date, &["bad_timestamp"]),
    part("getFullYear", &[T::Time], Part::Year),
    part("getFullYear", &[T::Time, T::Text], Part::Year),
    part("getMonth", &[T::Time], Part::Month),
    part("getMonth", &[T::Time, T::Text], Part::Month),
    part("getDate", &[T::Time], Part::Date),
    part("getDate", &[T::Time, T::Text], Part::Date),
    part("getDayOfMonth", &[T::Time], Part::DayOfMonth),
    part("getDayOfMonth", &[T::Time, T::Text], Part::DayOfMonth),
    part("getDayOfWeek", &[T::Time], Part::DayOfWeek),
    part("getDayOfWeek", &[T::Time, T::Text], Part::DayOfWeek),
    part("getDayOfYear", &[T::Time], Part::DayOfYear),
    part("getDayOfYear", &[T::Time, T::Text], Part::DayOfYear),
    part("getHours", &[T::Time], Part::Hours),
    part("getHours", &[T::Time, T::Text], Part::Hours),
    part("getHours", &[T::Duration], Part::Hours),
    part("getMinutes", &[T::Time], Part::Minutes),
    part("getMinutes", &[T::Time, T::Text], Part::Minutes),
    part("getMinutes", &[T::Duration], Part::Minutes),
    part("getSeconds", &[T::Time], Part::Seconds),
    part("getSeconds", &[T::Time, T::Text], Part::Seconds),
    part("getSeconds", &[T::Duration], Part::Seconds),
    part("getMilliseconds", &[T::Time], Part::Milliseconds),
    part("getMilliseconds", &[T::Time, T::Text], Part::Milliseconds),
    part("getMilliseconds", &[T::Duration], Part::Milliseconds),
];

impl Checker<'_> {
    pub fn call(
        &mut self,
        name: &str,
        target: Option<&Ast>,
        args: &[Ast],
        span: Span,
        facts: &Facts,
    ) -> Option<Typed> {
        let known = |name: &str| {
            matches!(name, "matches" | "dyn") || FUNCTIONS.iter().any(|one| one.name == name)
        };
        if !known(name) {
            return self.unknown(name, target, span);
        }
        let all: Vec<_> = target
            .into_iter()
            .chain(args)
            .map(|arg| self.expr(arg, facts))
            .collect();
        let mut all = all.into_iter().collect::<Option<Vec<_>>>()?;
        if name == "dyn" && target.is_none() && all.len() == 1 {
            let typed = all.remove(0);
            return Some(Typed {
                ty: Type::Dyn,
                span,
                ..typed
            });
        }
        let mut present = Vec::with_capacity(all.len());
        for typed in all {
            // A part of a day is the part of its first instant.
            let typed = self.non_null(typed)?;
            let typed = if name.starts_with("get") {
                self.instant(typed)?
            } else {
                typed
            };
            present.push(typed);
        }
        if name == "matches" {
            return self.matches(present, span);
        }
        let types: Vec<&Type> = present.iter().map(|typed| &typed.ty).collect();
        let fits = |one: &&Signature| {
            let style = match target {
                Some(_) => one.style != Style::Global,
                None => one.style != Style::Member,
            };
            let params = one.params.len() == types.len();
            one.name == name
                && style
                && params
                && one
                    .params
                    .iter()
                    .zip(&types)
                    .all(|(param, ty)| param.takes(ty))
        };
        let Some(signature) = FUNCTIONS.iter().find(fits) else {
            let given = types
                .iter()
                .map(|ty| article(ty))
                .collect::<Vec<_>>()
                .join(", ");
            let given = if given.is_empty() {
                "nothing".into()
            } else {
                given
            };
            let fault = ExprFault::new(
                "no_such_function",
                span,
                format!("`{name}` cannot be called with {given}"),
            );
            return self.fault(fault.help(format!("it is called as {}", signatures(name))));
        };
        let dynamic = |ty: &&Type| match ty {
            Type::Dyn => true,
            // The elements may not be text.
            Type::List(item) => name == "join" && **item == Type::Dyn,
            _ => false,
        };
        if types.iter().any(dynamic) {
            self.can_fail.insert("no_such_overload");
            self.can_fail.extend(
                FUNCTIONS
                    .iter()
                    .filter(|one| one.name == name)
                    .flat_map(|one| one.reasons),
            );
        }
        let converts = matches!(
            signature.func,
            Func::ToDecimal
                | Func::ToTimestamp
                | Func::ToDuration
                | Func::TextToDate
                | Func::Part(_)
        );
        let nodes = present
            .into_iter()
            .map(|typed| self.node(typed))
            .collect::<Option<Vec<_>>>()?;
        let constant = nodes.iter().all(|node| matches!(node, Node::Const(_)));
        let zone = matches!(signature.func, Func::Part(_)) && nodes.len() == 2;
        if zone
            && let Node::Const(Const::Str(text)) = &nodes[1]
            && super::time::parse_offset(text).is_none()
        {
            let message = format!("\"{text}\" is not a fixed offset");
            let fault = ExprFault::new("bad_constant", span, message);
            return self.fault(fault.help("write an offset such as \"+02:00\", or \"UTC\""));
        }
        let node = Node::Call(signature.func, nodes);
        if constant
            && converts
            && let Some(Err(fault)) = eval::constant(&node)
        {
            return self.fault(ExprFault::new(
                "bad_constant",
                span,
                format!("this can never be: {}", fault.message),
            ));
        }
        Some(self.folded(node, signature.result.ty(), span, signature.reasons))
    }

    fn matches(&mut self, mut args: Vec<Typed>, span: Span) -> Option<Typed> {
        let [of, pattern] = &args[..] else {
            let fault = ExprFault::new(
                "no_such_function",
                span,
                "`matches` takes a text and a pattern",
            );
            return self.fault(fault.help("it is called as `text.matches(\"pattern\")`"));
        };
        if !T::Text.takes(&of.ty) {
            let message = format!("`matches` looks into text, this is {}", article(&of.ty));
            return self.fault(ExprFault::new("type_mismatch", of.span, message));
        }
        if of.ty == Type::Dyn {
            self.can_fail.insert("no_such_overload");
        }
        let place = pattern.span;
        let Some(Const::Str(text)) = pattern.constant() else {
            let fault = ExprFault::new("bad_pattern", place, "the pattern must be a constant text");
            return self
                .fault(fault.help("patterns are compiled once, when the topology is checked"));
        };
        let compiled = RegexBuilder::new(text)
            .size_limit(PATTERN_MAX)
            .dfa_size_limit(PATTERN_MAX)
            .nest_limit(50)
            .build();
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(error) => {
                // The last line of the engine's message says what is wrong, those before draw the pattern.
                let text = error.to_string();
                let reason = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                let fault = ExprFault::new(
                    "bad_pattern",
                    place,
                    format!("the pattern cannot be used: {reason}"),
                );
                return self
                    .fault(fault.help("the syntax is RE2's: no look-around, no back-references"));
            }
        };
        let of = Box::new(self.node(args.swap_remove(0))?);
        Some(self.folded(Node::Matches(of, compiled), Type::Bool, span, &[]))
    }

    fn unknown(&mut self, name: &str, target: Option<&Ast>, span: Span) -> Option<Typed> {
        let full = match target.map(|target| &target.kind) {
            Some(AstKind::Ident(space))
                if !matches!(space.as_str(), "event" | "out" | "meta" | "vars") =>
            {
                format!("{space}.{name}")
            }
            _ => name.to_owned(),
        };
        let fault = ExprFault::new(
            "no_such_function",
            span,
            format!("there is no function `{full}`"),
        );
        let macros = [
            "has",
            "all",
            "exists",
            "exists_one",
            "map",
            "filter",
            "matches",
        ];
        let names = FUNCTIONS.iter().map(|one| one.name).chain(macros);
        let fault = match (closest(name, names), name) {
            _ if macros.contains(&name) => fault.help(match name {
                "has" => "it is called as `has(path.field)`".into(),
                _ => format!(
                    "it is called as `list.{name}(x, …)`, with the name of a variable first"
                ),
            }),
            (_, "toLowerCase" | "lower" | "downcase") => fault.help("did you mean `lowerAscii`?"),
            (_, "toUpperCase" | "upper" | "upcase") => fault.help("did you mean `upperAscii`?"),
            (_, "length" | "len" | "count") => fault.help("did you mean `size`?"),
            (Some(near), _) => fault.help(format!("did you mean `{near}`?")),
            _ => fault,
        };
        self.fault(fault)
    }
}

/// The ways in which a function can be called, for a help line.
fn signatures(name: &str) -> String {
    let written = FUNCTIONS.iter().filter(|one| one.name == name).map(|one| {
        let params: Vec<_> = one
            .params
            .iter()
            .map(|param| param.ty().to_string())
            .collect();
        match one.style {
            Style::Member => format!("`{}.{name}({})`", params[0], params[1..].join(", ")),
            _ => format!("`{name}({})`", params.join(", ")),
        }
    });
    written.take(6).collect::<Vec<_>>().join(", ")
}
