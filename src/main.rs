//! The life of the process: parse the command line, run the command, tell how it ended.

use std::process::ExitCode;
use std::time::Duration;

use lockgate::cli::{self, Cli};

/// Also takes the place of the C library's `malloc`: the client library allocates every message on one thread and we free it on another,
/// which is what this allocator is made for. The effect is in `docs/PERFORMANCE.md`.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let ended = match Cli::from_process() {
        Ok(cli) => cli.run(),
        Err(shown) => return shown.print().into(),
    };
    let exit = cli::conclude(ended);
    // A client that is still being destroyed at exit may use libraries that have been taken down.
    lockgate::kafka::wait_for_dropped_clients(Duration::from_secs(5));
    exit.into()
}
