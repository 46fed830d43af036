//! The command line: one file per command, each with its `Args` and `run`. This file holds what they share: the global
//! flags, the exit codes, and how an error turns into one.

pub mod against;
pub mod check;
pub mod completion;
pub mod config;
pub mod demo;
pub mod describe;
pub mod dlq;
pub mod eval;
pub mod health;
pub mod produce;
pub mod run;
pub mod schema;
pub mod signals;
pub mod tail;
pub mod test;
pub mod trace;

mod decode;
mod ending;
mod event;
mod number;
mod table;
mod topic;

pub use ending::{Exit, Shown, UsageError, conclude, stderr, stdout};

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, ConfigFaults, Profile, Sources};
use crate::topology::Vars;

/// The whole command line.
#[derive(Parser)]
#[command(
    name = "lockgate",
    version,
    about = "Processes change events from Kafka and commits an offset only after its record has arrived.",
    after_help = AFTER_HELP,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  lockgate demo                          the whole road on an embedded broker and registry
  lockgate check topologies/             prove the topologies against their schemas, offline
  lockgate run topologies/               work until Ctrl-C
  lockgate dlq list --topic orders.dlq   what was dead-lettered, grouped by cause

Exit codes: 0 done, 1 failed at run time, 64 wrong usage or configuration, 130 a second signal.";

/// Flags that every command takes. They outrank the environment and the configuration files.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file; without it `lockgate.toml` in the working directory, if there is one.
    #[arg(long, global = true, value_name = "FILE", env = "LOCKGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Profile, whose file (`lockgate.PROFILE.toml`) overlays the configuration file [default: dev].
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "PROFILE",
        env = "LOCKGATE_PROFILE"
    )]
    pub profile: Option<Profile>,
    /// One configuration value, such as `limits.drain_timeout_ms=5000`; may be given several times.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// What to log, such as `debug` or `info,lockgate::registry=debug`; short for `--set log.filter=…`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// Which of `config` and `profile` were given as flags, not by the environment.
    #[arg(skip)]
    pub said: Vec<&'static str>,
}

impl Global {
    /// The effective configuration: defaults, files, environment, these flags. Fails with every fault found.
    pub fn config(&self) -> Result<Config, ConfigFaults> {
        crate::config::load(&self.sources())
    }

    /// The values for variables of topologies, for commands that connect to nothing and need no secret of the configuration.
    pub fn vars(&self) -> Result<Vars, ConfigFaults> {
        Ok(crate::config::load_offline(&self.sources())?.vars)
    }

    /// Where the configuration is read from, so that a command may add to it.
    pub fn sources(&self) -> Sources {
        let mut sources = Sources::of_process();
        sources.file = self.config.clone();
        sources.profile = self.profile;
        sources.flags.extend(self.set.iter().cloned());
        if let Some(filter) = &self.log {
            sources.flags.push(("log.filter".into(), filter.clone()));
        }
        sources
    }
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Run topologies until a signal, or until the end with `--until latest`.
    Run(run::Args),
    /// Show the main job at work, on an embedded broker and registry.
    Demo(demo::Args),
    /// Prove topologies against their schemas, offline; every fault at once.
    Check(check::Args),
    /// Run the test cases that stand beside topologies.
    Test(test::Args),
    /// Tell the type of an expression, and its value for an event.
    Eval(eval::Args),
    /// Show a record's way through a topology: what each step and route saw, decided and made.
    Trace(trace::Args),
    /// Show the flow of a topology, its topics, the ACLs it needs and what it guarantees.
    Describe(describe::Args),
    /// Write JSON lines to a topic, encoded with its registered Avro schema.
    Produce(produce::Args),
    /// Read a topic, decoded to JSON.
    Tail(tail::Args),
    /// List, show and redrive dead letters.
    Dlq(dlq::Args),
    /// Ask a worker on this machine whether it is alive; for container health checks.
    Health(health::Args),
    /// Show the effective configuration and where each value comes from.
    Config(config::Args),
    /// List, register and compare the schemas of the registry; print the JSON Schema of topologies.
    Schema(schema::Args),
    /// Print the completion script of a shell.
    Completion(completion::Args),
}

