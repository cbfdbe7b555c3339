//! 订阅方, one department that is told of events: a line, and what it wishes to hear. One without
//! a line is told nothing: it is a list of elders a department may ask about at once.

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::circuit::Reading;
use super::line::{Limits, Line, LineError, SetUpError};
use super::tls::TlsFiles;
use crate::vocabulary::{Department, Event, Purpose, Role, Subscription};

/// Media type of notices.
const JSON: &str = "application/json";
/// A try is never put off for longer than this, whatever the settings say; milliseconds.
const WAIT_MS_MAX: i64 = 86_400_000;

/// Settings of one subscription. The first four have no default; without `events`, `url` and `tls`
/// it is a list alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// Its name in notices, enrolments and metrics; never change it.
    pub name: Subscription,
    /// Who is told.
    pub department: Department,
    /// In which role.
    pub role: Role,
    /// What for: a notice holds what an answer for this purpose would.
    pub purpose: Purpose,
    /// Of which events, as in `policies/events.toml`. Default none.
    #[serde(default)]
    pub events: Vec<Event>,
    /// Where notices are posted: `https://host:port/path`.
    pub url: Option<String>,
    /// Certificates and key.
    pub tls: Option<TlsFiles>,
    /// How long one notice may take in all, in milliseconds. Default 10000.
    #[serde(default = "default::timeout_ms")]
    pub timeout_ms: u64,
    /// How many notices may be on their way at once, each about another elder. Default 8.
    #[serde(default = "default::in_flight_max")]
    pub in_flight_max: usize,
    /// After how many failures in a row the receiver is left alone. Default 5.
    #[serde(default = "default::failures_max")]
    pub failures_max: u32,
    /// For how long, in milliseconds. Default 30000.
    #[serde(default = "default::open_ms")]
    pub open_ms: i64,
    /// How long the first wait before another try is, in milliseconds; it doubles. Default 1000.
    #[serde(default = "default::wait_ms")]
    pub wait_ms: i64,
    /// How long a wait is at most, in milliseconds. Default 300000.
    #[serde(default = "default::wait_ms_max")]
    pub wait_ms_max: i64,
    /// How often a notice the receiver answers with an error is tried. Default 50.
    #[serde(default = "default::tries_max")]
    pub tries_max: i64,
}

/// The defaults of [`SubscriptionSettings`], as serde asks for them.
mod default {
    pub const fn timeout_ms() -> u64 {
        10_000
    }
    pub const fn in_flight_max() -> usize {
        8
    }
    pub const fn failures_max() -> u32 {
        5
    }
    pub const fn open_ms() -> i64 {
        30_000
    }
    pub const fn wait_ms() -> i64 {
        1_000
    }
    pub const fn wait_ms_max() -> i64 {
        300_000
    }
    pub const fn tries_max() -> i64 {
        50
    }
}

/// A notice on its way: its stable number, its bytes, and where the ledger says so.
pub struct Parcel {
    /// The same at every try, so that the receiver can tell a repeat.
    pub id: String,
    /// What is told.
    pub body: Vec<u8>,
    /// Number of the ledger entry, and the signed checkpoint that covers it.
    pub entry: (u64, String),
}

/// The client of one subscription. Files that changed make a new one.
#[derive(Debug)]
pub struct Subscriber {
    settings: SubscriptionSettings,
    line: Option<Line>,
}

impl Subscriber {
    /// Somebody who is told nothing.
    #[must_use]
    pub const fn list(settings: SubscriptionSettings) -> Self {
        Self { settings, line: None }
    }

    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(
        settings: SubscriptionSettings,
        (url, tls): (&str, ClientConfig),
    ) -> Result<Self, SetUpError> {
        let limits = Limits {
            timeout_ms: settings.timeout_ms,
            connect_timeout_ms: settings.timeout_ms,
            // Whatever a receiver answers beside its status is not read further.
            reply_bytes_max: 65_536,
            in_flight_max: settings.in_flight_max,
            failures_max: settings.failures_max,
            open_ms: settings.open_ms,
        };
        for (key, limit) in [("wait_ms", settings.wait_ms), ("tries_max", settings.tries_max)] {
            if limit <= 0 {
                return Err(SetUpError::Limit(key));
            }
        }
        let line = Some(Line::new((url, ""), limits, tls)?);
        Ok(Self { settings, line })
    }

    /// What was configured.
    #[must_use]
    pub const fn settings(&self) -> &SubscriptionSettings {
        &self.settings
    }

    /// The state of its line now, for the overview; `None` if it has none.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Option<Reading> {
        self.line.as_ref().map(|line| line.reading(now_ms))
    }

    /// Whether the receiver is left alone now.
    #[must_use]
    pub fn rests(&self, now_ms: i64) -> bool {
        self.line.as_ref().is_none_or(|line| line.rests(now_ms))
    }

    /// How long to wait after so many tries, with a share of it by chance (0 to 255), so that
    /// what failed together does not come back together; milliseconds.
    #[must_use]
    pub fn wait_ms(&self, tries: i64, chance: u8) -> i64 {
        let doublings = u32::try_from(tries.clamp(1, 40) - 1).unwrap_or(0);
        let whole = self.settings.wait_ms.saturating_mul(1_i64 << doublings);
        let whole = whole.min(self.settings.wait_ms_max.max(self.settings.wait_ms));
        let whole = whole.min(WAIT_MS_MAX);
        whole / 2 + whole / 2 * i64::from(chance) / 255
    }

    /// Sends one notice; any status of success takes it over.
    ///
    /// # Errors
    /// [`LineError`].
    pub async fn send(&self, parcel: Parcel, now_ms: i64) -> Result<(), LineError> {
        let Parcel { id, body, entry: (number, checkpoint) } = parcel;
        let headers = [
            ("Idempotency-Key", id),
            ("kangqiao-ledger-entry", number.to_string()),
            ("kangqiao-checkpoint", checkpoint),
        ];
        // Nothing is due to who is told nothing.
        let Some(line) = &self.line else { return Ok(()) };
        match line.post((JSON, body), &headers, now_ms).await {
            // It took the notice, and talks about it too much.
            Ok(_) | Err(LineError::TooLarge) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
