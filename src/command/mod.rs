//! The commands of `kangqiao`, one file each.

pub mod ask;
pub mod backup;
pub mod card;
pub mod certs;
pub mod check;
mod columns;
pub mod compile;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod hold;
mod identifier;
pub mod identity;
pub mod interface;
pub mod keys;
pub mod ledger;
pub mod mappings;
pub mod notices;
pub mod operate;
pub mod policy;
pub mod send;
pub mod serve;
pub mod store;
pub mod trace;
pub mod translate;
pub mod user;
pub mod witness;

use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;

/// Why a command ended with exit code 1: one line for the operator, no personal data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// A failure that says what was being done and why it did not work.
    pub fn during(what: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }

    /// The same with every cause, down to the first.
    pub fn caused(what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        Self(text)
    }
}

/// Standard output. A reader that has seen enough, such as `head`, is no failure: what
/// is written after it left goes nowhere.
pub struct Output(std::io::Stdout);

/// Standard output, for a reader who may leave.
#[must_use]
pub fn output() -> Output {
    Output(std::io::stdout())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Who runs this command, as entries name an operator.
///
/// # Errors
/// [`Failure`] if the system does not say.
pub fn operator() -> Result<String, Failure> {
    let own = std::fs::metadata("/proc/self").map_err(|error| Failure::during("user", error))?;
    Ok(format!("uid {}", own.uid()))
}

/// Prints a line.
///
/// # Errors
/// [`Failure`] if standard output cannot be written.
pub fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    writeln!(output(), "{line}").map_err(|error| Failure::during("output", error))
}
