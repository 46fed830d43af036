//! What a computed value loses, or fails with, in the type of its field.

use crate::codec::encode::Like;
use crate::expr::proof::{Extent, Number, Scope, Values, article, named};
use crate::expr::{Compiled, Const, Entry, Facts, Node, Type};
use crate::schema::{Kind, Logical, NodeId, Schema};
use crate::topology::fault::{Severity, nearest};

/// A value that may not fit its field.
#[derive(Debug)]
pub struct Narrowing {
    /// Fault code.
    pub code: &'static str,
    /// An error if no value fits.
    pub severity: Severity,
    /// What goes where, and what it may end with.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// What goes into a field.
struct Given<'a> {
    ty: &'a Type,
    extent: Extent,
    /// The node of the schema that it is read from unchanged.
    place: Option<(&'a Schema, NodeId)>,
    /// The expression; `None` for the elements of a list.
    node: Option<&'a Node>,
}

/// What may happen to a computed value in the field `field`, of the type `target`.
pub fn narrowings(
    field: &str,
    compiled: &Compiled,
    schema: &Schema,
    target: NodeId,
    scope: &Scope,
) -> Vec<Narrowing> {
    let place = match compiled.node {
        Node::Slot { source, slot, .. } => scope.place(source, slot),
        _ => None,
    };
    let place = place.map(|(schema, node)| (&**schema, node));
    of_value(
        field,
        &compiled.ty,
        &compiled.node,
        place,
        schema,
        target,
        scope,
    )
}

/// The same for an expression within what is written out.
pub fn narrowings_of(field: &str, entry: &Entry, schema: &Schema, scope: &Scope) -> Vec<Narrowing> {
    let scope = Scope {
        facts: &entry.facts,
        depth: entry.depth,
        ..*scope
    };
    let place = entry
        .source
        .as_ref()
        .map(|(schema, node)| (&**schema, *node));
    of_value(
        field,
        &entry.ty,
        &entry.node,
        place,
        schema,
        entry.target,
        &scope,
    )
}

fn of_value(
    field: &str,
    ty: &Type,
    node: &Node,
    place: Option<(&Schema, NodeId)>,
    schema: &Schema,
    target: NodeId,
    scope: &Scope,
) -> Vec<Narrowing> {
    let given = Given {
        ty: ty.non_null(),
        extent: scope.extent(node).meet(&of_type(ty.non_null())),
        place,
        node: Some(node),
    };
    let mut walk = Walk {
        field,
        schema,
        found: Vec::new(),
    };
    walk.value(&given, target, scope);
    walk.found
}

struct Walk<'a> {
    field: &'a str,
    schema: &'a Schema,
    found: Vec<Narrowing>,
}

