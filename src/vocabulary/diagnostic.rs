//! What is wrong with a file an operator wrote, and where; and the files themselves.

use std::collections::BTreeMap;
use std::fmt;

/// One fault in a configuration, mapping or policy file.
///
/// Shape: `path:line:column: message`, then a hint line where one helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Path relative to the folder that was read.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: lower case, one line, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A fault at a byte offset of a text.
    #[must_use]
    pub fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
            hint: None,
        }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The files of one folder, read beforehand so that compiling them needs no disk.
///
/// Keys are paths relative to the folder with `/` between parts, in order.
#[derive(Debug, Clone, Default)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Adds one file.
    pub fn insert(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), content.into());
    }

    /// Every file with its path, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// The bytes of one file.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// The text of one file.
    ///
    /// # Errors
    /// A [`Diagnostic`] if there is no such file or it is not UTF-8.
    pub fn text(&self, path: &str) -> Result<&str, Diagnostic> {
        let Some(bytes) = self.0.get(path) else {
            return Err(Diagnostic::at(path, "", 0, "there is no such file"));
        };
        std::str::from_utf8(bytes)
            .map_err(|error| Diagnostic::at(path, "", error.valid_up_to(), "not UTF-8"))
    }

    /// The paths below a folder with an extension (`""` is the top), in order.
    pub fn under<'a>(
        &'a self,
        folder: &'a str,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a str> + 'a {
        self.0.keys().map(String::as_str).filter(move |path| {
            let inside = folder.is_empty()
                || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
            inside && path.rsplit_once('.').is_some_and(|(_, ext)| ext == extension)
        })
    }

    /// SHA-256 over all paths and contents: the version of what was read.
    #[must_use]
    pub fn version(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for (path, content) in &self.0 {
            for part in [path.as_bytes(), content] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_counts_lines_and_characters_from_one() {
        let text = "a\n姓名 = x";
        let offset = text.find('x').unwrap_or_default();
        let diagnostic = Diagnostic::at("f.toml", text, offset, "odd").hint("mend it");
        assert_eq!(diagnostic.to_string(), "f.toml:2:6: odd\n  hint: mend it");
    }

    #[test]
    fn any_changed_byte_changes_the_version() {
        let mut files = Files::default();
        files.insert("a/b.toml", "x");
        let before = files.version();
        files.insert("a/b.toml", "y");
        assert_ne!(before, files.version());
        assert_eq!(files.under("a", "toml").collect::<Vec<_>>(), ["a/b.toml"]);
        assert_eq!(files.under("", "csv").count(), 0);
    }
}
