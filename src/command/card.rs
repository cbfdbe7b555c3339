//! `kangqiao card`: the id of an electronic health card, and back.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::identifier::typed;
use super::{Failure, say};
use crate::identity::card::{FileKey, MasterIndexId, electronic_id, number_of};
use crate::vocabulary::hex::from_hex;

/// Computes the id of an electronic health card under a root key.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File of the root key: 16 bytes, or 32 hexadecimal digits; for its owner alone
    #[arg(long)]
    root_key: PathBuf,
    /// The person's master index id (主索引), 64 hexadecimal digits
    #[arg(long)]
    index: String,
    /// Kind of identity document, CV02.01.101
    #[arg(long, default_value = "01")]
    kind: String,
    /// The number of the document, or `-` to type it
    #[arg(long, conflicts_with = "id")]
    number: Option<String>,
    /// An id, to know the number it was made of; or `-` to type it
    #[arg(long)]
    id: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] if the key or a number cannot be used.
pub fn run(args: Args) -> Result<(), Failure> {
    let during = |error| Failure::during("card", error);
    let root = FileKey::new(*key(&args.root_key)?);
    let index = MasterIndexId::parse(&args.index).map_err(during)?;
    if let Some(id) = &args.id {
        let number = number_of(&root, &index, &typed(id)?).map_err(during)?;
        let (kind, number) = number.ok_or_else(|| Failure("not made by this key".to_owned()))?;
        return say(format_args!("{kind} {number}"));
    }
    let number =
        args.number.as_deref().ok_or_else(|| Failure("give --number or --id".to_owned()))?;
    let number = typed(number)?;
    say(electronic_id(&root, &index, (&args.kind, &number)).map_err(during)?)
}

fn key(path: &Path) -> Result<Zeroizing<[u8; 16]>, Failure> {
    let during = |error| Failure::during("root key", error);
    let mode = std::fs::metadata(path).map_err(during)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Failure("root key: may be read by others: chmod 600 it".to_owned()));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(during)?);
    let text = std::str::from_utf8(&bytes).ok();
    let digits = text.and_then(|text| from_hex(text.trim())).map(Zeroizing::new);
    let key = digits.as_ref().map_or(bytes.as_slice(), |digits| digits.as_slice());
    let key = key.try_into().map_err(|_| Failure("root key: is not 16 bytes".to_owned()))?;
    Ok(Zeroizing::new(key))
}
