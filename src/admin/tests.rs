use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::*;
use crate::telemetry::{Position, Snapshot, TopologyState};

fn start(metrics: &Arc<Metrics>) -> Admin {
    Admin::start(SocketAddr::from(([127, 0, 0, 1], 0)), metrics.clone()).unwrap()
}

fn ask(admin: &Admin, request: &str) -> String {
    let mut stream = TcpStream::connect(admin.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(admin: &Admin, path: &str) -> String {
    ask(
        admin,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost:9400\r\n\r\n"),
    )
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn status_holds_what_the_contract_names() {
    let metrics = Metrics::new();
    let topology = metrics.board().topology("orders", "ab12");
    topology.set_state(TopologyState::Running);
    let partition = metrics.partition("orders", "shop.public.orders", 3);
    partition.publish(&Snapshot {
        consumed: 7,
        disposed: [4, 1, 0, 0],
        pending: 2,
        frontier: Some(105),
        ..Snapshot::default()
    });
    partition.track(&Position {
        epoch: 2,
        position: Some(107),
        committed: Some(104),
        end_offset: Some(110),
        paused: vec!["sink"],
    });
    let answer = get(&start(&metrics), "/status");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let status: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    let topology = &status["topologies"][0];
    assert_eq!(
        (topology["id"].as_str(), topology["state"].as_str()),
        (Some("orders"), Some("running"))
    );
    assert_eq!(topology["account"]["balance"], 0);
    let mut row = topology["partitions"][0].clone();
    row.as_object_mut().unwrap().remove("lag_seconds");
    let wanted = serde_json::json!({
        "topic": "shop.public.orders", "partition": 3, "epoch": 2, "position": 107, "frontier": 105, "committed": 104,
        "lag_records": 5, "pending": 2, "paused": ["sink"]
    });
    assert_eq!(row, wanted);
}

#[test]
fn ready_says_what_is_missing_until_nothing_is() {
    let metrics = Metrics::new();
    let admin = start(&metrics);
    assert!(get(&admin, "/ready").starts_with("HTTP/1.1 503"));
    assert!(get(&admin, "/live").starts_with("HTTP/1.1 200"));
    let topology = metrics.board().topology("orders", "ab12");
    assert!(get(&admin, "/ready").contains("orders: no partitions have been assigned yet"));
    topology.set_assigned();
    topology.set_state(TopologyState::Running);
    topology.set_sink("big", Err("the breaker is open".to_owned()));
    assert!(get(&admin, "/ready").contains("orders: not usable: big (the breaker is open)"));
    topology.set_sink("big", Ok(()));
    assert!(get(&admin, "/ready").starts_with("HTTP/1.1 200"));
    topology.set_state(TopologyState::Stopped("poison".to_owned()));
    assert!(get(&admin, "/ready").contains("orders: stopped: poison"));
    assert!(get(&admin, "/live").starts_with("HTTP/1.1 200"));
}

#[test]
fn metrics_are_answered_in_the_text_format() {
    let metrics = Metrics::new();
    metrics.set_build_info("2.12.1");
    let answer = get(&start(&metrics), "/metrics");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(body(&answer).contains("lockgate_build_info{"), "{answer}");
}

#[test]
fn every_answer_carries_the_security_headers_and_the_page_a_fresh_nonce() {
    let metrics = Metrics::new();
    let admin = start(&metrics);
    for path in ["/", "/live", "/metrics", "/status", "/nothing"] {
        let answer = get(&admin, path);
        for header in [
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
        ] {
            assert!(answer.contains(header), "{path} lacks {header}");
        }
    }
    let nonce = |answer: &str| answer.split_once("script-src 'nonce-").unwrap().1[..32].to_owned();
    let (first, second) = (get(&admin, "/"), get(&admin, "/"));
    assert_ne!(nonce(&first), nonce(&second));
    assert!(first.contains(&format!("<script nonce=\"{}\">", nonce(&first))));
    assert!(
        !first.contains(" style=") && !first.contains("http://") && !first.contains("https://")
    );
}

#[test]
fn nothing_but_reading_is_allowed() {
    let metrics = Metrics::new();
    let admin = start(&metrics);
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = ask(
            &admin,
            &format!("{method} /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
    }
}

#[test]
fn a_foreign_host_name_is_refused_on_loopback() {
    let metrics = Metrics::new();
    let admin = start(&metrics);
    for (host, status) in [
        ("evil.example", "421"),
        ("127.0.0.1.evil.example:9400", "421"),
        ("LOCALHOST", "200"),
        ("127.0.0.1:9400", "200"),
        ("[::1]:9400", "200"),
        ("[::1]", "200"),
    ] {
        let answer = ask(
            &admin,
            &format!("GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        );
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{host}: {answer}"
        );
    }
}

#[test]
fn an_endless_request_head_is_cut() {
    let metrics = Metrics::new();
    let admin = start(&metrics);
    let mut stream = TcpStream::connect(admin.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // Whether the server answers 431 or resets depends on how far we got; that it ends is the promise.
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    let sent = stream
        .write_all(b"GET /live HTTP/1.1\r\n")
        .and_then(|()| (0..1000).try_for_each(|_| stream.write_all(line.as_bytes())));
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        sent.is_err() || read.is_err() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    assert!(get(&admin, "/live").starts_with("HTTP/1.1 200"));
}

#[test]
fn idle_connections_do_not_keep_a_probe_out_for_long() {
    let metrics = Metrics::new();
    let admin = start(&metrics);
    let idle: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| TcpStream::connect(admin.address()).unwrap())
        .collect();
    // Waits behind the idle ones until their head is overdue.
    let began = std::time::Instant::now();
    assert!(get(&admin, "/live").starts_with("HTTP/1.1 200"));
    assert!(
        began.elapsed() < CONNECTION_SECONDS_MAX,
        "{:?}",
        began.elapsed()
    );
    drop(idle);
}

#[test]
fn a_busy_port_is_named_with_what_to_do() {
    let metrics = Metrics::new();
    let first = start(&metrics);
    let error = Admin::start(first.address(), metrics.clone())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&first.address().to_string()) && error.contains("admin.listen"),
        "{error}"
    );
}

#[test]
fn the_port_is_free_again_after_the_end() {
    let metrics = Metrics::new();
    let address = start(&metrics).address();
    assert_eq!(Admin::start(address, metrics).unwrap().address(), address);
}
