//! What signs the ledger, put back where its last checkpoint left it, or not at all.

use std::path::Path;

use crate::audit::checkpoint::signed_besides;
use crate::audit::{Edge, Sealer, Signers, SigningKey, Signs, VerifyingKey};
use crate::command::Failure;
use crate::config::Config;
use crate::flow::proof;
use crate::store::{LedgerFile, Tile};

/// Continues the ledger of a configuration; tiles that are to be kept besides. Its keys are made
/// at the first start. `there` is whether there is a ledger.
///
/// # Errors
/// [`Failure`] if a key is lost or another's, or the ledger is not what was signed.
pub fn sealer(config: &Config, there: bool) -> Result<(Sealer, Vec<Tile>), Failure> {
    let refuse = |error: &dyn std::error::Error| Failure::caused("ledger", error);
    let store = &config.store;
    let file = there.then(|| LedgerFile::open(store)).transpose();
    let file = file.map_err(|error| refuse(&error))?;
    let last = file.as_ref().map(|file| file.now().checkpoint()).transpose();
    let last = last.map_err(|error| refuse(&error))?.flatten().map(|last| last.bytes);
    let own = key(config, (&config.ledger.key, Signs::Checkpoints), file.is_some())?;
    let sm2 = by_sm2(config, own.public(), last.as_deref())?;
    let signers = Signers { own, sm2 };
    let Some(file) = file else {
        let sealer = Sealer::restore(signers, Edge::default(), None);
        return sealer.map(|sealer| (sealer, Vec::new())).map_err(|error| refuse(&error));
    };
    let sealer = file.look(|view| proof::sealer(view, signers)).map_err(|error| refuse(&error))?;
    sealer.map_err(|error| refuse(&error))
}

/// The key by SM2, if one is configured. A ledger without its signatures may begin to have them at
/// any start; where the last checkpoint has one, the key that made it must be there.
fn by_sm2(
    config: &Config,
    own: &VerifyingKey,
    last: Option<&[u8]>,
) -> Result<Option<SigningKey>, Failure> {
    let begun = last.is_some_and(|note| signed_besides(note, own));
    let Some(path) = &config.ledger.sm2_key else {
        if begun {
            tracing::warn!("the ledger was signed by SM2 so far and is no longer");
        }
        return Ok(None);
    };
    key(config, (path, Signs::CheckpointsBySm2), begun).map(Some)
}

/// A key, made if it is the first; where it has signed already, one made anew would sign nothing of
/// what is there.
fn key(
    config: &Config,
    (path, signs): (&Path, Signs),
    signed: bool,
) -> Result<SigningKey, Failure> {
    let name = path.display().to_string();
    if signed && !path.exists() {
        let why = "there is a ledger and no key file: put back the one it is signed by";
        return Err(Failure::during(&name, why));
    }
    let key = SigningKey::load_or_create(path, &config.ledger.name, signs);
    key.map_err(|error| Failure::during(&name, error))
}
