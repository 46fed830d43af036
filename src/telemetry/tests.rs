use std::collections::HashSet;

use super::*;

/// The value of one sample line, written as `name{label="value",…}`.
fn sample(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| {
        line.strip_prefix(series)
            .is_some_and(|rest| rest.starts_with(' '))
    })?;
    Some(line[series.len() + 1..].parse().unwrap())
}

fn counted(consumed: u64, disposed: [u64; 4], pending: u64) -> Snapshot {
    Snapshot {
        consumed,
        disposed,
        pending,
        frontier: Some(10),
        ..Snapshot::default()
    }
}

#[test]
fn the_balance_is_0_and_shows_a_lost_ack() {
    let metrics = Metrics::new();
    let partition = metrics.partition("orders", "t", 0);
    let balance = r#"lockgate_balance_records{partition="0",topic="t",topology="orders"}"#;
    partition.publish(&counted(10, [5, 1, 1, 0], 3));
    assert_eq!(sample(&metrics.render(), balance), Some(0.0));
    partition.publish(&counted(10, [5, 1, 1, 0], 2));
    assert_eq!(sample(&metrics.render(), balance), Some(1.0));
    assert_eq!(metrics.account("orders").balance(), 1);
}

#[test]
fn a_revoked_partition_loses_its_gauges_and_keeps_its_counters() {
    let metrics = Metrics::new();
    let labels = r#"{partition="0",topic="t",topology="orders"}"#;
    let partition = metrics.partition("orders", "t", 0);
    partition.track(&Position {
        end_offset: Some(15),
        paused: vec!["sink"],
        ..Position::default()
    });
    partition.publish(&counted(10, [5, 0, 0, 0], 5));
    let text = metrics.render();
    assert_eq!(
        sample(&text, &format!("lockgate_lag_records{labels}")),
        Some(5.0)
    );
    assert!(
        text.contains(
            r#"lockgate_paused{partition="0",reason="sink",topic="t",topology="orders"} 1"#
        )
    );
    let lane = partition.clone();
    drop(partition);
    lane.publish(&counted(10, [5, 0, 0, 5], 0));
    drop(lane);
    let text = metrics.render();
    for gone in [
        "lockgate_lag",
        "lockgate_pending",
        "lockgate_paused",
        "lockgate_balance",
    ] {
        assert!(!text.contains(gone), "{gone}");
    }
    assert_eq!(
        sample(&text, &format!("lockgate_consumed_records_total{labels}")),
        Some(10.0)
    );
    let again = metrics.partition("orders", "t", 0);
    again.publish(&counted(3, [3, 0, 0, 0], 0));
    let text = metrics.render();
    assert_eq!(
        sample(&text, &format!("lockgate_consumed_records_total{labels}")),
        Some(13.0)
    );
    assert_eq!(
        sample(&text, &format!("lockgate_balance_records{labels}")),
        Some(0.0)
    );
    assert_eq!(
        metrics.account("orders"),
        Account {
            consumed: 13,
            disposed: [8, 0, 0, 5],
            pending: 0
        }
    );
}

#[test]
fn every_answer_to_a_commit_counts_also_where_nothing_is_owned() {
    let metrics = Metrics::new();
    let partition = metrics.partition("orders", "t", 0);
    metrics.committed("orders", "t", 0, true);
    drop(partition);
    // The answer to its last commit, and to the initial position of a partition that another member has.
    metrics.committed("orders", "t", 0, false);
    metrics.committed("orders", "t", 0, true);
    metrics.committed("orders", "t", 1, true);
    let text = metrics.render();
    for (partition, result, count) in [
        (0, "committed", 2.0),
        (0, "failed", 1.0),
        (1, "committed", 1.0),
        (1, "failed", 0.0),
    ] {
        let series = format!(
            r#"lockgate_commits_total{{partition="{partition}",result="{result}",topic="t",topology="orders"}}"#
        );
        assert_eq!(sample(&text, &series), Some(count), "{series}\n{text}");
    }
    let of_another = text
        .lines()
        .filter(|line| line.contains(r#"partition="1""#));
    assert_eq!(of_another.count(), 2, "nothing but its commits:\n{text}");
    assert!(!text.contains("lockgate_balance"), "{text}");
}

#[test]
fn a_loss_does_not_vanish_with_the_assignment() {
    let metrics = Metrics::new();
    metrics
        .partition("orders", "t", 0)
        .publish(&counted(10, [7, 0, 0, 2], 0));
    let balance = r#"lockgate_balance_records{partition="0",topic="t",topology="orders"}"#;
    assert_eq!(sample(&metrics.render(), balance), Some(1.0));
}

#[test]
fn assignments_that_overlap_while_one_drains_add_up() {
    let metrics = Metrics::new();
    let old = metrics.partition("orders", "t", 0);
    let new = metrics.partition("orders", "t", 0);
    old.publish(&counted(10, [4, 0, 0, 0], 6));
    new.publish(&counted(5, [2, 0, 0, 0], 3));
    let text = metrics.render();
    let value = |name: &str| {
        sample(
            &text,
            &format!("{name}{{partition=\"0\",topic=\"t\",topology=\"orders\"}}"),
        )
    };
    assert_eq!(value("lockgate_pending_records"), Some(9.0));
    assert_eq!(value("lockgate_balance_records"), Some(0.0));
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("lockgate_pending_records{"))
            .count(),
        1
    );
}

