//! One event as one line: fields collected, bounded, escaped.

use std::fmt::{self, Write as _};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Bytes of the message; longer ones end in `…`.
const MESSAGE_BYTES_MAX: usize = 2_048;
/// Bytes of any other field.
const FIELD_BYTES_MAX: usize = 512;
/// Bytes of a payload, if payloads are shown at all.
const PAYLOAD_BYTES_MAX: usize = 256;
/// Bytes of a reason that tell kinds of lines apart.
const REASON_BYTES_MAX: usize = 64;

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    Human { colours: bool },
    Json,
}

/// The fields of an event, in the order in which it names them.
pub(super) struct Fields {
    target: String,
    message: String,
    others: Vec<(&'static str, Value)>,
    with_payloads: bool,
}

enum Value {
    /// A number or a boolean, as JSON writes it.
    Plain(String),
    Text(String),
}

/// The field `reason`, without looking at the others: most events of a flood need no more.
pub(super) fn reason(event: &Event<'_>) -> Option<String> {
    struct Reason(Option<String>);
    impl Visit for Reason {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "reason" {
                self.0 = Some(bounded(format_args!("{value:?}"), REASON_BYTES_MAX));
            }
        }
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "reason" {
                self.0 = Some(bounded(format_args!("{value}"), REASON_BYTES_MAX));
            }
        }
    }
    // Nothing is formatted for events that have no such field.
    event.metadata().fields().field("reason")?;
    let mut reason = Reason(None);
    event.record(&mut reason);
    reason.0
}

impl Fields {
    pub fn of(event: &Event<'_>, with_payloads: bool) -> Self {
        let target = event.metadata().target().to_owned();
        let mut fields = Fields {
            target,
            message: String::new(),
            others: Vec::new(),
            with_payloads,
        };
        event.record(&mut fields);
        fields
    }

    pub fn summary(
        target: &str,
        message: &str,
        reason: &str,
        count: u64,
        window: Duration,
    ) -> Self {
        let mut others = vec![("suppressed", Value::Plain(count.to_string()))];
        if !reason.is_empty() {
            others.insert(0, ("reason", Value::Text(reason.to_owned())));
        }
        let message = format!(
            "{count} more like this within {} s: {message}",
            window.as_secs()
        );
        Fields {
            target: target.to_owned(),
            message,
            others,
            with_payloads: false,
        }
    }

    pub fn target(&self) -> &str {
        &self.target
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// As [`reason`] tells it.
    pub fn reason(&self) -> String {
        let reason = self.others.iter().find(|(name, _)| *name == "reason");
        reason.map_or_else(
            String::new,
            |(_, Value::Plain(text) | Value::Text(text))| {
                bounded(format_args!("{text}"), REASON_BYTES_MAX)
            },
        )
    }

    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        match field.name() {
            "message" => self.message = bounded(text, MESSAGE_BYTES_MAX),
            "payload" if !self.with_payloads => {}
            "payload" => self
                .others
                .push(("payload", Value::Text(bounded(text, PAYLOAD_BYTES_MAX)))),
            // Events of crates that use `log` come through one place in the code and name their own here.
            "log.target" => self.target = bounded(text, FIELD_BYTES_MAX),
            name if name.starts_with("log.") => {}
            name => self
                .others
                .push((name, Value::Text(bounded(text, FIELD_BYTES_MAX)))),
        }
    }

    fn plain(&mut self, field: &Field, text: String) {
        if !field.name().starts_with("log.") {
            self.others.push((field.name(), Value::Plain(text)));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, format_args!("{value}"));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, format_args!("{value}"));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value.to_string());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value.to_string());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value.to_string());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for infinities.
        if value.is_finite() {
            self.plain(field, value.to_string())
        } else {
            self.text(field, format_args!("{value}"))
        }
    }
}

impl Look {
    /// The line, with its end.
    pub fn line(self, level: Level, fields: &Fields) -> String {
        let time = jiff::Timestamp::now();
        let mut line = String::with_capacity(256);
        let written = match self {
            Look::Json => json(&mut line, format_args!("{time:.3}"), level, fields),
            Look::Human { colours } => {
                human(&mut line, format_args!("{time:.3}"), level, fields, colours)
            }
        };
        written.expect("writing to a String does not fail");
        line
    }
}

fn json(line: &mut String, time: fmt::Arguments<'_>, level: Level, fields: &Fields) -> fmt::Result {
    write!(
        line,
        "{{\"time\":\"{time}\",\"level\":\"{level}\",\"target\":"
    )?;
    json_string(line, &fields.target)?;
    line.push_str(",\"message\":");
    json_string(line, &fields.message)?;
    for (name, value) in &fields.others {
        line.push(',');
        json_string(line, name)?;
        line.push(':');
        match value {
            Value::Plain(text) => line.push_str(text),
            Value::Text(text) => json_string(line, text)?,
        }
    }
    line.push_str("}\n");
    Ok(())
}

fn json_string(line: &mut String, text: &str) -> fmt::Result {
    line.push('"');
    for char in text.chars() {
        match char {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            // All of them lie in the basic plane: one code unit.
            char if misleads(char) => write!(line, "\\u{:04x}", char as u32)?,
            char => line.push(char),
        }
    }
    line.push('"');
    Ok(())
}

fn human(
    line: &mut String,
    time: fmt::Arguments<'_>,
    level: Level,
    fields: &Fields,
    colours: bool,
) -> fmt::Result {
    use anstyle::{AnsiColor, Style};
    let (dim, loud) = match level {
        _ if !colours => (Style::new(), Style::new()),
        Level::ERROR => (Style::new().dimmed(), AnsiColor::Red.on_default().bold()),
        Level::WARN => (Style::new().dimmed(), AnsiColor::Yellow.on_default()),
        Level::INFO => (Style::new().dimmed(), AnsiColor::Green.on_default()),
        _ => (Style::new().dimmed(), AnsiColor::Blue.on_default()),
    };
    write!(line, "{dim}{time}{dim:#} {loud}{level:>5}{loud:#} {dim}")?;
    escaped(line, &fields.target)?;
    write!(line, "{dim:#} ")?;
    escaped(line, &fields.message)?;
    for (name, value) in &fields.others {
        write!(line, " {dim}{name}={dim:#}")?;
        match value {
            Value::Text(text) if text.is_empty() || text.contains([' ', '"', '=']) => {
                line.push('"');
                escaped(line, &text.replace('"', "\\\""))?;
                line.push('"');
            }
            Value::Plain(text) | Value::Text(text) => escaped(line, text)?,
        }
    }
    line.push('\n');
    Ok(())
}

fn escaped(line: &mut String, text: &str) -> fmt::Result {
    for char in text.chars() {
        if misleads(char) {
            write!(line, "{}", char.escape_default())?;
        } else {
            line.push(char);
        }
    }
    Ok(())
}

/// Characters that move a terminal's cursor, forge lines, or turn text around.
fn misleads(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Formats at most `bytes_max` bytes, without building the rest.
fn bounded(text: fmt::Arguments<'_>, bytes_max: usize) -> String {
    struct Bounded(String, usize);
    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = self.1 - self.0.len();
            if text.len() <= room {
                self.0.push_str(text);
                return Ok(());
            }
            let end = (0..=room)
                .rev()
                .find(|&at| text.is_char_boundary(at))
                .unwrap_or(0);
            self.0.push_str(&text[..end]);
            Err(fmt::Error)
        }
    }
    let mut bounded = Bounded(String::new(), bytes_max);
    if bounded.write_fmt(text).is_err() {
        bounded.0.push('…');
    }
    bounded.0
}
