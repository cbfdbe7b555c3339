//! 披露台账, the ledger: who learned what about whom, provably complete and unchanged.
//!
//! An entry is one line of canonical JSON; entries are the leaves of a Merkle
//! tree whose root is signed after every batch. The store keeps the bytes and
//! knows nothing of trees; this module knows nothing of the store: it is handed
//! iterators. An entry holds pseudonyms, element ids, rule ids and hashes, and
//! has no field a value or an identifier would fit in.

pub mod bundle;
pub mod checkpoint;
mod diagnose;
pub mod doubt;
pub mod entry;
pub mod export;
pub mod history;
pub mod key;
pub mod past;
pub mod proof;
pub mod receipt;
pub mod reference;
pub mod retention;
pub mod sealer;
pub mod search;
mod sm2;
pub mod statement;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witness;
pub mod word;

use serde::{Deserialize, Serialize};

pub use bundle::Bundle;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Disclosed, Entry, EntryError, Kind};
pub use export::{EXPORTS, audit_event};
pub use key::{KeyError, SigningKey, Signs, VerifyingKey};
pub use receipt::Receipt;
pub use reference::Reference;
pub use retention::{Kept, Span};
pub use sealer::{SealError, Sealed, Sealer, Signers};
pub use search::{Found, Question};
pub use statement::Circumstances;
pub use tile::{Edge, Tile};
pub use tree::{Frontier, Hash};
pub use verify::{Report, Tampering, VerifyingKeys, verify};

/// Settings of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Name of the ledger in its checkpoints; no spaces and no `+`. Default `kangqiao-ledger`.
    pub name: String,
    /// File of the signing key, PKCS#8 in PEM, readable by its owner alone; the public key
    /// is beside it under the extension `pub`. Default `ledger.key`.
    pub key: std::path::PathBuf,
    /// 国密, file of a second key, by SM2, which signs each checkpoint on a line below; made at the
    /// first start that names it, with its public key beside it. Default none.
    pub sm2_key: Option<std::path::PathBuf>,
    /// How long entries are kept, in days; then their hashes are. At least 183. Default 3650.
    pub retention_days: u32,
    /// File of `kangqiao ledger people`: an auditor's list of who belongs to whom, by pseudonyms;
    /// none if absent.
    pub people: Option<std::path::PathBuf>,
    /// File of the font an access history is printed in, with Chinese characters. Default one of
    /// Debian's `fonts-noto-cjk`, `fonts-wqy-zenhei`, `fonts-wqy-microhei`.
    pub font: Option<std::path::PathBuf>,
}

/// Days for which entries are kept at least: half a year.
pub const RETENTION_DAYS_MIN: u32 = 183;

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "kangqiao-ledger".to_owned(),
            key: "ledger.key".into(),
            sm2_key: None,
            retention_days: 3650,
            people: None,
            font: None,
        }
    }
}

impl Settings {
    /// File of the public key: what an auditor or a witness should have a copy of.
    #[must_use]
    pub fn public_key(&self) -> std::path::PathBuf {
        self.key.with_extension("pub")
    }

    /// File of the public key by SM2, where there is one.
    #[must_use]
    pub fn sm2_public_key(&self) -> Option<std::path::PathBuf> {
        Some(self.sm2_key.as_ref()?.with_extension("pub"))
    }

    /// Every key file with what it signs.
    pub fn keys(&self) -> impl Iterator<Item = (&std::path::Path, Signs)> {
        let second = self.sm2_key.iter().map(|key| (key.as_path(), Signs::CheckpointsBySm2));
        std::iter::once((self.key.as_path(), Signs::Checkpoints)).chain(second)
    }
}
