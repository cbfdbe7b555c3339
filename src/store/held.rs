//! 见证簿, what a witness signed last of each ledger: one file each, replaced as a whole.
//!
//! What a file says is the business of `audit`; it can be shown to anybody.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::StoreError;

/// The folder of a witness, held against other processes while this lives.
#[derive(Debug)]
pub struct Held {
    folder: PathBuf,
    _lock: File,
}

impl Held {
    /// Makes or takes the folder.
    ///
    /// # Errors
    /// [`StoreError::Folder`] if it cannot be used, [`StoreError::InUse`].
    pub fn open(folder: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&folder).map_err(StoreError::Folder)?;
        let mut lock = OpenOptions::new();
        let lock = lock.write(true).create(true).truncate(false).open(folder.join("lock"));
        let lock = lock.map_err(StoreError::Folder)?;
        lock.try_lock().map_err(|_| StoreError::InUse)?;
        Ok(Self { folder, _lock: lock })
    }

    /// What is held of a ledger.
    ///
    /// # Errors
    /// [`StoreError::Folder`] if it cannot be read.
    pub fn read(&self, origin: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(origin)) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Folder(error)),
        }
    }

    /// Holds this from now on; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Folder`] if it cannot be written; then what was held before still is.
    pub fn replace(&self, origin: &str, note: &[u8]) -> Result<(), StoreError> {
        let path = self.path(origin);
        let new = path.with_extension("new");
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(note)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        });
        written.map_err(StoreError::Folder)
    }

    fn path(&self, origin: &str) -> PathBuf {
        // The name of a ledger may hold what a file's may not.
        let digest = Sha256::digest(origin);
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{name}.checkpoint"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_held_by_its_name_and_a_folder_by_one_witness() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Held::open(folder.path().to_owned());
        let held = open().unwrap();
        assert!(matches!(open(), Err(StoreError::InUse)));
        assert_eq!(held.read("a/../b").unwrap(), None);
        held.replace("a/../b", b"one").unwrap();
        held.replace("a/../b", b"two").unwrap();
        held.replace("c", b"three").unwrap();
        drop(held);
        let held = open().unwrap();
        assert_eq!(held.read("a/../b").unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(held.read("c").unwrap().as_deref(), Some(&b"three"[..]));
    }
}
