//! 订阅方, one department that is told of events: a way to it, and what it wishes to hear. One
//! without a way is told nothing: it is a list of elders a department may ask about at once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::circuit::Reading;
use super::gate::{Gate, Limits, LineError, SetUpError};
use super::tls::TlsFiles;
use super::way::{Parcel, Said, To, Way, mllp, soap, table};
use crate::registry::notice::{Whole, Words, hl7};
use crate::vocabulary::{Department, Event, Purpose, Role, Subscription};

/// A try is never put off for longer than this, whatever the settings say; milliseconds.
const WAIT_MS_MAX: i64 = 86_400_000;

/// Settings of one subscription. The first four have no default. It is told one way: by `url` and
/// `tls`, `folder`, `mllp`, `soap` or `table`; without `events` and any of them it is a list alone.
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
    /// Certificates and key for the url.
    pub tls: Option<TlsFiles>,
    /// The folder notices are put in, a file for each.
    pub folder: Option<PathBuf>,
    /// The receiver of HL7 v2 messages notices are sent to.
    pub mllp: Option<mllp::Settings>,
    /// The receiver of HL7 v3 messages notices are posted to.
    pub soap: Option<soap::Settings>,
    /// The table notices are written to, a row for each.
    pub table: Option<table::Settings>,
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

impl SubscriptionSettings {
    /// Where it is told; `None` if it is a list alone.
    ///
    /// # Errors
    /// What does not go together.
    pub fn to(&self) -> Result<Option<To<'_>>, &'static str> {
        if self.url.is_some() != self.tls.is_some() {
            return Err("url and tls go together");
        }
        let https = self.url.as_deref().map(To::Https);
        let folder = self.folder.as_deref().map(To::Folder);
        let mllp = self.mllp.as_ref().map(To::Mllp);
        let soap = self.soap.as_ref().map(To::Soap);
        if let Some(wrong) = self.soap.as_ref().and_then(soap::Settings::wrong) {
            return Err(wrong);
        }
        let table = self.table.as_ref().map(To::Table);
        let mut ways = [https, folder, mllp, soap, table].into_iter().flatten();
        match (ways.next(), ways.next(), self.events.is_empty()) {
            (_, Some(_), _) => Err("one way is enough: url, folder, mllp, soap or table"),
            (to, None, list) if to.is_none() == list => Ok(to),
            _ => Err(
                "events and a way (url, folder, mllp, soap, table) go together; a list has none",
            ),
        }
    }

    /// The certificates of its way, if it has any.
    #[must_use]
    pub fn certificates(&self) -> Option<&TlsFiles> {
        let soap = || self.soap.as_ref().map(|soap| &soap.tls);
        self.tls.as_ref().or_else(|| self.mllp.as_ref()?.tls.as_ref()).or_else(soap)
    }

    /// In what words it is told.
    #[must_use]
    pub fn words(&self) -> Box<dyn Words + '_> {
        match (&self.mllp, &self.soap) {
            (Some(mllp), _) => Box::new(hl7::Addressed {
                application: mllp.application.as_deref().unwrap_or(self.name.as_str()),
                authority: mllp.authority.as_deref().unwrap_or(self.department.as_str()),
            }),
            (None, Some(soap)) => Box::new(soap.addressed()),
            (None, None) => Box::new(Whole),
        }
    }

    /// The folder it is told in, if it is one, and every file it names.
    pub fn paths(&mut self) -> (Option<&mut PathBuf>, Vec<&mut PathBuf>) {
        let mllp = self.mllp.as_mut().and_then(|mllp| mllp.tls.as_mut());
        let mut files = Vec::new();
        let soap = self.soap.as_mut().map(|soap| &mut soap.tls);
        for tls in self.tls.iter_mut().chain(mllp).chain(soap) {
            files.extend([&mut tls.authority, &mut tls.certificate, &mut tls.key]);
        }
        if let Some(table) = &mut self.table {
            files.extend(table.database.password.iter_mut().chain(&mut table.database.authority));
        }
        (self.folder.as_mut(), files)
    }
}

/// The client of one subscription. Files that changed make a new one.
#[derive(Debug)]
pub struct Subscriber {
    settings: SubscriptionSettings,
    way: Option<(Gate, Way)>,
    probed: AtomicI64,
}

impl Subscriber {
    /// Prepares the way, with the [certificates](SubscriptionSettings::certificates) it has;
    /// nothing is sent.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no way.
    pub fn new(
        settings: SubscriptionSettings,
        tls: Option<ClientConfig>,
    ) -> Result<Self, SetUpError> {
        let probed = AtomicI64::default();
        // What does not go together `Config::load` has refused.
        let Ok(Some(to)) = settings.to() else { return Ok(Self { settings, way: None, probed }) };
        let limits = Limits {
            timeout_ms: settings.timeout_ms,
            connect_timeout_ms: settings.timeout_ms,
            // Whatever a receiver answers beside its verdict is not read further.
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
        let way = Some((Gate::new(limits)?, Way::new(to, &limits, tls)?));
        Ok(Self { settings, way, probed })
    }

    /// What was configured.
    #[must_use]
    pub const fn settings(&self) -> &SubscriptionSettings {
        &self.settings
    }

    /// The state of its way now, for the overview; `None` if it has none.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Option<Reading> {
        self.way.as_ref().map(|(gate, _)| gate.reading(now_ms))
    }

    /// Whether the receiver is left alone now.
    #[must_use]
    pub fn rests(&self, now_ms: i64) -> bool {
        self.way.as_ref().is_none_or(|(gate, _)| gate.rests(now_ms))
    }

    /// The notice that was last to find out whether the receiver is back. The next one is another:
    /// one that the receiver never answers holds up its own lane and not all of them.
    #[must_use]
    pub fn probed(&self) -> i64 {
        self.probed.load(Ordering::Relaxed)
    }

    /// Takes note of the notice that finds out now.
    pub fn probe(&self, number: i64) {
        self.probed.store(number, Ordering::Relaxed);
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

    /// Sends one notice, and says what the receiver said of it.
    ///
    /// # Errors
    /// [`LineError`] if it said nothing.
    pub async fn send(&self, parcel: Parcel, now_ms: i64) -> Result<Said, LineError> {
        // Nothing is due to who is told nothing.
        let Some((gate, way)) = &self.way else { return Ok(Said::Taken) };
        let is_down = |said: &Said| *said == Said::NotNow;
        gate.pass(way.bring(parcel), (is_down, now_ms)).await
    }
}