impl Walk<'_> {
    fn found(&mut self, code: &'static str, severity: Severity, message: String, help: String) {
        if !self.found.iter().any(|one| one.code == code) {
            self.found.push(Narrowing {
                code,
                severity,
                message,
                help,
            });
        }
    }

    fn warn(&mut self, code: &'static str, message: String, help: &str) {
        self.found(code, Severity::Warning, message, help.to_owned());
    }

    fn value(&mut self, given: &Given, target: NodeId, scope: &Scope) {
        if given.extent == Extent::Empty {
            return;
        }
        let schema = self.schema;
        let (target, _) = schema.strip_null(target);
        let node = schema.node(target);
        let logical = node.logical.as_ref();
        match (given.ty, &node.kind, logical) {
            (_, Kind::Union(branches), _) => self.union(given, branches, scope),
            (
                Type::Int | Type::Uint | Type::Decimal,
                _,
                Some(Logical::Decimal { precision, scale }),
            ) => self.decimal(given, *precision, *scale),
            (
                Type::String,
                _,
                Some(logical @ (Logical::Uuid | Logical::Json | Logical::ZonedTimestamp)),
            ) => self.format(given, logical),
            (Type::String, _, Some(Logical::TextEnum { allowed })) => {
                let symbols: Vec<&str> = allowed.iter().map(String::as_str).collect();
                self.symbols(given, &symbols);
            }
            (Type::String, Kind::Enum { symbols, .. }, _) => {
                let symbols: Vec<&str> = symbols.iter().map(|symbol| &**symbol).collect();
                self.symbols(given, &symbols);
            }
            (Type::Int | Type::Uint, Kind::Int, None | Some(Logical::Other(_))) => {
                self.int(given, i32::MIN.into(), i32::MAX.into(), "an int of 32 bits");
            }
            (Type::Int | Type::Uint, Kind::Long, None | Some(Logical::Other(_))) => {
                self.int(given, i64::MIN.into(), i64::MAX.into(), "a long of 64 bits");
            }
            (Type::Int | Type::Uint, Kind::Double, _) => self.whole(given, 53),
            (Type::Int | Type::Uint, Kind::Float, _) => self.whole(given, 24),
            (Type::Double, Kind::Float, _) => self.float(given),
            (Type::Bytes, Kind::Fixed { size }, None | Some(Logical::Other(_))) => {
                self.fixed(given, *size, scope);
            }
            (Type::List(item), Kind::Array(items), _) => {
                let place = given
                    .place
                    .and_then(|(from, node)| match from.node(node).kind {
                        Kind::Array(items) => Some((from, from.strip_null(items).0)),
                        _ => None,
                    });
                self.elements(item, given, place, *items, scope);
            }
            (Type::Map(_, value), Kind::Map(values), _) => {
                let place = given
                    .place
                    .and_then(|(from, node)| match from.node(node).kind {
                        Kind::Map(values) => Some((from, from.strip_null(values).0)),
                        _ => None,
                    });
                self.elements(value, given, place, *values, scope);
            }
            _ => {}
        }
    }

    /// The elements of a list or the values of a map: one by one where it is written out, else as its schema says.
    fn elements(
        &mut self,
        ty: &Type,
        given: &Given,
        place: Option<(&Schema, NodeId)>,
        target: NodeId,
        scope: &Scope,
    ) {
        let each: Vec<&Node> = match given.node {
            Some(Node::List(items)) => items.iter().collect(),
            Some(Node::Map(entries, _)) => entries.iter().map(|(_, value)| value).collect(),
            _ => {
                let extent = match place {
                    Some((from, node)) => same_width(from, node),
                    None => Extent::Any,
                };
                let given = Given {
                    ty: ty.non_null(),
                    extent,
                    place,
                    node: None,
                };
                return self.value(&given, target, scope);
            }
        };
        for node in each {
            let given = Given {
                ty: ty.non_null(),
                extent: scope.extent(node),
                place: None,
                node: Some(node),
            };
            self.value(&given, target, scope);
        }
    }

    /// Of the branches that take the value the one that is tried first is looked into; the others are written only where
    /// the value does not fit there.
    fn union(&mut self, given: &Given, branches: &[NodeId], scope: &Scope) {
        let takes =
            |branch: &NodeId| crate::codec::encodable(given.ty, self.schema, *branch).is_ok();
        let like = like(given.ty);
        let chosen = branches
            .iter()
            .copied()
            .filter(takes)
            .min_by_key(|branch| like.rank(self.schema, *branch));
        let Some(chosen) = chosen else { return };
        // Its own type takes every value: nothing comes to the others.
        let takes_all =
            is_own(given.ty, &self.schema.node(chosen).kind) && like.rank(self.schema, chosen) == 0;
        let unused: Vec<String> = branches
            .iter()
            .filter(|branch| self.schema.node(**branch).kind != Kind::Null)
            .filter(|branch| !takes(branch) || takes_all && **branch != chosen)
            .map(|branch| format!("`{}`", self.schema.describe(*branch)))
            .collect();
        if !unused.is_empty() && branches.len() > 2 {
            let message = format!(
                "the field `{}` is never written as {}, this is always {}",
                self.field,
                unused.join(" or "),
                given.ty
            );
            self.found(
                "unhandled_branch",
                Severity::Note,
                message,
                "nothing needs to be done if that is meant".to_owned(),
            );
        }
        self.value(given, chosen, scope);
    }

    fn int(&mut self, given: &Given, low: i128, high: i128, target: &str) {
        let known = given.extent.meet(&of_type(given.ty));
        let Some(number) = known.number().filter(|number| !number.is_within(low, high)) else {
            return;
        };
        let message = format!(
            "{} goes into `{}`, {target}: what does not fit is dead-lettered, `int_overflow`",
            written(number, given.ty),
            self.field
        );
        if number.high < low || number.low > high {
            let help = "no value fits: make the field a long, or correct the expression";
            self.found("int_narrowing", Severity::Error, message, help.to_owned());
        } else {
            self.warn("int_narrowing", message, BOUND);
        }
    }

    /// Integers as floating point, which is exact or a fault.
    fn whole(&mut self, given: &Given, bits: u32) {
        let most = 1_i128 << bits;
        let fits = given
            .extent
            .number()
            .is_some_and(|number| number.is_within(-most, most));
        if !fits {
            let message = format!(
                "{} goes into `{}`, floating point of {bits} bits: what has no exact value is dead-lettered, `unrepresentable`",
                article(given.ty),
                self.field
            );
            self.warn(
                "float_narrowing",
                message,
                "write `double(…)` to round, bound the value before, or make the field a long",
            );
        }
    }

    fn float(&mut self, given: &Given) {
        let exact = match given.node {
            Some(Node::Const(Const::Double(value))) => f64::from(*value as f32) == *value,
            _ => given
                .place
                .is_some_and(|(from, node)| from.node(node).kind == Kind::Float),
        };
        if !exact {
            let message = format!(
                "a double goes into `{}`, a float: digits are cut, and what is beyond 3.4e38 is dead-lettered, `unrepresentable`",
                self.field
            );
            self.warn("float_narrowing", message, "make the field a double");
        }
    }

    fn decimal(&mut self, given: &Given, precision: u32, scale: u32) {
        let target = format!("`{}`, a decimal({precision}, {scale})", self.field);
        let Some(number) = given.extent.number() else {
            let message = format!(
                "{} of any number of digits goes into {target}: what does not fit is dead-lettered, \
                 `decimal_overflow` or `unrepresentable`",
                article(given.ty)
            );
            return self.warn("decimal_narrowing", message, DIGITS);
        };
        let whole = number.whole_digits();
        if whole + scale > precision {
            let room = precision.saturating_sub(scale);
            let message = format!(
                "{} of up to {whole} digits before the point goes into {target}, which has room for {room}: what does not \
                 fit is dead-lettered, `decimal_overflow`",
                article(given.ty)
            );
            let help = format!(
                "raise the field's precision to {}, or bound the value before",
                whole + scale
            );
            let never = Number::digits(precision, scale)
                .is_some_and(|fits| Extent::Number(fits).meet(&given.extent) == Extent::Empty);
            let severity = if never {
                Severity::Error
            } else {
                Severity::Warning
            };
            self.found("decimal_narrowing", severity, message, help);
        } else if number.scale > scale {
            let message = format!(
                "{} of up to {} digits after the point goes into {target}: what would be cut is dead-lettered, `unrepresentable`",
                article(given.ty),
                number.scale
            );
            let help = format!(
                "raise the field's scale to {}, or round the value",
                number.scale
            );
            self.found("decimal_narrowing", Severity::Warning, message, help);
        }
    }

    fn fixed(&mut self, given: &Given, size: u32, scope: &Scope) {
        let same = |(from, node): (&Schema, NodeId)| from.node(node).kind == Kind::Fixed { size };
        match given.node {
            Some(Node::Const(Const::Bytes(bytes))) => {
                if bytes.len() != size as usize {
                    let message = format!(
                        "{} bytes go into `{}`, a fixed of {size}",
                        bytes.len(),
                        self.field
                    );
                    let help = "no value fits: write as many bytes as the field has".to_owned();
                    self.found("fixed_size", Severity::Error, message, help);
                }
            }
            _ if given.place.is_some_and(same) || has_size(given, size, scope) => {}
            _ => {
                let message = format!(
                    "bytes of any length go into `{}`, a fixed of {size}: other lengths are dead-lettered, `unrepresentable`",
                    self.field
                );
                let help = format!(
                    "keep only values of that length (`size(x) == {size}`), or make the field bytes"
                );
                self.found("fixed_size", Severity::Warning, message, help);
            }
        }
    }

    fn symbols(&mut self, given: &Given, symbols: &[&str]) {
        let known = match (&given.extent, given.place) {
            (Extent::Texts(texts), _) => texts.iter().map(|text| &**text).collect::<Vec<_>>(),
            (_, Some((from, node))) => match &from.node(node).logical {
                Some(Logical::TextEnum { allowed }) => allowed.iter().map(String::as_str).collect(),
                _ => return self.any_text(symbols),
            },
            (Extent::Empty, _) => return,
            _ => return self.any_text(symbols),
        };
        let missing: Vec<&str> = known
            .iter()
            .copied()
            .filter(|text| !symbols.contains(text))
            .collect();
        let Some(first) = missing.first() else { return };
        let all = missing.iter().map(|text| format!("\"{text}\""));
        let message = format!(
            "this can be {}, the enum of `{}` has no such symbol",
            all.collect::<Vec<_>>().join(", "),
            self.field
        );
        let help = match nearest(first, symbols.iter().copied()) {
            Some(near) if missing.len() == 1 => format!("did you mean \"{near}\"?"),
            _ => format!(
                "its symbols are {}; add what is missing, or keep such events out",
                quoted(symbols)
            ),
        };
        self.found("enum_symbols", Severity::Error, message, help);
    }

    fn any_text(&mut self, symbols: &[&str]) {
        let message = format!(
            "any text goes into the enum `{}`: what is no symbol is dead-lettered, `unrepresentable`",
            self.field
        );
        let help = format!(
            "keep only events where it is one of them: `x in [{}]`",
            quoted(symbols)
        );
        self.found("enum_symbols", Severity::Warning, message, help);
    }

    fn format(&mut self, given: &Given, logical: &Logical) {
        let same =
            |(from, node): (&Schema, NodeId)| from.node(node).logical.as_ref() == Some(logical);
        let made = given
            .node
            .and_then(named)
            .is_some_and(|call| matches!(call.name, "uuid5" | "json"));
        if given.place.is_some_and(same) || made {
            return;
        }
        let what = match logical {
            Logical::Uuid => "a UUID",
            Logical::Json => "JSON",
            _ => "a time with a zone",
        };
        let message = format!(
            "any text goes into `{}`, {what}: other text is dead-lettered, `unrepresentable`",
            self.field
        );
        self.warn(
            "text_format",
            message,
            "make the field a string, or take the value from a field of that type",
        );
    }
}

