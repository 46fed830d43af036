//! What is shipped for operators fits what the program shows: dashboard, alerts, compose project, operations guide.
//! Tests that need Prometheus' programs are marked as ignored; `.ci/run` runs them with `--ignored`.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate::admin::Admin;
use lockgate::core::flow::Reason;
use lockgate::telemetry::{Kind, Metrics, Position, Snapshot, TopologyState, table};
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words that are names of metrics.
fn metric_names(text: &str) -> BTreeSet<String> {
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.split(|char| !is_word(char))
        .filter(|word| word.starts_with("lockgate_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The names under which the table's metrics can be asked for.
fn exposed_names() -> BTreeSet<String> {
    let names = |spec: &&lockgate::telemetry::MetricSpec| match spec.kind {
        Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
            .map(|end| format!("{}{end}", spec.name))
            .to_vec(),
        Kind::Counter | Kind::Gauge => vec![spec.name.to_owned()],
    };
    table().iter().flat_map(names).collect()
}

/// Title and expression of every query of every panel, and the queries of the variables.
fn dashboard_queries() -> (Vec<(String, String)>, Vec<String>) {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/grafana/dashboards/lockgate.json")).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let panels = list(&dashboard["panels"]);
    let queries = panels.iter().flat_map(|panel| {
        list(&panel["targets"])
            .into_iter()
            .map(|target| (text(&panel["title"]), text(&target["expr"])))
            .collect::<Vec<_>>()
    });
    let variables = list(&dashboard["templating"]["list"]);
    let variables = variables
        .iter()
        .filter(|variable| variable["type"] == "query")
        .map(|variable| text(&variable["query"]["query"]));
    (queries.collect(), variables.collect())
}

/// Alert names and expressions; an expression ends where the next key of the rule begins.
fn alerts() -> Vec<(String, String)> {
    let rules = read("deploy/prometheus/lockgate.rules.yml");
    let alert = |chunk: &str| {
        let name = chunk.lines().next().unwrap().trim().to_owned();
        let expression = chunk.split_once("expr:").unwrap().1;
        let end = ["\n        for:", "\n        labels:"]
            .iter()
            .filter_map(|key| expression.find(key))
            .min()
            .unwrap();
        (name, expression[..end].to_owned())
    };
    rules.split("- alert:").skip(1).map(alert).collect()
}

#[test]
fn every_query_of_dashboard_and_alerts_asks_for_metrics_of_the_table() {
    let exposed = exposed_names();
    let (queries, variables) = dashboard_queries();
    assert!(
        queries.len() >= 40 && variables.len() == 2 && alerts().len() >= 15,
        "the queries were not found"
    );
    let all = queries
        .into_iter()
        .chain(
            variables
                .into_iter()
                .map(|query| ("variable".to_owned(), query)),
        )
        .chain(alerts());
    for (place, query) in all {
        for name in metric_names(&query) {
            assert!(exposed.contains(&name), "{place}: {name} does not exist");
        }
    }
}

#[test]
fn every_metric_of_the_table_is_on_the_dashboard() {
    let (queries, _) = dashboard_queries();
    let asked: BTreeSet<String> = queries
        .iter()
        .flat_map(|(_, query)| metric_names(query))
        .collect();
    for spec in table() {
        let is_shown = asked
            .iter()
            .any(|name| name.strip_suffix("_bucket").unwrap_or(name) == spec.name);
        assert!(is_shown, "{} is on no panel", spec.name);
    }
}

#[test]
fn the_operations_guide_explains_every_alert_pause_reason_and_state() {
    let guide = read("docs/OPERATIONS.md");
    for (alert, _) in alerts() {
        assert!(
            guide.contains(&format!("### {alert}\n")),
            "the alert {alert} has no section"
        );
        let anchor = format!("docs/OPERATIONS.md#{}", alert.to_lowercase());
        assert!(
            read("deploy/prometheus/lockgate.rules.yml").contains(&anchor),
            "{alert} does not point to {anchor}"
        );
    }
    for reason in Reason::ALL {
        assert!(
            guide.contains(&format!("| `{}` |", reason.as_str())),
            "the pause reason {} is not explained",
            reason.as_str()
        );
    }
    for state in TopologyState::NAMES {
        assert!(
            guide.contains(&format!("| `{state}` |")),
            "the state {state} is not explained"
        );
    }
}

/// Runs a tool, which must succeed.
fn run(tool: &str, arguments: &[&str], folder: &Path) {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{tool} could not be started: {error}; is it installed?"));
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{tool} {arguments:?}:\n{}",
        String::from_utf8_lossy(&said)
    );
}

#[test]
#[ignore = "needs promtool"]
fn every_alert_fires_when_it_should_and_only_then() {
    let folder = root().join("deploy/prometheus");
    run("promtool", &["check", "config", "prometheus.yml"], &folder);
    run(
        "promtool",
        &["test", "rules", "lockgate.rules.test.yml"],
        &folder,
    );
}

#[test]
fn every_alert_has_a_case_in_which_it_fires() {
    let cases = read("deploy/prometheus/lockgate.rules.test.yml");
    for (alert, _) in alerts() {
        let of_alert = cases.split("alertname: ").filter(|case| {
            case.starts_with(&alert) && !case[alert.len()..].starts_with(char::is_alphanumeric)
        });
        let fires = of_alert
            .filter(|case| {
                case.lines()
                    .take(3)
                    .any(|line| line.trim_end().ends_with("exp_alerts:"))
            })
            .count();
        assert!(fires > 0, "{alert} has no case in which it fires");
    }
}

#[test]
fn the_compose_project_publishes_on_loopback_only_and_mounts_what_exists() {
    let compose = read("docker-compose.yml");
    let ports: Vec<&str> = compose
        .lines()
        .filter(|line| line.trim().starts_with("ports:"))
        .collect();
    assert!(ports.len() >= 6, "{ports:?}");
    for port in ports {
        assert!(port.contains("\"127.0.0.1:"), "{port}");
    }
    let mounts = compose
        .split(['"', ' ', '\n'])
        .filter(|word| word.starts_with("./") && word.contains(':'));
    let mut count = 0;
    for mount in mounts {
        let path = mount.split(':').next().unwrap();
        assert!(
            root().join(path).exists(),
            "{path} is mounted and does not exist"
        );
        count += 1;
    }
    assert!(count >= 6);
}

// === a real Prometheus ===

struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}\n\
             scrape_configs: [{{ job_name: lockgate, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
        );
        std::fs::write(folder.join("prometheus.yml"), config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let spawned = Command::new("prometheus")
            .current_dir(folder)
            .args([
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                "--log.level=warn",
            ])
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn();
        let child = spawned.unwrap_or_else(|error| {
            panic!("prometheus could not be started: {error}; is it installed?")
        });
        Self { child, address }
    }

    /// Number of series that answer an instant query, or why there is no answer yet.
    fn ask(&self, query: &str) -> Result<usize, String> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let mut stream = TcpStream::connect(self.address).map_err(|error| error.to_string())?;
        write!(
            stream,
            "GET /api/v1/query?query={encoded} HTTP/1.0\r\nHost: localhost\r\n\r\n"
        )
        .map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .map_err(|error| error.to_string())?;
        let body = answer.split_once("\r\n\r\n").ok_or("no HTTP")?.1;
        let body: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
        match body["status"].as_str() {
            Some("success") => Ok(body["data"]["result"].as_array().map_or(0, Vec::len)),
            _ => Err(body.to_string()),
        }
    }
}

/// One of everything that a worker can show.
fn worker() -> (Arc<Metrics>, Vec<Box<dyn std::any::Any>>) {
    let metrics = Metrics::new();
    metrics.set_build_info("2.12.1");
    let topology = metrics.board().topology("orders", "ab12");
    topology.beat();
    topology.set_state(TopologyState::Running);
    topology.set_sink("big", Ok(()));
    let partition = metrics.partition("orders", "shop.public.orders", 0);
    partition.publish(&Snapshot {
        consumed: 9,
        disposed: [5, 1, 1, 0],
        pending: 2,
        frontier: Some(7),
        oldest_pending_ms: Some(0),
        ..Snapshot::default()
    });
    partition.track(&Position {
        end_offset: Some(15),
        paused: vec!["sink"],
        ..Position::default()
    });
    let mut lane = metrics.lane("orders", &["big"]);
    lane.delivered(0, 100, 0.1, Some(0.1));
    lane.retried(0, "retry");
    lane.dead_lettered("decode", "poison", "bad_frame");
    lane.flush();
    metrics.rebalanced("orders", "assigned");
    metrics.owned("orders", "shop.public.orders", 0, true);
    metrics.schema_seen("orders", "shop.public.orders", "equal");
    metrics.kafka_errors("main", "consumer", "_TRANSPORT", 1);
    metrics
        .poison("orders", "source", "shop.public.orders")
        .set_share(0.01);
    metrics
        .registry()
        .record(&lockgate::registry::Stats::default(), false);
    (metrics, vec![Box::new(partition), Box::new(lane)])
}

#[test]
#[ignore = "needs prometheus"]
fn every_panel_is_answered_by_a_real_prometheus() {
    let (metrics, _held) = worker();
    let admin = Admin::start(SocketAddr::from(([127, 0, 0, 1], 0)), metrics).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Prometheus::start(folder.path(), admin.address());
    let deadline = Instant::now() + Duration::from_secs(60);
    for (panel, query) in dashboard_queries().0 {
        let query = query
            .replace("$topology", ".*")
            .replace("$topic", ".*")
            .replace("$__rate_interval", "10s");
        loop {
            let answer = prometheus.ask(&query);
            if matches!(answer, Ok(1..)) {
                break;
            }
            let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "{panel}: {query}: {answer:?}\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
