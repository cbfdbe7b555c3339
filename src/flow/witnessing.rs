//! 见证流程, the flow of a witness: read, judge, hold, sign, in that order.

use std::sync::{Mutex, PoisonError};

use crate::audit::checkpoint::{Checkpoint, cosign};
use crate::audit::witness::{Declined, Submission};
use crate::audit::{SigningKey, VerifyingKey};
use crate::inbound::http::Answered;
use crate::store::{StoreError, held::Held};

/// Media type of what a witness says.
const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of a size, C2SP tlog-witness.
const SIZE: &str = "text/x.tlog.size";

/// A witness of ledgers of others.
pub struct Witnessing {
    /// By which it signs.
    pub key: SigningKey,
    /// Whose checkpoints it signs.
    pub ledgers: Vec<VerifyingKey>,
    /// What it signed last; one submission at a time.
    pub held: Mutex<Held>,
    /// Seconds since 1970.
    pub clock: fn() -> u64,
}

/// Why nothing is signed.
enum Trouble {
    Declined(Declined),
    Store(StoreError),
}

impl From<Declined> for Trouble {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Witnessing {
    /// Answers `add-checkpoint`.
    #[must_use]
    pub fn add(&self, body: &[u8]) -> Answered {
        let (status, media, text) = match self.sign(body) {
            Ok(line) => (200, TEXT, line),
            Err(Trouble::Declined(Declined::Conflict(size))) => (409, SIZE, format!("{size}\n")),
            Err(Trouble::Declined(declined)) => (declined.status(), TEXT, format!("{declined}\n")),
            Err(Trouble::Store(error)) => {
                tracing::error!(error.kind = %error, "what is signed cannot be held");
                (503, TEXT, "what is signed cannot be held\n".to_owned())
            }
        };
        Answered { status, media, body: text.into_bytes(), entry: None }
    }

    /// Everything it signed last, one note after another: what `ledger verify --held` reads.
    #[must_use]
    pub fn show(&self) -> Answered {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = self.ledgers.iter().filter_map(|ledger| held.read(ledger.name()).ok()?);
        let body = notes.collect::<Vec<_>>().join(&b"\n"[..]);
        Answered { status: 200, media: TEXT, body, entry: None }
    }

    fn sign(&self, body: &[u8]) -> Result<String, Trouble> {
        let submission = Submission::read(body)?;
        let claimed = Checkpoint::unproven(&submission.note).ok_or(Declined::Malformed)?;
        let ledger = self.ledgers.iter().find(|ledger| ledger.name() == claimed.origin);
        let ledger = ledger.ok_or(Declined::Unknown)?;
        let origin = ledger.name();
        // Held until what is signed is on the disk: else two could be signed that contradict.
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.read(origin)?;
        // What is held and does not open is no reason to begin anew.
        let before = before.map(|note| Checkpoint::open(&note, ledger));
        let before = before.transpose().map_err(|_| StoreError::Damaged)?;
        let judged = submission.judge(ledger, before.as_ref());
        if let Err(declined @ (Declined::Conflict(_) | Declined::Inconsistent)) = &judged {
            tracing::warn!(ledger.name = origin, reason = %declined, "not signed");
        }
        judged?;
        let at = (self.clock)();
        let line = cosign(&submission.note, ledger, (&self.key, at));
        let line = line.map_err(|_| Declined::Malformed)?;
        let note = [&submission.note[..], line.as_bytes()].concat();
        held.replace(origin, &note)?;
        Ok(line)
    }
}
