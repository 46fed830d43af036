//! How a command ends: exit codes, errors as they are shown, output streams that survive a closed pipe.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::{ConfigFault, ConfigFaults};
use crate::words;

/// The exit codes of every command (CONTRACTS: scripts rely on them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, also drained after Ctrl-C or SIGTERM.
    Done,
    /// 1: failed at run time.
    Failed,
    /// 64: wrong words, a configuration fault, faults found by `check`.
    Usage,
    /// 130: a second signal.
    Killed,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Killed => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The words given to a command do not make sense together. Ends with exit 64; anywhere in a chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// What clap shows instead of a parsed command line: help, the version, or what is wrong.
pub struct Shown(clap::Error);

impl From<clap::Error> for Shown {
    fn from(mut error: clap::Error) -> Shown {
        // A value that was refused may be a secret in the wrong place: `--set` is the only argument that takes one.
        let of_set = matches!(
            error.get(ContextKind::InvalidArg),
            Some(ContextValue::String(arg)) if arg.starts_with("--set")
        );
        if of_set && error.get(ContextKind::InvalidValue).is_some() {
            let hidden = ContextValue::String("<hidden>".into());
            error.insert(ContextKind::InvalidValue, hidden);
        }
        Shown(error)
    }
}

impl Shown {
    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        match self.0.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
            _ => Exit::Usage,
        }
    }

    /// The text without colours.
    pub fn text(&self) -> String {
        self.0.render().to_string()
    }

    /// Prints it to standard output (asked for) or standard error (not asked for).
    pub fn print(&self) -> Exit {
        // Nobody is left to tell if the stream is closed.
        let _ = self.0.print();
        self.exit()
    }
}

/// Turns the end of a command into an exit code, and prints the error, if it is one, as one chain.
pub fn conclude(ended: anyhow::Result<Exit>) -> Exit {
    let error = match ended {
        Ok(exit) => return exit,
        Err(error) => error,
    };
    // Nobody is left to tell if the stream is closed.
    let _ = show(&error, &mut stderr());
    exit_of(&error)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<UsageError>() || cause.is::<ConfigFault>() || cause.is::<ConfigFaults>() {
            return Exit::Usage;
        }
    }
    Exit::Failed
}

fn show(error: &anyhow::Error, to: &mut impl Write) -> io::Result<()> {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let mut shown = String::new();
    for cause in error.chain() {
        let words = match cause.downcast_ref::<io::Error>() {
            Some(error) => words::of_io(error),
            None => words::without_number(&cause.to_string()),
        };
        // Some errors say their cause, and have it as well.
        if !shown.ends_with(&words) {
            shown.push_str(": ");
            shown.push_str(&words);
        }
    }
    writeln!(to, "{red}error{red:#}{shown}")
}

/// An output stream whose reader may leave (`lockgate … | head`). What is written after that is dropped: how a command ends
/// is its own affair, not its reader's. An endless command asks [`Stream::is_closed`].
pub struct Stream<W> {
    name: &'static str,
    inner: W,
    is_closed: bool,
}

impl<W: Write> Stream<W> {
    fn new(name: &'static str, inner: W) -> Stream<W> {
        Stream {
            name,
            inner,
            is_closed: false,
        }
    }

    /// Whether the reader has left.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn unless_closed<T>(&mut self, done: io::Result<T>, otherwise: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(otherwise)
            }
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("{} cannot be written: {}", self.name, words::of_io(&error)),
            )),
            done => done,
        }
    }
}

impl<W: Write> Write for Stream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let done = self.inner.write(bytes);
        self.unless_closed(done, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let done = self.inner.flush();
        self.unless_closed(done, ())
    }
}

/// Standard output, with colours only on a terminal and never under `NO_COLOR`. Write with `writeln!(…)?`: `println!` would
/// panic where the reader left.
pub fn stdout() -> Stream<anstream::AutoStream<io::StdoutLock<'static>>> {
    Stream::new(
        "standard output",
        anstream::AutoStream::auto(io::stdout().lock()),
    )
}

/// Standard error, with colours only on a terminal and never under `NO_COLOR`.
pub fn stderr() -> Stream<anstream::AutoStream<io::StderrLock<'static>>> {
    Stream::new(
        "standard error",
        anstream::AutoStream::auto(io::stderr().lock()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    fn failed(error: impl Into<anyhow::Error>) -> anyhow::Error {
        Err::<(), _>(error.into())
            .context("while doing it")
            .unwrap_err()
    }

    #[test]
    fn errors_map_to_the_exit_codes_of_the_contract() {
        assert_eq!(exit_of(&failed(UsageError("no".into()))).code(), 64);
        assert_eq!(exit_of(&failed(ConfigFaults(Vec::new()))).code(), 64);
        assert_eq!(exit_of(&failed(io::Error::other("disk full"))).code(), 1);
        assert_eq!(Exit::Killed.code(), 130);
    }

    #[test]
    fn a_pipe_that_breaks_elsewhere_is_an_error() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(exit_of(&failed(pipe)), Exit::Failed);
    }

    #[test]
    fn a_stream_notices_that_its_reader_left_and_hides_no_other_error() {
        struct Broken(io::ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(self.0.into())
            }
        }
        let mut left = Stream::new("a pipe", Broken(io::ErrorKind::BrokenPipe));
        assert!(!left.is_closed());
        left.write_all(b"a").unwrap();
        left.flush().unwrap();
        assert!(left.is_closed());
        let mut full = Stream::new("a pipe", Broken(io::ErrorKind::StorageFull));
        let error = full.write_all(b"a").unwrap_err().to_string();
        assert!(error.starts_with("a pipe cannot be written: "), "{error}");
        assert!(full.flush().is_err());
        assert!(!full.is_closed());
    }

    #[test]
    fn an_error_is_shown_as_one_chain() {
        let mut shown = Vec::new();
        let to = &mut anstream::StripStream::new(&mut shown);
        show(&failed(io::Error::from_raw_os_error(28)), to).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(shown, "error: while doing it: No space left on device\n");
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot listen: {0}")]
        struct Listen(#[source] io::Error);
        let mut shown = Vec::new();
        let to = &mut anstream::StripStream::new(&mut shown);
        show(&failed(Listen(io::Error::other("taken"))), to).unwrap();
        assert_eq!(shown, b"error: while doing it: cannot listen: taken\n");
    }
}
