//! 密钥, the master key of the deployment: made once, read at every start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

/// Why the master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the master key file cannot be read or made")]
    Io(#[source] io::Error),
    /// Others than its owner may read it.
    #[error("the master key file may be read by others: chmod 600 it")]
    Mode,
    /// It is not 32 bytes.
    #[error("the master key file does not hold 32 bytes")]
    Length,
    /// The system has no randomness to give.
    #[error("no random bytes to be had")]
    Random,
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
    let mode = fs::metadata(path).map_err(KeyError::Io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Mode);
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(KeyError::Io)?);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length)?;
    Ok(Zeroizing::new(key))
}

fn make(path: &Path) -> Result<(), KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(key.as_mut()).map_err(|_| KeyError::Random)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(KeyError::Io)?;
    }
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(path).map_err(KeyError::Io)?;
    file.write_all(key.as_ref()).and_then(|()| file.sync_all()).map_err(KeyError::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        let first = master(&path).unwrap();
        assert_eq!(*first, *master(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(master(&path), Err(KeyError::Mode)));
    }
}
