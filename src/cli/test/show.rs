//! Results of test cases for people and programs.

use std::io::Write;

use anstyle::AnsiColor;
use serde_json::json;

use super::{Done, Suite};
use crate::topology::cases::{Difference, Outcome, PointKind};

/// One line per case, differences below; then the coverage of each topology and what it lacks.
pub fn text(suites: &[Suite], minimum: Option<f64>, out: &mut impl Write) -> anyhow::Result<()> {
    let green = AnsiColor::Green.on_default();
    let yellow = AnsiColor::Yellow.on_default();
    let red = AnsiColor::Red.on_default().bold();
    let (mut passed, mut updated, mut failed) = (0, 0, 0);
    for suite in suites {
        let (id, file) = (&suite.id, suite.file.as_deref().unwrap_or_default());
        for case in &suite.cases {
            let Done { line, name, .. } = case;
            match (&case.ran.outcome, case.updated) {
                (Outcome::Passed, _) => {
                    passed += 1;
                    writeln!(out, "{green}ok{green:#}      {id}: {name}")?;
                }
                (Outcome::Failed(list), true) => {
                    updated += 1;
                    writeln!(
                        out,
                        "{yellow}updated{yellow:#} {id}: {name} ({file}:{line})"
                    )?;
                    differences(list, "before", "now", out)?;
                }
                (Outcome::Failed(list), false) => {
                    failed += 1;
                    writeln!(out, "{red}FAIL{red:#}    {id}: {name} ({file}:{line})")?;
                    differences(list, "expected", "got", out)?;
                }
                (Outcome::Broken(why), _) => {
                    failed += 1;
                    writeln!(out, "{red}FAIL{red:#}    {id}: {name} ({file}:{line})")?;
                    writeln!(out, "        the case cannot be run: {why}")?;
                }
            }
        }
        if suite.cases.is_empty() {
            let topology = &suite.topology;
            let beside = topology.trim_end_matches(".yaml").trim_end_matches(".yml");
            writeln!(
                out,
                "{yellow}none{yellow:#}    {id}: no test cases: write them into {beside}.test.yaml"
            )?;
        }
    }
    let updated = match updated {
        0 => String::new(),
        some => format!("{some} updated, "),
    };
    writeln!(
        out,
        "\n{passed} passed, {updated}{failed} failed\n\nCoverage"
    )?;
    let width = suites.iter().map(|suite| suite.id.len()).max().unwrap_or(0);
    for suite in suites {
        let coverage = &suite.coverage;
        let count = |kind, what: &str| {
            let (covered, all) = coverage.count(kind);
            format!("{covered} of {all} {what}")
        };
        let colour = match (suite.lacks(minimum), coverage.lacks().next()) {
            (true, _) => red,
            (false, Some(_)) => yellow,
            (false, None) => green,
        };
        let too_low = match minimum {
            Some(minimum) if suite.lacks(Some(minimum)) => format!("; at least {minimum} % wanted"),
            _ => String::new(),
        };
        writeln!(
            out,
            "  {:width$}  {colour}{:>5} %{colour:#}  {}, {}, {}{too_low}",
            suite.id,
            rounded(coverage.percent()),
            count(PointKind::Step, "steps"),
            count(PointKind::Route, "routes"),
            count(PointKind::Branch(true), "branches"),
        )?;
        let unreached: Vec<_> = coverage
            .lacks()
            .filter(|point| !matches!(point.kind, PointKind::Branch(_)))
            .map(|point| &point.owner)
            .collect();
        let seen = |position| {
            let mut all = coverage.points.iter();
            all.any(|point| {
                point.position == position
                    && point.is_covered
                    && matches!(point.kind, PointKind::Branch(_))
            })
        };
        for point in coverage.lacks() {
            // What no case gets to has no conditions to speak of.
            let is_branch = matches!(point.kind, PointKind::Branch(_));
            if is_branch && unreached.contains(&&point.owner) && !seen(point.position) {
                continue;
            }
            let (line, column) = point.position;
            writeln!(
                out,
                "    {}:{line}:{column}  {}",
                suite.topology,
                point.lack()
            )?;
        }
    }
    Ok(())
}

/// With one decimal, rounded down: 99.96 is not 100.
pub fn rounded(percent: f64) -> String {
    let tenths = (percent * 10.0).floor() / 10.0;
    match tenths.fract() == 0.0 {
        true => format!("{tenths:.0}"),
        false => format!("{tenths:.1}"),
    }
}

fn differences(
    list: &[Difference],
    minus: &str,
    plus: &str,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let red = AnsiColor::Red.on_default();
    let green = AnsiColor::Green.on_default();
    writeln!(
        out,
        "        {red}- {minus}{red:#}  {green}+ {plus}{green:#}"
    )?;
    for difference in list {
        for line in difference.to_string().lines() {
            match line.trim_start().chars().next() {
                Some('-') if line.starts_with("  ") => writeln!(out, "        {red}{line}{red:#}")?,
                Some('+') if line.starts_with("  ") => {
                    writeln!(out, "        {green}{line}{green:#}")?
                }
                _ => writeln!(out, "        {line}")?,
            }
        }
    }
    Ok(())
}

/// One JSON object: `cases`, `passed`, `failed`, `coverage` by topology.
pub fn json(suites: &[Suite], out: &mut impl Write) -> anyhow::Result<()> {
    let mut cases = Vec::new();
    for suite in suites {
        for case in &suite.cases {
            let (differences, error) = match &case.ran.outcome {
                Outcome::Passed => (Vec::new(), None),
                Outcome::Failed(list) => (
                    list.iter()
                        .map(|one| {
                            json!({ "path": one.path, "expected": one.expected, "actual": one.actual })
                        })
                        .collect(),
                    None,
                ),
                Outcome::Broken(why) => (Vec::new(), Some(why)),
            };
            cases.push(json!({
                "topology": suite.id,
                "file": suite.file,
                "line": case.line,
                "name": case.name,
                "passed": matches!(case.ran.outcome, Outcome::Passed),
                "updated": case.updated,
                "differences": differences,
                "error": error,
            }));
        }
    }
    let coverage: Vec<_> = suites
        .iter()
        .map(|suite| {
            let missing: Vec<_> = suite
                .coverage
                .lacks()
                .map(|point| {
                    json!({
                        "kind": point.kind.name(),
                        "of": point.owner,
                        "line": point.position.0,
                        "column": point.position.1,
                        "message": point.lack(),
                    })
                })
                .collect();
            json!({
                "topology": suite.id,
                "file": suite.topology,
                "percent": suite.coverage.percent(),
                "points": suite.coverage.points.len(),
                "missing": missing,
            })
        })
        .collect();
    let all = suites.iter().flat_map(|suite| &suite.cases);
    let failed = all.filter(|case| !case.is_fine()).count();
    writeln!(
        out,
        "{}",
        json!({
            "passed": cases.len() - failed,
            "failed": failed,
            "cases": cases,
            "coverage": coverage,
        })
    )?;
    Ok(())
}
