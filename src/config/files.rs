//! Folders of mappings and policies, read whole before anything is compiled.
//!
//! Bounded in files, bytes and depth. A symbolic link is followed only where it stays
//! inside the folder (as mounted configuration does): a link out of it is refused, so
//! that whoever may write a mapping cannot have another file read.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::vocabulary::Files;

/// How many files a folder may have.
pub const FILES_MAX: usize = 20_000;
/// How many bytes all its files may have.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How deep its folders may be nested.
const DEPTH_MAX: usize = 8;

/// Why a folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refused.
    #[error("{path}: {source}")]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A limit was reached.
    #[error("{path}: more than {FILES_MAX} files, {BYTES_MAX} bytes or {DEPTH_MAX} levels")]
    Limit {
        /// Where it was reached.
        path: PathBuf,
    },
    /// A link leads out of the folder.
    #[error("{path}: leads out of the folder")]
    Outside {
        /// Which link.
        path: PathBuf,
    },
    /// A name that is not UTF-8.
    #[error("{path}: the name is not UTF-8")]
    Name {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads every file below a folder; names that begin with a dot are left out.
///
/// # Errors
/// [`FolderError`] with the path of the first file that cannot be read.
pub fn read_folder(folder: &Path) -> Result<Files, FolderError> {
    let root = folder.canonicalize().map_err(refused(folder))?;
    let mut files = Files::default();
    let mut rest = Rest { files: FILES_MAX, bytes: BYTES_MAX };
    let mut open = vec![(root.clone(), String::new(), 0)];
    while let Some((path, prefix, depth)) = open.pop() {
        for entry in path.read_dir().map_err(refused(&path))? {
            let found = entry.map_err(refused(&path))?.path();
            let name = found.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| FolderError::Name { path: found.clone() })?;
            if name.starts_with('.') {
                continue;
            }
            let inside = format!("{prefix}{name}");
            let real = found.canonicalize().map_err(refused(&found))?;
            if !real.starts_with(&root) {
                return Err(FolderError::Outside { path: found });
            }
            if real.is_dir() {
                if depth == DEPTH_MAX {
                    return Err(FolderError::Limit { path: found });
                }
                open.push((real, format!("{inside}/"), depth + 1));
            } else {
                files.insert(inside, rest.read(&real)?);
            }
        }
    }
    Ok(files)
}

/// What may still be read.
struct Rest {
    files: usize,
    bytes: u64,
}

impl Rest {
    fn read(&mut self, path: &Path) -> Result<Vec<u8>, FolderError> {
        let limit = || FolderError::Limit { path: path.to_owned() };
        self.files = self.files.checked_sub(1).ok_or_else(limit)?;
        let mut content = Vec::new();
        let file = std::fs::File::open(path).map_err(refused(path))?;
        // One byte more than allowed tells a full file from a cut one.
        let read = file.take(self.bytes + 1).read_to_end(&mut content).map_err(refused(path))?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        self.bytes = self.bytes.checked_sub(read).ok_or_else(limit)?;
        Ok(content)
    }
}

fn refused(path: &Path) -> impl Fn(std::io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Read { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_with_relative_names_and_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("hl7v2/pid.examples")).unwrap();
        std::fs::write(folder.path().join("hl7v2/pid.examples/01.hl7"), "MSH").unwrap();
        std::fs::write(folder.path().join("hl7v2/.pid.toml.swp"), "x").unwrap();
        let files = read_folder(folder.path()).unwrap();
        assert_eq!(files.bytes("hl7v2/pid.examples/01.hl7"), Some(b"MSH".as_slice()));
        assert_eq!(files.under("", "swp").count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_inside_the_folder_and_never_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.toml"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path().join("a.toml"), folder.path().join("b.toml"))
            .unwrap();
        let files = read_folder(folder.path()).unwrap();
        assert_eq!(files.bytes("b.toml"), Some(b"x".as_slice()));
        std::fs::write(elsewhere.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("out")).unwrap();
        let outcome = read_folder(folder.path());
        assert!(matches!(outcome, Err(FolderError::Outside { .. })), "{outcome:?}");
    }

    #[cfg(unix)]
    #[test]
    fn folders_that_contain_themselves_end_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        let outcome = read_folder(folder.path());
        assert!(matches!(outcome, Err(FolderError::Limit { .. })), "{outcome:?}");
    }
}