#[test]
fn lag_in_seconds_grows_while_the_road_stands_still() {
    let metrics = Metrics::new();
    let partition = metrics.partition("orders", "t", 0);
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let lag = || {
        sample(
            &metrics.render(),
            r#"lockgate_lag_seconds{partition="0",topic="t",topology="orders"}"#,
        )
    };
    partition.publish(&Snapshot {
        oldest_pending_ms: Some(now_ms - 60_000),
        ..counted(1, [0; 4], 1)
    });
    assert!(lag().unwrap() >= 60.0);
    partition.publish(&Snapshot {
        newest_consumed_ms: Some(now_ms - 60_000),
        ..counted(1, [1, 0, 0, 0], 0)
    });
    partition.track(&Position {
        end_offset: Some(10),
        ..Position::default()
    });
    assert_eq!(lag(), Some(0.0), "nothing is left to read");
    partition.track(&Position {
        end_offset: Some(11),
        ..Position::default()
    });
    assert!(
        lag().unwrap() >= 60.0,
        "something is left that was not fetched yet"
    );
}

/// `prometheus::IntCounterVec` takes both for one.
#[test]
fn label_values_that_run_together_stay_apart() {
    let metrics = Metrics::new();
    metrics.rebalanced("a", "bassigned");
    metrics.rebalanced("ab", "assigned");
    let text = metrics.render();
    assert_eq!(
        sample(
            &text,
            r#"lockgate_rebalances_total{kind="bassigned",topology="a"}"#
        ),
        Some(1.0)
    );
    assert_eq!(
        sample(
            &text,
            r#"lockgate_rebalances_total{kind="assigned",topology="ab"}"#
        ),
        Some(1.0)
    );
}

#[test]
fn a_lane_counts_locally_and_nothing_is_lost_when_it_ends() {
    let metrics = Metrics::new();
    let mut lane = metrics.lane("orders", &["big", "small"]);
    lane.delivered(1, 100, 0.02, Some(3.0));
    lane.delivered(1, 50, 0.7, None);
    lane.delivery_dead_lettered(0);
    lane.retried(0, "throttle");
    lane.retried(0, "throttle");
    lane.dead_lettered("decode", "poison", "bad_frame");
    lane.dead_lettered("decode", "poison", "bad_frame");
    lane.dead_lettered("decode", "poison", "truncated");
    let delivered =
        r#"lockgate_deliveries_total{outcome="delivered",route="small",topology="orders"}"#;
    assert_eq!(sample(&metrics.render(), delivered), Some(0.0));
    drop(lane);
    let text = metrics.render();
    for (series, value) in [
        (delivered, 2.0),
        (
            r#"lockgate_deliveries_total{outcome="dead_lettered",route="big",topology="orders"}"#,
            1.0,
        ),
        (
            r#"lockgate_delivered_bytes_total{route="small",topology="orders"}"#,
            150.0,
        ),
        (
            r#"lockgate_delivery_seconds_count{route="small",topology="orders"}"#,
            2.0,
        ),
        (
            r#"lockgate_delivery_seconds_bucket{route="small",topology="orders",le="0.025"}"#,
            1.0,
        ),
        (
            r#"lockgate_event_age_seconds_count{topology="orders"}"#,
            1.0,
        ),
        (
            r#"lockgate_retries_total{class="throttle",route="big",topology="orders"}"#,
            2.0,
        ),
        (
            r#"lockgate_dead_letters_total{class="poison",reason="bad_frame",step="decode",topology="orders"}"#,
            2.0,
        ),
        (
            r#"lockgate_dead_letters_total{class="poison",reason="truncated",step="decode",topology="orders"}"#,
            1.0,
        ),
    ] {
        assert_eq!(sample(&text, series), Some(value), "{series}\n{text}");
    }
}