const BOUND: &str = "bound it before (`require: x < 2147483648`), or make the field a long";
const DIGITS: &str = "bound it before, or round it to the field's scale";

/// What values of a type are like where they are written.
fn like(ty: &Type) -> Like {
    match ty {
        Type::Int | Type::Uint => Like::Whole,
        Type::Double => Like::Double,
        Type::String => Like::Text,
        Type::Bytes => Like::Bytes,
        Type::Decimal => Like::Decimal,
        Type::Timestamp => Like::Instant,
        Type::Duration | Type::TimeOfDay => Like::Span,
        _ => Like::Plain,
    }
}

/// Whether a kind takes every value of a type.
fn is_own(ty: &Type, kind: &Kind) -> bool {
    matches!(
        (ty, kind),
        (Type::Int, Kind::Long)
            | (Type::Double, Kind::Double)
            | (Type::String, Kind::String)
            | (Type::Bytes, Kind::Bytes)
            | (Type::Bool, Kind::Boolean)
    )
}

/// The values of a whole number of 64 bits.
fn of_type(ty: &Type) -> Extent {
    match ty {
        Type::Int => Extent::Number(Number::whole(i64::MIN.into(), i64::MAX.into())),
        Type::Uint => Extent::Number(Number::whole(0, u64::MAX.into())),
        _ => Extent::Any,
    }
}

