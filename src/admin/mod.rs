//! `/live`, `/ready`, `/metrics`, `/status`, and a page for people. Reads, never steers.
//!
//! It runs on a thread and a runtime of its own: when the road stands still, this is what still answers and says so.
//! Whoever can connect is a stranger: every connection ends within ten seconds, there are at most
//! 64 of them, one request each, and nothing can be changed from here.

mod routes;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, oneshot};
use tracing::{debug, info, warn};

use crate::telemetry::Metrics;

/// Open connections; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;
/// From accept to the last byte of the answer.
const CONNECTION_SECONDS_MAX: Duration = Duration::from_secs(10);
/// From accept to the last byte of the request's head.
const HEADER_SECONDS_MAX: Duration = Duration::from_secs(5);
/// Size of the request's head; browsers stay below 4 KiB.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The endpoint. Dropping it stops it.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    /// Dropped to stop the thread, which then takes no more connections.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Why the endpoint could not be started.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is taken.
    #[error(
        "the admin endpoint cannot listen on {0}: another process holds the port; \
         set admin.listen (LOCKGATE__ADMIN__LISTEN) to a free one, or to off"
    )]
    Busy(SocketAddr),
    /// The address cannot be used for another reason.
    #[error("the admin endpoint cannot listen on {0} (admin.listen): {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The system gave no thread.
    #[error("the thread of the admin endpoint cannot be started: {0}")]
    Thread(#[source] std::io::Error),
}

impl Admin {
    /// Listens on `listen` (port 0: any free one) and answers from `metrics` until it is dropped.
    pub fn start(listen: SocketAddr, metrics: Arc<Metrics>) -> Result<Admin, AdminError> {
        let refuse = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => AdminError::Busy(listen),
            _ => AdminError::Listen(listen, error),
        };
        let listener = TcpListener::bind(listen).map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(AdminError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || runtime.block_on(serve(listener, address.ip(), metrics, stopped)))
            .map_err(AdminError::Thread)?;
        info!(%address, "admin endpoint listens");
        if !address.ip().is_loopback() {
            warn!(%address, "the admin endpoint is open to the network; it shows topics, offsets and error texts to whoever connects");
        }
        Ok(Admin {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It ends at once: open connections are cut.
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: TcpListener,
    address: IpAddr,
    metrics: Arc<Metrics>,
    mut stopped: oneshot::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "the admin endpoint cannot be watched"),
    };
    let routes = routes::router(metrics, address.is_loopback());
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_SECONDS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .keep_alive(false);
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = &mut stopped => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most often: accepting again at once would spin.
                warn!(%error, reason = "admin_accept", "the admin endpoint cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(routes.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let ended = tokio::time::timeout(CONNECTION_SECONDS_MAX, connection).await;
            if let Ok(Err(error)) = ended {
                debug!(%error, "a connection to the admin endpoint broke");
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests;
