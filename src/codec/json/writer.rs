//! From a datum to one compact line of JSON: a program per schema and policy, that writes into the caller's buffer and
//! allocates nothing beyond its growth.

use super::policy::{BigInts, Bytes, Decimals, NonFinite, Nulls, Policy, Times};
use super::{DEPTH_MAX, text};
use crate::codec::primitive::{self, Trouble};
use crate::codec::{Fault, VALUES_MAX, ZERO_BYTE_ITEMS_MAX, decimal, time, utf8};
use crate::schema::{Kind, Logical, NodeId, Schema};

/// Most bytes of a decimal that are written as digits; the conversion is quadratic.
const DECIMAL_BYTES_MAX: usize = 1_024;

/// The largest integer that every reader takes as it is.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Writes data of one schema under one policy. Immutable; one serves all threads.
#[derive(Debug)]
pub struct Writer {
    /// By the index of the schema's node.
    shapes: Vec<Shape>,
    root: NodeId,
    /// Names of fields and symbols, quoted and escaped.
    texts: Vec<u8>,
    policy: Policy,
}

/// A range of [`Writer::texts`].
type Range = (u32, u32);

#[derive(Debug)]
enum Shape {
    Null,
    Boolean,
    Int(Meaning),
    Long(Meaning),
    Float,
    Double,
    Text,
    /// An instant as text, of which the number of units is written.
    Instant(u32),
    /// With its size, if it is fixed.
    Bytes(Option<u32>),
    Decimal(Option<u32>, u32),
    VariableScaleDecimal,
    Uuid(u32),
    Duration(u32),
    Enum(Vec<Range>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    /// Each field's name with the comma before and the colon behind it, and its type.
    Record(Vec<(Range, NodeId)>),
}

/// What an integer means.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Number,
    Date,
    /// Units per second, and whether it is in UTC.
    Timestamp(u32, bool),
    Time(u32),
    Interval(u32),
    /// From these units per second since the epoch to those.
    Epoch(u32, u32),
    /// The same for a span, which is cut towards zero.
    Span(u32, u32),
}

/// One datum on its way.
struct Run<'a> {
    writer: &'a Writer,
    data: &'a [u8],
    pos: usize,
    values: usize,
    items: u64,
    scratch: &'a mut String,
    out: &'a mut Vec<u8>,
}

impl Writer {
    /// Compiles the program.
    pub fn compile(schema: &Schema, policy: Policy) -> Writer {
        let mut writer = Writer {
            shapes: Vec::with_capacity(schema.nodes.len()),
            root: schema.root,
            texts: Vec::new(),
            policy,
        };
        for node in &schema.nodes {
            let shape = writer.shape(&node.kind, node.logical.as_ref());
            writer.shapes.push(shape);
        }
        writer
    }