/// A whole number for messages: its value, its bounds, or the bits of its type.
fn written(number: &Number, ty: &Type) -> String {
    match of_type(ty) {
        _ if number.low == number.high => format!("{}", number.low),
        Extent::Number(all) if all.low == number.low && all.high == number.high => {
            format!("{} of 64 bits", article(ty))
        }
        _ => format!("{} from {} to {}", article(ty), number.low, number.high),
    }
}

/// Whether a condition has proved the size of what is given.
fn has_size(given: &Given, size: u32, scope: &Scope) -> bool {
    let known = given.node.and_then(|node| scope.size(node));
    known.is_some_and(|known| known.is_within(size.into(), size.into()))
}

/// The values of a plain number of a schema.
fn same_width(schema: &Schema, node: NodeId) -> Extent {
    match schema.node(node).kind {
        Kind::Int => Extent::Number(Number::whole(i32::MIN.into(), i32::MAX.into())),
        Kind::Long => Extent::Number(Number::whole(i64::MIN.into(), i64::MAX.into())),
        _ => match &schema.node(node).logical {
            Some(Logical::Decimal { precision, scale }) => {
                Number::digits(*precision, *scale).map_or(Extent::Any, Extent::Number)
            }
            _ => Extent::Any,
        },
    }
}

fn quoted(symbols: &[&str]) -> String {
    let shown = symbols.iter().take(6).map(|symbol| format!("\"{symbol}\""));
    let more = if symbols.len() > 6 { ", …" } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}

/// What is left of a value in its register: what later expressions may rely on.
pub fn register(at: u16, ty: &Type, node: &Node, scope: &Scope) -> Facts {
    let extent = scope.extent(node);
    if matches!(extent, Extent::Any | Extent::Empty) {
        return Facts::none();
    }
    let key = scope.key(&Node::Reg(at)).unwrap_or_default();
    let present = !ty.is_nullable();
    Facts::of_values(Values::one(key, extent, present))
}
