//! `lockgate completion SHELL`: the completion script of a shell.

use std::io::Write;

use super::{Cli, Exit, Global, stdout};

/// The words of `lockgate completion`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  lockgate completion bash > /etc/bash_completion.d/lockgate
  lockgate completion zsh > ~/.zfunc/_lockgate")]
pub struct Args {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Prints the script.
pub fn run(args: &Args, _global: &Global) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::described(), "lockgate", &mut script);
    stdout().write_all(&script)?;
    Ok(Exit::Done)
}
