use tracing::subscriber::with_default;
use tracing::{error, info, warn};

use super::*;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(look: Look, with_payloads: bool, events: impl FnOnce(&Lines)) -> String {
    let paper = Paper::default();
    let lines = Arc::new(Lines::new(look, with_payloads, Box::new(paper.clone())));
    with_default(Registry::default().with(LinesLayer(lines.clone())), || {
        events(&lines)
    });
    String::from_utf8(lock(&paper.0).clone()).unwrap()
}

fn parsed(lines: &str) -> Vec<serde_json::Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What these events are as log lines; for tests of other modules.
pub(crate) fn lines_of(events: impl FnOnce()) -> Vec<serde_json::Value> {
    parsed(&logged(Look::Json, false, |_| events()))
}

const RECORD: Source<'static> = Source {
    topic: "orders",
    partition: 3,
    offset: 77,
    correlation: None,
};

#[test]
fn a_line_about_a_record_says_which_one_and_why() {
    let lines = logged(Look::Json, false, |_| {
        record_event!(
            Level::WARN,
            RECORD,
            "bad_frame",
            step = "decode",
            attempts = 2,
            "went to the dead letters"
        );
        let traced = Source {
            correlation: Some("req-9"),
            ..RECORD
        };
        record_event!(Level::WARN, traced, "bad_frame", "went to the dead letters");
    });
    let lines = parsed(&lines);
    assert_eq!(lines[0]["source"], "orders/3/77");
    assert_eq!(lines[0]["correlation"], "orders/3/77");
    assert_eq!(lines[0]["reason"], "bad_frame");
    assert_eq!(lines[0]["attempts"], 2);
    assert_eq!(lines[0]["message"], "went to the dead letters");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(lines[1]["correlation"], "req-9");
}

#[test]
fn nothing_in_a_record_can_forge_a_line_or_steer_a_terminal() {
    let evil = "a\nERROR forged\u{1b}[2J\r\u{9b}31m\u{202e}\u{2028}b\0";
    let write = |_: &Lines| info!(name = evil, other = ?evil, "{evil}");
    for look in [Look::Json, Look::Human { colours: false }] {
        let lines = logged(look, false, write);
        assert_eq!(lines.lines().count(), 1, "{lines:?}");
        let raw = lines.trim_end_matches('\n');
        assert!(
            !raw.chars()
                .any(|char| char.is_control() || char == '\u{202e}' || char == '\u{2028}'),
            "{raw:?}"
        );
    }
    let line = &parsed(&logged(Look::Json, false, write))[0];
    assert_eq!(
        (line["name"].as_str(), line["message"].as_str()),
        (Some(evil), Some(evil))
    );
}

#[test]
fn payloads_appear_only_if_asked_for_and_bounded() {
    let payload = "canary".repeat(1000);
    let write = |_: &Lines| warn!(payload, "bad");
    assert!(!logged(Look::Json, false, write).contains("canary"));
    let shown = logged(Look::Json, true, write);
    assert!(shown.contains("canary") && shown.len() < 500, "{shown}");
}

#[test]
fn long_fields_are_cut_at_a_character() {
    let long = "ü".repeat(10_000);
    let lines = logged(
        Look::Json,
        false,
        |_| info!(long, display = %long, "{long}"),
    );
    let line = &parsed(&lines)[0];
    assert_eq!(
        line["long"].as_str().unwrap(),
        format!("{}…", "ü".repeat(256))
    );
    assert_eq!(line["display"], line["long"]);
    assert!(lines.len() < 4_000);
}

#[test]
fn a_flood_costs_the_first_lines_and_a_summary_per_reason() {
    let lines = logged(Look::Json, false, |lines| {
        for offset in 0..1_000 {
            for reason in ["bad_frame", "truncated"] {
                record_event!(
                    Level::WARN,
                    Source { offset, ..RECORD },
                    reason,
                    "went to the dead letters"
                );
            }
        }
        lines.summaries(Some(Duration::ZERO));
        lines.summaries(Some(lines.began.elapsed() + WINDOW));
        lines.summaries(None);
        record_event!(Level::WARN, RECORD, "truncated", "went to the dead letters");
    });
    let lines = parsed(&lines);
    assert_eq!(lines.len() as u64, 2 * LINES_MAX + 2 + 1);
    for (summary, reason) in lines[2 * LINES_MAX as usize..]
        .iter()
        .zip(["bad_frame", "truncated"])
    {
        assert_eq!(summary["reason"], reason);
        assert_eq!(summary["suppressed"], 1_000 - LINES_MAX);
        assert_eq!(
            summary["message"],
            "990 more like this within 10 s: went to the dead letters"
        );
        assert_eq!(summary["level"], "WARN");
    }
}

#[test]
fn plain_information_is_not_limited_and_errors_are_per_place() {
    let lines = logged(Look::Json, false, |_| {
        (0..50).for_each(|partition| info!(partition, "assigned"));
        (0..50).for_each(|_| error!("one place"));
        (0..50).for_each(|_| error!("another place"));
    });
    let count = |text: &str| lines.lines().filter(|line| line.contains(text)).count() as u64;
    assert_eq!(
        (
            count("assigned"),
            count("one place"),
            count("another place")
        ),
        (50, LINES_MAX, LINES_MAX)
    );
}

#[test]
fn free_text_as_a_reason_costs_bounded_memory() {
    let mut limiter = Limiter::new(1, WINDOW);
    let place =
        tracing::callsite!(name: "here", kind: tracing::metadata::Kind::EVENT, fields: reason);
    let callsite = || tracing::Callsite::metadata(place).callsite();
    let written = (0..5_000)
        .filter(|n| {
            limiter.admit((callsite(), n.to_string()), Duration::ZERO) == limiter::Verdict::Write
        })
        .count();
    assert_eq!(written, 1_001);
}

#[test]
fn people_get_values_that_can_be_told_apart() {
    let line = logged(Look::Human { colours: false }, false, |_| {
        info!(topic = "a b", n = 1, empty = "", "hello")
    });
    assert!(
        line.ends_with("lockgate::telemetry::logging::tests hello topic=\"a b\" n=1 empty=\"\"\n"),
        "{line}"
    );
}

#[test]
fn a_wrong_filter_is_refused_with_what_to_write() {
    let config = LogConfig {
        filter: "info,=,".to_owned(),
        ..LogConfig::default()
    };
    let error = init(&config).unwrap_err().to_string();
    assert!(
        error.contains("log.filter") && error.contains("lockgate::registry=debug"),
        "{error}"
    );
}
