//! The life of the process: parse the command line, run the command, tell how it ended.

use std::process::ExitCode;
use std::time::Duration;

use lockgate::cli::{self, Cli};

fn main() -> ExitCode {
    lockgate::kafka::prepare_allocator();
    let ended = match Cli::from_process() {
        Ok(cli) => cli.run(),
        Err(shown) => return shown.print().into(),
    };
    let exit = cli::conclude(ended);
    // A client that is still being destroyed at exit may use libraries that have been taken down.
    lockgate::kafka::wait_for_dropped_clients(Duration::from_secs(5));
    exit.into()
}
