//! The key of the veil: 64 hexadecimal digits in a file for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::command::Failure;
use crate::identity::linkage::Veil;
use crate::vocabulary::hex::{from_hex, to_hex};

/// The veil of a key file, which is made if there is none.
///
/// Whoever holds the key can try which value a token stands for, so it stays with whoever
/// has the clear records.
pub fn veil(path: &Path) -> Result<Veil, Failure> {
    let during = |error| Failure::during("key file", error);
    if let Some(key) = made(path)? {
        return Ok(Veil::new(&key));
    }
    let mode = fs::metadata(path).map_err(during)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure("key file: may be read by others: chmod 600 it".to_owned()));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(during)?);
    let bytes = from_hex(text.trim()).map(Zeroizing::new);
    let key = bytes.as_ref().and_then(|bytes| <&[u8; 32]>::try_from(bytes.as_slice()).ok());
    key.map(Veil::new)
        .ok_or_else(|| Failure("key file: does not hold 64 hexadecimal digits".to_owned()))
}

/// The veil of a key nobody keeps.
pub fn passing() -> Result<Veil, Failure> {
    Ok(Veil::new(&*random()?))
}

/// A new key in a file, unless there is one.
fn made(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, Failure> {
    let mut options = OpenOptions::new();
    let mut file = match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(Failure::during("key file", error)),
    };
    let key = random()?;
    let text = Zeroizing::new(to_hex(key.as_ref()) + "\n");
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| Failure::during("key file", error))?;
    Ok(Some(key))
}

fn random() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut key = Zeroizing::new([0; 32]);
    let filled = aws_lc_rs::rand::fill(key.as_mut());
    filled.map_err(|_| Failure("no random bytes to be had".to_owned()))?;
    Ok(key)
}
