//! 密钥, the master key of the deployment: made once, read at every start, replaced on order.
//!
//! The next one lies beside it until it is in force, as `master.key.next`. Those that were in
//! force stay, as `master.key.1`, `master.key.2` …: a copy of the store opens under the one of
//! its day. Whatever is stopped in between, the store says which of the files it is under.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::store::{LedgerFile, Settings, master_in_force};

/// Why the master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the master key file cannot be read or made")]
    Io(#[source] io::Error),
    /// There is a store, and no key file.
    #[error("there is a store and no master key file: put back the one the store is under")]
    Missing,
    /// Others than its owner may read it.
    #[error("the master key file may be read by others: chmod 600 it")]
    Mode,
    /// It is not 32 bytes.
    #[error("the master key file does not hold 32 bytes")]
    Length,
    /// There is another file where the one of before should go.
    #[error("another file stands where the master key of before should go")]
    Occupied,
    /// The system has no randomness to give.
    #[error("no random bytes to be had")]
    Random,
}

/// A master key a store is under.
pub struct Found {
    /// The key.
    pub key: Zeroizing<[u8; 32]>,
    /// Its number, if it is in force and lies as the next one still.
    pub ahead: Option<u64>,
}

/// Reads the master key, or makes one if there is no such file.
///
/// Whoever holds it can open every record and recognise every identifier, so it
/// belongs on another disk than the store; whoever destroys it erases everybody.
///
/// # Errors
/// [`KeyError`] if the file is unreadable, too open, or not 32 bytes.
pub fn master(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if !path.exists() {
        make(path)?;
    }
    read(path)
}

/// Reads a master key that is there.
///
/// # Errors
/// [`KeyError`] if the file is unreadable, too open, or not 32 bytes.
pub fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mode = fs::metadata(path).map_err(KeyError::Io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Mode);
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(KeyError::Io)?);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length)?;
    Ok(Zeroizing::new(key))
}

/// Where the next master key lies until it is in force.
#[must_use]
pub fn next(path: &Path) -> PathBuf {
    beside(path, "next")
}

/// Makes the next master key, unless there is one; whether it was made.
///
/// # Errors
/// [`KeyError`] if it cannot be made.
pub fn make_next(path: &Path) -> Result<bool, KeyError> {
    let next = next(path);
    let made = !next.exists();
    if made {
        make(&next)?;
    }
    Ok(made)
}

/// Reads the next master key once it is on the disk for good.
///
/// # Errors
/// [`KeyError`] if the file is unreadable, too open, or not 32 bytes.
pub fn durable_next(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let next = next(path);
    File::open(&next).and_then(|file| file.sync_all()).map_err(KeyError::Io)?;
    sync_folder(path)?;
    read(&next)
}

/// The master key of a store: the file's, or the next one if that is in force already, since
/// the process ended before the files had their new names.
///
/// # Errors
/// [`KeyError`] if the file is unreadable, too open, not 32 bytes or not there; it is made
/// where there is no store yet.
pub fn of_store(path: &Path, store: &Settings) -> Result<Found, KeyError> {
    // Where nobody can say there may be one: no key is made.
    if matches!(LedgerFile::exists(store), Ok(false)) {
        return Ok(Found { key: master(path)?, ahead: None });
    }
    // What is wrong with the file of the store is said when it is opened.
    let number = |key: &[u8; 32]| master_in_force(store, key).ok().flatten();
    let key = path.exists().then(|| read(path)).transpose()?;
    if key.as_ref().is_none_or(|key| number(key).is_none()) && next(path).exists() {
        let key = read(&next(path))?;
        if let ahead @ Some(_) = number(&key) {
            return Ok(Found { key, ahead });
        }
    }
    Ok(Found { key: key.ok_or(KeyError::Missing)?, ahead: None })
}

/// Gives the files their new names once the next master key is in force, as number `now`.
///
/// # Errors
/// [`KeyError::Occupied`], [`KeyError::Io`]: then the key in force lies as the next one still,
/// where [`of_store`] finds it.
pub fn advance(path: &Path, now: u64) -> Result<(), KeyError> {
    let before = beside(path, &now.saturating_sub(1).to_string());
    if path.exists() {
        let same = || fs::read(path).and_then(|one| Ok(one == fs::read(&before)?));
        if before.exists() && !same().map_err(KeyError::Io)? {
            return Err(KeyError::Occupied);
        }
        fs::rename(path, before).map_err(KeyError::Io)?;
    }
    fs::rename(next(path), path).map_err(KeyError::Io)?;
    sync_folder(path)
}

fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(word);
    name.into()
}

fn make(path: &Path) -> Result<(), KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(key.as_mut()).map_err(|_| KeyError::Random)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(KeyError::Io)?;
    }
    if path.exists() {
        return Err(KeyError::Io(ErrorKind::AlreadyExists.into()));
    }
    // Under its name it is whole: half a key would stand in the way of the next start.
    let part = beside(path, "part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(KeyError::Io)?;
    file.write_all(key.as_ref()).and_then(|()| file.sync_all()).map_err(KeyError::Io)?;
    fs::rename(&part, path).map_err(KeyError::Io)?;
    sync_folder(path)?;
    // The folder may be as new as the key.
    path.parent().map_or(Ok(()), sync_folder)
}

/// A name is on the disk for good once its folder is.
fn sync_folder(path: &Path) -> Result<(), KeyError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(KeyError::Io)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_key_is_made_once_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        let first = master(&path).unwrap();
        assert_eq!(*first, *master(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(master(&path), Err(KeyError::Mode)));
    }

    #[tokio::test]
    async fn whatever_stops_between_the_commit_and_the_new_names_the_key_in_force_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (path, data) = (folder.path().join("keys/master.key"), folder.path().join("data"));
        let settings = Settings::of(&data);
        let open =
            |key: &[u8; 32]| Store::open(settings.clone(), key, Box::new(crate::store::Unsigned));
        let first = of_store(&path, &settings).unwrap();
        assert!(first.ahead.is_none());
        let store = open(&first.key).unwrap();
        assert!(make_next(&path).unwrap() && !make_next(&path).unwrap());
        let second = durable_next(&path).unwrap();
        assert_eq!(*of_store(&path, &settings).unwrap().key, *first.key, "made is not in force");
        store.rotate_master(&second, 1).await.unwrap();
        drop(store);
        let found = of_store(&path, &settings).unwrap();
        assert_eq!((*found.key, found.ahead), (*second, Some(2)));

        // Between the two new names there is no file under the old one.
        let kept = beside(&path, "1");
        fs::rename(&path, &kept).unwrap();
        assert_eq!(of_store(&path, &settings).unwrap().ahead, Some(2));
        fs::write(&path, [9; 32]).unwrap();
        assert!(matches!(advance(&path, 2), Err(KeyError::Occupied)), "nothing is overwritten");
        fs::remove_file(&path).unwrap();
        advance(&path, 2).unwrap();
        assert_eq!((*read(&path).unwrap(), *read(&kept).unwrap()), (*second, *first.key));
        let found = of_store(&path, &settings).unwrap();
        assert!(found.ahead.is_none() && open(&found.key).is_ok());

        fs::remove_file(&path).unwrap();
        assert!(matches!(of_store(&path, &settings), Err(KeyError::Missing)));
        assert!(!path.exists(), "no key is made for a store that has one");
    }
}