    /// Appends the JSON of a datum, of which every byte is validated. On a fault `out` is as it was. `scratch` is room
    /// to work in.
    pub fn write(
        &self,
        datum: &[u8],
        scratch: &mut String,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let start = out.len();
        let mut run = Run {
            writer: self,
            data: datum,
            pos: 0,
            values: VALUES_MAX.saturating_add(datum.len().saturating_mul(4)),
            items: datum.len() as u64 + ZERO_BYTE_ITEMS_MAX,
            scratch,
            out,
        };
        let done = match run.node(self.root, 0) {
            Ok(_) if run.pos == datum.len() => Ok(()),
            Ok(_) => Err(run.fault(Trouble::Trailing)),
            Err(fault) => Err(fault),
        };
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    fn shape(&mut self, kind: &Kind, logical: Option<&Logical>) -> Shape {
        match (kind, logical) {
            (Kind::Null, _) => Shape::Null,
            (Kind::Boolean, _) => Shape::Boolean,
            (Kind::Int, logical) => Shape::Int(self.meaning(logical)),
            (Kind::Long, logical) => Shape::Long(self.meaning(logical)),
            (Kind::Float, _) => Shape::Float,
            (Kind::Double, _) => Shape::Double,
            (Kind::String, Some(Logical::ZonedTimestamp)) => match self.policy.times {
                Times::Epoch(per_second) => Shape::Instant(per_second),
                Times::Iso8601 => Shape::Text,
            },
            (Kind::String, _) => Shape::Text,
            (Kind::Bytes, Some(Logical::Decimal { scale, .. })) => Shape::Decimal(None, *scale),
            (Kind::Bytes, _) => Shape::Bytes(None),
            (Kind::Fixed { size }, Some(Logical::Decimal { scale, .. })) => {
                Shape::Decimal(Some(*size), *scale)
            }
            (Kind::Fixed { size }, Some(Logical::Uuid)) => Shape::Uuid(*size),
            (Kind::Fixed { size }, Some(Logical::Duration)) => Shape::Duration(*size),
            (Kind::Fixed { size }, _) => Shape::Bytes(Some(*size)),
            (Kind::Enum { symbols, .. }, _) => {
                Shape::Enum(symbols.iter().map(|symbol| self.quoted(symbol)).collect())
            }
            (Kind::Array(items), _) => Shape::Array(*items),
            (Kind::Map(values), _) => Shape::Map(*values),
            (Kind::Union(branches), _) => Shape::Union(branches.clone()),
            (Kind::Record(_), Some(Logical::VariableScaleDecimal)) => Shape::VariableScaleDecimal,
            (Kind::Record(fields), _) => {
                let named = |this: &mut Writer, name: &str| {
                    let start = this.texts.len() as u32;
                    this.texts.push(b',');
                    text::quoted(name.as_bytes(), &mut this.texts);
                    this.texts.push(b':');
                    (start, this.texts.len() as u32)
                };
                Shape::Record(
                    fields
                        .iter()
                        .map(|field| (named(self, &field.name), field.ty))
                        .collect(),
                )
            }
        }
    }

    fn meaning(&self, logical: Option<&Logical>) -> Meaning {
        match (logical, self.policy.times) {
            (Some(Logical::Date), Times::Iso8601) => Meaning::Date,
            (Some(Logical::Timestamp { per_second }), Times::Iso8601) => {
                Meaning::Timestamp(*per_second, true)
            }
            (Some(Logical::LocalTimestamp { per_second }), Times::Iso8601) => {
                Meaning::Timestamp(*per_second, false)
            }
            (Some(Logical::Time { per_second }), Times::Iso8601) => Meaning::Time(*per_second),
            (Some(Logical::Interval { per_second }), Times::Iso8601) => {
                Meaning::Interval(*per_second)
            }
            (
                Some(
                    Logical::Timestamp { per_second }
                    | Logical::LocalTimestamp { per_second }
                    | Logical::Time { per_second },
                ),
                Times::Epoch(wanted),
            ) => Meaning::Epoch(*per_second, wanted),
            (Some(Logical::Interval { per_second }), Times::Epoch(wanted)) => {
                Meaning::Span(*per_second, wanted)
            }
            _ => Meaning::Number,
        }
    }

    fn quoted(&mut self, name: &str) -> Range {
        let start = self.texts.len() as u32;
        text::quoted(name.as_bytes(), &mut self.texts);
        (start, self.texts.len() as u32)
    }
}

impl<'a> Run<'a> {
    #[cold]
    fn fault(&self, trouble: Trouble) -> Fault {
        let reason = trouble.reason();
        Fault::new(
            reason,
            format!("{reason} at byte {} of the datum", self.pos),
        )
    }

    #[inline]
    fn take<T>(
        &mut self,
        read: impl FnOnce(&'a [u8], usize) -> Result<(T, usize), Trouble>,
    ) -> Result<T, Fault> {
        match read(self.data, self.pos) {
            Ok((value, end)) => {
                self.pos = end;
                Ok(value)
            }
            Err(trouble) => Err(self.fault(trouble)),
        }
    }

    fn bytes(&mut self, size: Option<u32>) -> Result<&'a [u8], Fault> {
        self.take(|data, pos| {
            let (start, end) = match size {
                None => primitive::run(data, pos)?,
                Some(size) => (pos, primitive::skip(data, pos, size)?),
            };
            Ok((&data[start..end], end))
        })
    }

    fn text(&mut self) -> Result<&'a [u8], Fault> {
        self.take(|data, pos| {
            let (start, end) = primitive::run(data, pos)?;
            let text = &data[start..end];
            utf8::is_utf8(text)
                .then_some((text, end))
                .ok_or(Trouble::Utf8)
        })
    }

