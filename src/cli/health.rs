//! `lockgate health`: asks the admin endpoint of a worker, for containers whose image holds nothing else that could.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

use super::{Exit, Global, UsageError};

/// Longer than this a worker that is alive does not need.
const ANSWER_SECONDS_MAX: Duration = Duration::from_secs(5);
/// More than any answer of `/live` and `/ready`.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The words of `lockgate health`.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lockgate health           exit 0 while the poll loop turns\n  lockgate health --ready   exit 0 while it is assigned and its sinks are usable"
)]
pub struct Args {
    /// Ask `/ready` instead of `/live`.
    #[arg(long)]
    pub ready: bool,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let Some(listen) = global.config()?.admin.listen else {
        bail!(UsageError(
            "admin.listen is off: there is no endpoint to ask".to_owned()
        ));
    };
    let path = if args.ready { "/ready" } else { "/live" };
    let (status, body) = ask(reachable(listen), path).with_context(|| {
        format!("asking {path} of the worker at {listen} (admin.listen) failed")
    })?;
    if status == 200 {
        return Ok(Exit::Done);
    }
    bail!(
        "the worker at {listen} answers {path} with {status}: {}",
        body.trim()
    );
}

/// An endpoint that listens on all addresses is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_SECONDS_MAX)?;
    stream.set_read_timeout(Some(ANSWER_SECONDS_MAX))?;
    stream.set_write_timeout(Some(ANSWER_SECONDS_MAX))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer is not HTTP")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok((status.context("the answer has no status")?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Admin;
    use crate::telemetry::Metrics;

    #[test]
    fn health_is_what_the_endpoint_says() {
        let metrics = Metrics::new();
        let admin = Admin::start(
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            metrics.clone(),
        )
        .unwrap();
        let global = |listen: String| Global {
            set: vec![("admin.listen".to_owned(), listen)],
            ..Global::default()
        };
        let listening = global(admin.address().to_string());
        assert_eq!(run(&Args { ready: false }, &listening).unwrap(), Exit::Done);
        let error = run(&Args { ready: true }, &listening)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("503: no topology has been started"),
            "{error}"
        );
        drop(admin);
        assert!(run(&Args { ready: false }, &listening).is_err());
    }
}
