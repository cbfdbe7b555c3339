//! 旧版文件, the mapping packs and policies that served: each record names a pack and can be read
//! again by it, and policies can be gone back to.
//!
//! One file a version in a folder of the store's, named by the content hash it is checked
//! against. The [`KEPT`] that served last are kept; records of older packs are replayed by
//! today's. Neither kind of file holds personal data, so they are not sealed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::vocabulary::Files;

/// Folders of versions, in the store's.
pub const FOLDERS: [&str; 3] = [MAPPINGS, POLICIES, PROPOSED];
const MAPPINGS: &str = "packs";
const POLICIES: &str = "policies";
const PROPOSED: &str = "proposed";

/// Versions that are kept.
pub const KEPT: usize = 20;

/// Copies all versions of a store's folder into another; their paths in it.
///
/// # Errors
/// If one cannot be read or written.
pub fn copy(folder: &Path, to: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for kept in FOLDERS.iter().filter(|kept| folder.join(kept).is_dir()) {
        std::fs::create_dir_all(to.join(kept))?;
        for entry in std::fs::read_dir(folder.join(kept))? {
            let name = entry?.file_name();
            // What is still being written has another ending, and may be gone by now.
            if Path::new(&name).extension().is_some_and(|ending| ending == "json") {
                let path = Path::new(kept).join(name);
                std::fs::copy(folder.join(&path), to.join(&path))?;
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// A folder of past versions.
#[derive(Debug, Clone)]
pub struct Packs(PathBuf);

impl Packs {
    /// The mapping packs that served.
    #[must_use]
    pub fn mappings(store: &Path) -> Self {
        Self(store.join(MAPPINGS))
    }

    /// The policies that were in force.
    #[must_use]
    pub fn policies(store: &Path) -> Self {
        Self(store.join(POLICIES))
    }

    /// Policies, and mapping packs, that were proposed: whatever became of them, they push none
    /// out that served.
    #[must_use]
    pub fn proposed(store: &Path) -> Self {
        Self(store.join(PROPOSED))
    }

    /// Keeps what begins to serve; what served longest ago goes.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn keep(&self, files: &Files) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        let name = files.version();
        let kept = self.0.join(format!("{name}.json"));
        // Its name is its content: one that served before only serves again.
        if kept.exists() {
            return std::fs::File::open(&kept)?.set_modified(std::time::SystemTime::now());
        }
        let content: BTreeMap<&str, String> =
            files.iter().map(|(path, bytes)| (path, STANDARD.encode(bytes))).collect();
        let path = self.0.join(format!("{name}.part"));
        let mut file = std::fs::File::create(&path)?;
        file.write_all(&serde_json::to_vec(&content)?)?;
        file.sync_all()?;
        std::fs::rename(&path, kept)?;
        for (_, old) in self.versions()?.iter().skip(KEPT) {
            std::fs::remove_file(self.0.join(format!("{old}.json")))?;
        }
        Ok(())
    }

    /// The versions that are kept, the last that began to serve first.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn versions(&self) -> io::Result<Vec<(std::time::SystemTime, String)>> {
        let mut found = Vec::new();
        let folder = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            folder => folder?,
        };
        for entry in folder {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(version) = name.strip_suffix(".json") {
                found.push((entry.metadata()?.modified()?, version.to_owned()));
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(found)
    }

    /// The files of a version; `None` if it is not kept, or is not what it was.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn files(&self, version: &str) -> io::Result<Option<Files>> {
        // The name becomes a path, so it is a content hash or nothing.
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let bytes = match std::fs::read(self.0.join(format!("{version}.json"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let content: BTreeMap<String, String> = serde_json::from_slice(&bytes)?;
        let mut files = Files::default();
        for (path, text) in content {
            let bytes = STANDARD.decode(text).map_err(io::Error::other)?;
            files.insert(path, bytes);
        }
        Ok((files.version() == version).then_some(files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(number: usize) -> Files {
        let mut files = Files::default();
        files.insert("elements/a.toml", format!("title = \"{number}\""));
        files.insert("hl7v2/a.examples/01.hl7", b"\xD5\xC5".to_vec());
        files
    }

    #[test]
    fn a_pack_that_served_is_read_again_by_its_version_until_twenty_others_served() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::mappings(folder.path());
        for number in 0..=KEPT {
            packs.keep(&pack(number)).unwrap();
        }
        packs.keep(&pack(KEPT)).unwrap();
        assert_eq!(packs.versions().unwrap().len(), KEPT);
        let last = pack(KEPT);
        let read = packs.files(&last.version()).unwrap().unwrap();
        assert_eq!(read.version(), last.version());
        assert_eq!(read.bytes("hl7v2/a.examples/01.hl7"), Some(b"\xD5\xC5".as_slice()));
        for odd in ["", "../../etc/passwd", "0123456789abcdef"] {
            assert!(packs.files(odd).unwrap().is_none(), "{odd}");
        }
        let path = folder.path().join("packs").join(format!("{}.json", last.version()));
        std::fs::write(&path, "{}").unwrap();
        assert!(packs.files(&last.version()).unwrap().is_none(), "it is not what it was");
    }
}
