//! Results of test cases as JUnit XML, the form that CI servers read.

use std::fmt::Write;
use std::time::Duration;

use super::show::rounded;
use super::{Done, Suite};
use crate::topology::cases::Outcome;

/// The whole report: a suite per topology. Where a minimum of coverage is asked for, it is one more case of each suite.
pub fn report(suites: &[Suite], minimum: Option<f64>) -> String {
    let mut body = String::new();
    let mut all = Counts::default();
    for suite in suites {
        let counts = Counts::of(suite, minimum);
        all.add(&counts);
        // Writing to a String cannot fail.
        let _ = writeln!(
            body,
            "  <testsuite name=\"{}\" {}>",
            escaped(&suite.id),
            counts.attributes()
        );
        suite
            .cases
            .iter()
            .for_each(|done| case(&mut body, suite, done));
        if let Some(minimum) = minimum {
            coverage(&mut body, suite, minimum);
        }
        body.push_str("  </testsuite>\n");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"lockgate test\" {}>\n{body}</testsuites>\n",
        all.attributes()
    )
}

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    took: Duration,
}

impl Counts {
    fn of(suite: &Suite, minimum: Option<f64>) -> Counts {
        let count = |is: fn(&Done) -> bool| suite.cases.iter().filter(|done| is(done)).count();
        Counts {
            tests: suite.cases.len() + usize::from(minimum.is_some()),
            failures: count(|done| matches!(done.ran.outcome, Outcome::Failed(_)) && !done.updated)
                + usize::from(suite.lacks(minimum)),
            errors: count(|done| matches!(done.ran.outcome, Outcome::Broken(_))),
            took: suite.cases.iter().map(|done| done.took).sum(),
        }
    }

    fn add(&mut self, other: &Counts) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.took += other.took;
    }

    fn attributes(&self) -> String {
        format!(
            "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{:.6}\"",
            self.tests,
            self.failures,
            self.errors,
            self.took.as_secs_f64()
        )
    }
}

fn case(out: &mut String, suite: &Suite, done: &Done) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
        escaped(&suite.id),
        escaped(&done.name),
        escaped(suite.file.as_deref().unwrap_or_default()),
        done.line,
        done.took.as_secs_f64()
    );
    let (element, message, text) = match &done.ran.outcome {
        _ if done.is_fine() => {
            out.push_str("/>\n");
            return;
        }
        Outcome::Broken(why) => ("error", "the case cannot be run", why.clone()),
        Outcome::Failed(list) => {
            let told: Vec<_> = list.iter().map(ToString::to_string).collect();
            let text = format!("- expected  + got\n{}", told.join("\n"));
            ("failure", "the case failed", text)
        }
        Outcome::Passed => return,
    };
    child(out, element, message, &text);
}

fn coverage(out: &mut String, suite: &Suite, minimum: f64) {
    let _ = write!(
        out,
        "    <testcase classname=\"{}\" name=\"coverage is at least {minimum} %\" file=\"{}\" time=\"0\"",
        escaped(&suite.id),
        escaped(&suite.topology)
    );
    if !suite.lacks(Some(minimum)) {
        out.push_str("/>\n");
        return;
    }
    let lacks: Vec<_> = suite
        .coverage
        .lacks()
        .map(|point| {
            let (line, column) = point.position;
            format!("{}:{line}:{column} {}", suite.topology, point.lack())
        })
        .collect();
    let message = format!("coverage is {} %", rounded(suite.coverage.percent()));
    child(out, "failure", &message, &lacks.join("\n"));
}

fn child(out: &mut String, element: &str, message: &str, text: &str) {
    let _ = writeln!(
        out,
        ">\n      <{element} message=\"{}\">{}</{element}>\n    </testcase>",
        escaped(message),
        escaped(text)
    );
}

/// Text for XML 1.0, in attributes too; what no XML can hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_break_the_document() {
        assert_eq!(
            escaped("a<b>&\"\u{1b}\u{0}"),
            "a&lt;b&gt;&amp;&quot;\u{fffd}\u{fffd}"
        );
    }
}