    /// Writes one value; whether it is null.
    fn node(&mut self, id: NodeId, depth: usize) -> Result<bool, Fault> {
        if self.values == 0 || depth > DEPTH_MAX {
            return Err(self.fault(Trouble::Limit));
        }
        self.values -= 1;
        let writer = self.writer;
        match &writer.shapes[id.0 as usize] {
            Shape::Null => return Ok(self.null()),
            Shape::Boolean => {
                let value = self.take(primitive::boolean)?;
                self.out
                    .extend_from_slice(if value { b"true" } else { b"false" });
            }
            Shape::Int(meaning) => {
                let value = self.take(primitive::int)?;
                self.integer(value, *meaning)?;
            }
            Shape::Long(meaning) => {
                let value = self.take(primitive::long)?;
                self.integer(value, *meaning)?;
            }
            // A float is written as the double that it is exactly, as other decoders show it.
            Shape::Float => {
                let value = self.take(primitive::float)?;
                return self.floating(value.into());
            }
            Shape::Double => {
                let value = self.take(primitive::double)?;
                return self.floating(value);
            }
            Shape::Text => {
                let bytes = self.text()?;
                text::quoted(bytes, self.out);
            }
            Shape::Instant(per_second) => {
                let bytes = self.text()?;
                let (seconds, nanos) = time::parse_timestamp(utf8::text(bytes))
                    .ok_or_else(|| unrepresentable("the text is no timestamp with a zone"))?;
                let units = time::to_units(seconds, nanos, *per_second, false)?;
                self.number(units);
            }
            Shape::Bytes(size) => {
                let bytes = self.bytes(*size)?;
                match writer.policy.bytes {
                    Bytes::Base64 => text::base64(bytes, self.out),
                    Bytes::Hex => text::hex(bytes, self.out),
                }
            }
            Shape::Decimal(size, scale) => {
                let bytes = self.bytes(*size)?;
                self.decimal(bytes, i64::from(*scale))?;
            }
            Shape::VariableScaleDecimal => {
                let scale = self.take(primitive::int)?;
                let bytes = self.bytes(None)?;
                self.decimal(bytes, scale)?;
            }
            Shape::Uuid(size) => {
                let bytes = self.bytes(Some(*size))?;
                text::uuid(bytes, self.out);
            }
            Shape::Duration(size) => {
                let bytes = self.bytes(Some(*size))?;
                self.duration(bytes);
            }
            Shape::Enum(symbols) => {
                let count = symbols.len() as u32;
                let at =
                    self.take(|data, pos| primitive::index(data, pos, count, Trouble::EnumIndex))?;
                self.known(symbols[at as usize]);
            }
            Shape::Union(branches) => {
                let count = branches.len() as u32;
                let at =
                    self.take(|data, pos| primitive::index(data, pos, count, Trouble::UnionIndex))?;
                return self.node(branches[at as usize], depth);
            }
            Shape::Array(items) => {
                self.out.push(b'[');
                let start = self.out.len();
                self.blocks(|this| {
                    if this.out.len() > start {
                        this.out.push(b',');
                    }
                    this.node(*items, depth + 1).map(|_| ())
                })?;
                self.out.push(b']');
            }
            Shape::Map(values) => {
                self.out.push(b'{');
                let start = self.out.len();
                self.blocks(|this| {
                    if this.out.len() > start {
                        this.out.push(b',');
                    }
                    let key = this.text()?;
                    text::quoted(key, this.out);
                    this.out.push(b':');
                    this.node(*values, depth + 1).map(|_| ())
                })?;
                self.out.push(b'}');
            }
            Shape::Record(fields) => {
                self.out.push(b'{');
                let start = self.out.len();
                for (name, ty) in fields {
                    let before = self.out.len();
                    // The first field that is written has no comma before it.
                    let comma = u32::from(before == start);
                    self.known((name.0 + comma, name.1));
                    let is_null = self.node(*ty, depth + 1).map_err(|fault| Fault {
                        message: format!("{}{}", self.field(*name), fault.message),
                        ..fault
                    })?;
                    if is_null && writer.policy.nulls == Nulls::Drop {
                        self.out.truncate(before);
                    }
                }
                self.out.push(b'}');
            }
        }
        Ok(false)
    }

    /// The name of a field, for messages.
    #[cold]
    fn field(&self, (start, end): Range) -> String {
        let quoted = &self.writer.texts[start as usize + 2..end as usize - 2];
        format!("{}: ", String::from_utf8_lossy(quoted))
    }

    fn known(&mut self, (start, end): Range) {
        self.out
            .extend_from_slice(&self.writer.texts[start as usize..end as usize]);
    }

    fn null(&mut self) -> bool {
        self.out.extend_from_slice(b"null");
        true
    }

    fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let mut items = self.items;
            let block = self.take(|data, pos| primitive::block(data, pos, 0, &mut items))?;
            self.items = items;
            if block.items == 0 {
                return Ok(());
            }
            for _ in 0..block.items {
                item(self)?;
            }
            if block.end.is_some_and(|end| end != self.pos) {
                return Err(self.fault(Trouble::Limit));
            }
        }
    }

    fn number(&mut self, value: i64) {
        if value.unsigned_abs() > EXACT_MAX && self.writer.policy.big_ints == BigInts::Text {
            self.out.push(b'"');
            text::integer(value, self.out);
            self.out.push(b'"');
        } else {
            text::integer(value, self.out);
        }
    }

    fn integer(&mut self, value: i64, meaning: Meaning) -> Result<(), Fault> {
        const DAY: i64 = 86_400;
        self.scratch.clear();
        let is_text = match meaning {
            Meaning::Number => false,
            Meaning::Date => time::write_date(value, self.scratch).is_ok(),
            Meaning::Timestamp(per_second, is_utc) => {
                let (seconds, nanos) = time::from_units(value, per_second);
                let written = time::write_date_time(seconds, nanos, self.scratch).is_ok();
                if is_utc {
                    self.scratch.push('Z');
                }
                written
            }
            Meaning::Time(per_second) => {
                let (seconds, nanos) = time::from_units(value, per_second);
                let is_within_a_day = (0..DAY).contains(&seconds);
                if is_within_a_day {
                    time::write_time(seconds as u32, nanos, self.scratch);
                }
                is_within_a_day
            }
            Meaning::Interval(per_second) => {
                let (seconds, nanos) = time::span_from_units(value, per_second);
                time::write_span(seconds, nanos, self.scratch);
                true
            }
            Meaning::Epoch(from, to) => {
                let (seconds, nanos) = time::from_units(value, from);
                self.number(time::to_units(seconds, nanos, to, false)?);
                return Ok(());
            }
            Meaning::Span(from, to) => {
                let (seconds, nanos) = time::span_from_units(value, from);
                self.number(time::span_to_units(seconds, nanos, to, false)?);
                return Ok(());
            }
        };
        if is_text {
            self.out.push(b'"');
            self.out.extend_from_slice(self.scratch.as_bytes());
            self.out.push(b'"');
        } else {
            self.number(value);
        }
        Ok(())
    }

    /// Whether it was written as null.
    fn floating(&mut self, value: f64) -> Result<bool, Fault> {
        if value.is_finite() {
            let mut buffer = zmij::Buffer::new();
            let digits = buffer.format_finite(value);
            self.out.extend_from_slice(digits.as_bytes());
            return Ok(false);
        }
        match self.writer.policy.non_finite {
            NonFinite::Null => return Ok(self.null()),
            NonFinite::Fault => {
                return Err(unrepresentable(
                    "NaN and the infinities are no numbers of JSON",
                ));
            }
            NonFinite::Text if value.is_nan() => self.out.extend_from_slice(b"\"NaN\""),
            NonFinite::Text if value > 0.0 => self.out.extend_from_slice(b"\"Infinity\""),
            NonFinite::Text => self.out.extend_from_slice(b"\"-Infinity\""),
        }
        Ok(false)
    }

    fn decimal(&mut self, bytes: &[u8], scale: i64) -> Result<(), Fault> {
        const SCALE_MAX: i64 = decimal::SCALE_MAX as i64;
        if bytes.is_empty()
            || bytes.len() > DECIMAL_BYTES_MAX
            || !(-SCALE_MAX..=SCALE_MAX).contains(&scale)
        {
            return Err(self.fault(Trouble::Decimal));
        }
        let is_text = self.writer.policy.decimals == Decimals::Text;
        if is_text {
            self.out.push(b'"');
        }
        text::decimal(bytes, scale, self.out);
        if is_text {
            self.out.push(b'"');
        }
        Ok(())
    }

    /// Avro's duration: months, days and milliseconds.
    fn duration(&mut self, bytes: &[u8]) {
        let part = |at: usize| match bytes.get(at..at + 4).map(<[u8; 4]>::try_from) {
            Some(Ok(four)) => i64::from(u32::from_le_bytes(four)),
            _ => 0,
        };
        let (months, days, millis) = (part(0), part(4), part(8));
        self.out.extend_from_slice(b"\"P");
        text::integer(months, self.out);
        self.out.push(b'M');
        text::integer(days, self.out);
        self.out.extend_from_slice(b"DT");
        text::integer(millis / 1_000, self.out);
        self.out.push(b'.');
        // Three digits: a thousand more, without its first.
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(1_000 + millis % 1_000);
        self.out.extend_from_slice(&digits.as_bytes()[1..]);
        self.out.extend_from_slice(b"S\"");
    }
}

fn unrepresentable(message: &str) -> Fault {
    Fault::new("unrepresentable", message)
}
