//! 见证方, a witness of the ledger in another department's hands: a line, and the key it signs by.
//!
//! Standard: C2SP tlog-witness. No value goes this way: a checkpoint is a number and a hash.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::gate::{Limits, LineError, SetUpError};
use super::line::Line;
use super::tls::TlsFiles;
use crate::audit::VerifyingKey;
use crate::audit::checkpoint::number;
use crate::audit::witness::Submission;

/// Media type of a submission.
const TEXT: &str = "text/plain; charset=utf-8";

/// Settings of one witness. The first three have no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSettings {
    /// File of its public key, `name+hash+key`, which it gave us.
    pub public_key: PathBuf,
    /// Where it is: `https://host:port`, before `/add-checkpoint`.
    pub url: String,
    /// Certificates and key.
    pub tls: TlsFiles,
    /// How often it is shown the ledger's state, in seconds. Default 60.
    #[serde(default = "every_seconds")]
    pub every_seconds: u32,
    /// How long one exchange may take in all, in milliseconds. Default 10000.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

const fn every_seconds() -> u32 {
    60
}
const fn timeout_ms() -> u64 {
    10_000
}

/// What a witness says of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It signed: the lines it adds below.
    Cosigned(String),
    /// What it signed last has so many entries.
    Holds(u64),
    /// What it was shown does not follow from what it signed last.
    Inconsistent,
    /// It does not sign, by this status.
    Declined(u16),
}

/// How things stand with a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stand {
    /// It was not asked yet.
    #[default]
    NotYet,
    /// It signed this state, at this time by its own clock, milliseconds since 1970.
    Signed(u64, i64),
    /// It saw more entries than there are: the ledger was put back.
    Ahead(u64),
    /// It saw another history.
    Forked,
    /// It cannot be reached, or refuses for another reason.
    Silent,
}

impl Stand {
    /// Whether it has signed another ledger than this one.
    #[must_use]
    pub const fn contradicts(self) -> bool {
        matches!(self, Self::Ahead(_) | Self::Forked)
    }
}

/// The client of one witness. Files that changed make a new one.
#[derive(Debug)]
pub struct Witness {
    settings: WitnessSettings,
    key: VerifyingKey,
    line: Line,
    stand: Mutex<Stand>,
    /// When it was asked last, milliseconds since 1970; 0 if never.
    asked_ms: AtomicI64,
}

impl Witness {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(
        settings: WitnessSettings,
        key: VerifyingKey,
        tls: ClientConfig,
    ) -> Result<Self, SetUpError> {
        if settings.every_seconds == 0 {
            return Err(SetUpError::Limit("every_seconds"));
        }
        let limits = Limits {
            timeout_ms: settings.timeout_ms,
            connect_timeout_ms: settings.timeout_ms,
            reply_bytes_max: 65_536,
            in_flight_max: 1,
            // It is asked seldom enough as it is.
            failures_max: u32::MAX,
            open_ms: 0,
        };
        let line = Line::new((&settings.url, "/add-checkpoint"), limits, tls)?;
        Ok(Self { settings, key, line, stand: Mutex::default(), asked_ms: AtomicI64::new(0) })
    }

    /// Whether it is to be asked now; then it is not again before its time.
    pub fn is_due(&self, now_ms: i64) -> bool {
        let every = i64::from(self.settings.every_seconds).saturating_mul(1000);
        let due = now_ms.saturating_sub(self.asked_ms.load(Ordering::Relaxed)) >= every;
        if due {
            self.asked_ms.store(now_ms, Ordering::Relaxed);
        }
        due
    }

    /// The key it signs by.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// How things stand.
    #[must_use]
    pub fn stand(&self) -> Stand {
        *self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how things stand now; whether that is another thing than before. What a witness said
    /// against the ledger stands until it signs again: its silence takes nothing back.
    pub fn note(&self, stand: Stand) -> bool {
        let mut held = self.stand.lock().unwrap_or_else(PoisonError::into_inner);
        if *held == stand || stand == Stand::Silent && held.contradicts() {
            return false;
        }
        *held = stand;
        true
    }

    /// Shows it a checkpoint.
    ///
    /// # Errors
    /// [`LineError`] if it does not answer.
    pub async fn submit(&self, submission: &Submission, now_ms: i64) -> Result<Said, LineError> {
        let (status, body) = self.line.ask((TEXT, submission.write()), &[], now_ms).await?;
        let text = String::from_utf8(body).unwrap_or_default();
        Ok(match status {
            200 => Said::Cosigned(text),
            409 => number(text.trim_end()).map_or(Said::Declined(status), Said::Holds),
            422 => Said::Inconsistent,
            _ => Said::Declined(status),
        })
    }
}
