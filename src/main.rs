//! The life of the process: parse the command line, run the command, tell how it ended.

use std::process::ExitCode;

use lockgate::cli::{self, Cli};

fn main() -> ExitCode {
    lockgate::kafka::prepare_allocator();
    let ended = match Cli::from_process() {
        Ok(cli) => cli.run(),
        Err(shown) => return shown.print().into(),
    };
    cli::conclude(ended).into()
}