#[test]
fn a_flood_of_labels_costs_bounded_memory() {
    let metrics = Metrics::new();
    for code in 0..6_000 {
        metrics.kafka_errors("main", "consumer", &code.to_string(), 1);
    }
    let text = metrics.render();
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("lockgate_kafka_errors_total{"))
            .count(),
        5_001
    );
    let overflow =
        r#"lockgate_kafka_errors_total{client="overflow",code="overflow",connection="overflow"}"#;
    assert_eq!(sample(&text, overflow), Some(1_000.0));
}

/// Provokes every metric once.
fn everything() -> std::sync::Arc<Metrics> {
    let metrics = Metrics::new();
    metrics.set_build_info("2.12.1");
    let topology = metrics.board().topology("orders", "ab12");
    topology.beat();
    topology.set_sink("big", Ok(()));
    let partition = metrics.partition("orders", "t", 0);
    partition.publish(&Snapshot {
        oldest_pending_ms: Some(0),
        ..counted(1, [0; 4], 1)
    });
    partition.track(&Position {
        end_offset: Some(15),
        paused: vec!["sink"],
        ..Position::default()
    });
    std::mem::forget(partition);
    let mut lane = metrics.lane("orders", &["big"]);
    lane.delivered(0, 1, 0.1, Some(0.1));
    lane.retried(0, "retry");
    lane.dead_lettered("decode", "poison", "bad_frame");
    metrics.rebalanced("orders", "assigned");
    metrics.owned("orders", "t", 0, true);
    metrics.schema_seen("orders", "t", "equal");
    metrics.kafka_errors("main", "consumer", "_TRANSPORT", 1);
    metrics.poison("orders", "source", "t").set_share(0.1);
    metrics
        .registry()
        .record(&crate::registry::Stats::default(), false);
    drop(lane);
    metrics
}

#[test]
fn every_metric_of_the_table_is_exposed_and_no_other() {
    let text = everything().render();
    let typed = |line: &str| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned());
    let exposed: HashSet<String> = text.lines().filter_map(typed).collect();
    let wanted: HashSet<String> = table().iter().map(|spec| spec.name.to_owned()).collect();
    assert_eq!(exposed, wanted);
    for spec in table() {
        let samples = || {
            text.lines()
                .filter(|line| line.starts_with(&format!("{}{{", spec.name)))
        };
        for label in spec.labels {
            assert!(
                samples().all(|line| line.contains(&format!("{label}=\""))),
                "{} lacks {label}",
                spec.name
            );
        }
    }
}

/// Prometheus's own linter, where it is installed.
#[test]
fn promtool_has_nothing_to_say_against_the_exposition() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = spawned else {
        return eprintln!("skipped: promtool is not installed");
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(everything().render().as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_schema_cache_is_taken_over_as_totals() {
    let metrics = Metrics::new();
    let registry = metrics.registry();
    let stats = crate::registry::Stats {
        known: 3,
        asks: 9,
        failures: 4,
        not_found: 2,
        hits: 100,
        misses: 5,
        ..Default::default()
    };
    registry.record(&stats, true);
    registry.record(&stats, true);
    let text = metrics.render();
    for (series, value) in [
        (r#"lockgate_schema_lookups_total{result="hit"}"#, 100.0),
        (r#"lockgate_schema_lookups_total{result="miss"}"#, 5.0),
        (r#"lockgate_registry_requests_total{result="found"}"#, 3.0),
        (
            r#"lockgate_registry_requests_total{result="not_found"}"#,
            2.0,
        ),
        (r#"lockgate_registry_requests_total{result="failed"}"#, 4.0),
        ("lockgate_registry_outage", 1.0),
        ("lockgate_schemas_cached", 3.0),
    ] {
        assert_eq!(sample(&text, series), Some(value), "{series}");
    }
    assert!(metrics.status().registry_outage);
}
