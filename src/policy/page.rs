//! One policy file while it is being read: its text, and what is wrong with it.

use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::vocabulary::catalogue::parse_toml;
use crate::vocabulary::{Diagnostic, Files};

/// A file and the faults found in it so far.
pub(super) struct Page<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) faults: Vec<Diagnostic>,
}

impl<'a> Page<'a> {
    /// Opens a file and reads it strictly.
    pub(super) fn open<T: DeserializeOwned>(
        files: &'a Files,
        path: &'a str,
    ) -> Result<(Self, T), Diagnostic> {
        let text = files.text(path)?;
        let content = parse_toml(path, text)?;
        Ok((Self { path, text, faults: Vec::new() }, content))
    }

    /// Notes a fault at a byte offset.
    pub(super) fn fault(&mut self, offset: usize, message: impl Into<String>) {
        self.faults.push(Diagnostic::at(self.path, self.text, offset, message));
    }

    /// Reads a name where it stands; what is no name becomes a fault.
    pub(super) fn name<T, E: std::fmt::Display>(
        &mut self,
        word: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(word.get_ref()) {
            Ok(name) => Some(name),
            Err(error) => {
                self.fault(word.span().start, error.to_string());
                None
            }
        }
    }

    /// The content, if nothing was wrong.
    pub(super) fn close<T>(self, content: T) -> Result<T, Vec<Diagnostic>> {
        if self.faults.is_empty() { Ok(content) } else { Err(self.faults) }
    }
}