impl Cli {
    /// The command line of this process, or what clap has to say instead (help, version, a wrong word).
    pub fn from_process() -> Result<Cli, Shown> {
        Cli::parse_words(std::env::args_os())
    }

    /// Parses words, the program's name first.
    pub fn parse_words<I, T>(words: I) -> Result<Cli, Shown>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let mut command = Cli::described();
        let matches = command
            .try_get_matches_from_mut(words)
            .map_err(Shown::from)?;
        let mut cli = Cli::from_arg_matches(&matches)
            .map_err(|error| Shown::from(error.format(&mut command)))?;
        let is_said = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        cli.global.said = ["config", "profile"].into_iter().filter(is_said).collect();
        Ok(cli)
    }

    /// The clap command, with a long version that names the client library: half of all questions begin there.
    pub fn described() -> clap::Command {
        static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
            let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
            format!("{} (librdkafka {librdkafka})", env!("CARGO_PKG_VERSION"))
        });
        Cli::command().long_version(LONG_VERSION.as_str())
    }

    /// Runs the command to its end.
    pub fn run(&self) -> anyhow::Result<Exit> {
        let global = &self.global;
        match &self.command {
            Command::Run(args) => run::run(args, global),
            Command::Demo(args) => demo::run(args, global),
            Command::Check(args) => check::run(args, global),
            Command::Test(args) => test::run(args, global),
            Command::Eval(args) => eval::run(args, global),
            Command::Trace(args) => trace::run(args, global),
            Command::Describe(args) => describe::run(args, global),
            Command::Produce(args) => produce::run(args, global),
            Command::Tail(args) => tail::run(args, global),
            Command::Dlq(args) => dlq::run(args, global),
            Command::Health(args) => health::run(args, global),
            Command::Config(args) => config::run(args, global),
            Command::Schema(args) => schema::run(args, global),
            Command::Completion(args) => completion::run(args, global),
        }
    }
}

/// The runtime for HTTP, signals and timers. The road itself has its own threads, so two workers are plenty.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lockgate-io")
        .enable_all()
        .build()
        .context("starting the I/O threads failed")
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        // The text is not repeated: it may be a secret whose key was forgotten.
        _ => Err("write KEY=VALUE, such as limits.drain_timeout_ms=5000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::described().debug_assert();
    }

    #[test]
    fn a_wrong_word_gets_a_suggestion_and_exit_64() {
        let shown = Cli::parse_words(["lockgate", "dscribe", "x"])
            .err()
            .unwrap();
        assert_eq!(shown.exit(), Exit::Usage);
        assert!(shown.text().contains("describe"), "{}", shown.text());
    }

    #[test]
    fn a_wrong_profile_gets_a_suggestion_and_exit_64() {
        let shown = Cli::parse_words(["lockgate", "--profile", "prodution", "config"])
            .err()
            .unwrap();
        assert_eq!(shown.exit(), Exit::Usage);
        assert!(shown.text().contains("'production'"), "{}", shown.text());
    }

    #[test]
    fn help_and_version_end_with_exit_0() {
        for word in ["--help", "--version"] {
            let shown = Cli::parse_words(["lockgate", word]).err().unwrap();
            assert_eq!(shown.exit(), Exit::Done, "{word}");
        }
    }

    #[test]
    fn every_command_has_examples_in_its_help() {
        for command in Cli::described().get_subcommands() {
            let help = command
                .get_after_help()
                .map(|text| text.to_string())
                .unwrap_or_default();
            assert!(
                help.contains("lockgate "),
                "`{}` has no examples in its help",
                command.get_name()
            );
        }
    }

    #[test]
    fn a_secret_without_a_key_is_not_repeated() {
        let shown = Cli::parse_words(["lockgate", "--set", "canary-5f2a", "config"])
            .err()
            .unwrap();
        assert_eq!(shown.exit(), Exit::Usage);
        // clap quotes the argument it could not read; Shown takes it out again.
        assert!(!shown.text().contains("canary-5f2a"), "{}", shown.text());
    }
}
