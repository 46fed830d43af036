//! Ctrl-C and SIGTERM: the first asks for a drain, the second leaves at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Exit;

/// Turns true when the process was asked to stop. A second signal ends the process with exit 130.
pub type Stop = watch::Receiver<bool>;

/// Starts to listen, on the current tokio runtime. Fails if the handlers cannot be installed.
pub fn listen() -> std::io::Result<Stop> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (asked, stop) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked.send_replace(true) {
                // This is the one place where leaving without draining is what was asked for.
                #[allow(clippy::disallowed_methods)]
                std::process::exit(i32::from(Exit::Killed.code()));
            }
            tracing::info!("asked to stop: draining; a second signal leaves at once");
        }
    });
    Ok(stop)
}
