//! What each path answers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::telemetry::Metrics;

/// The page for people: one file, its script and style allowed by a nonce.
const PAGE: &str = include_str!("page.html");
const NONCE: &str = "{{nonce}}";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// All paths, for GET and HEAD only. `is_loopback`: refuse foreign host names, see [`guard`].
pub(super) fn router(metrics: Arc<Metrics>, is_loopback: bool) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(render))
        .route("/status", get(status))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "there are /, /live, /ready, /metrics and /status\n",
            )
        })
        .layer(middleware::from_fn_with_state(is_loopback, guard))
        .with_state(metrics)
}

async fn page() -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let page = Html(PAGE.replace(NONCE, &nonce));
    ([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

async fn live(State(metrics): State<Arc<Metrics>>) -> Response {
    verdict(metrics.board().live(), "live\n")
}

async fn ready(State(metrics): State<Arc<Metrics>>) -> Response {
    verdict(metrics.board().ready(), "ready\n")
}

fn verdict(verdict: Result<(), Vec<String>>, good: &'static str) -> Response {
    match verdict {
        Ok(()) => good.into_response(),
        Err(complaints) => (
            StatusCode::SERVICE_UNAVAILABLE,
            complaints.join("\n") + "\n",
        )
            .into_response(),
    }
}

async fn render(State(metrics): State<Arc<Metrics>>) -> Response {
    let format = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (format, metrics.render()).into_response()
}

async fn status(State(metrics): State<Arc<Metrics>>) -> Response {
    Json(metrics.status()).into_response()
}

/// Headers for every answer. On loopback only names of loopback are answered: a web page elsewhere whose name resolves to
/// 127.0.0.1 would otherwise read the status through the browser of whoever visits it.
async fn guard(State(is_loopback): State<bool>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .map(HeaderValue::as_bytes);
    let mut response = if is_loopback && !host.is_none_or(names_loopback) {
        let text = "this endpoint listens on loopback and answers only to localhost, 127.0.0.1 and [::1]\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn names_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
