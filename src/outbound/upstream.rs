//! One upstream system behind HTTPS with mutual TLS.

use std::time::Instant;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::circuit::Reading;
use super::gate::{Limits, LineError, SetUpError};
use super::line::Line;
use super::tls::TlsFiles;
use crate::policy::Release;
use crate::registry::{self, Registry};
use crate::vocabulary::{Department, Source};

/// SOAP 1.1 section 6.1.1 wants the header; nobody else minds it.
const SOAP_ACTION: (&str, &str) = ("SOAPAction", "\"\"");

/// Settings of one upstream. Name, url, department and files have no default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in records, answers and metrics.
    pub name: Source,
    /// Where it listens: `https://host:port`, optionally with a path.
    pub url: String,
    /// As which department it is told whom a question is about.
    pub department: Department,
    /// The dialect it speaks, and that its records are mapped by: `platform-json`,
    /// `civil-json`, `v3-regional`, `v3-hospital`. Default `platform-json`.
    #[serde(default = "default::dialect")]
    pub dialect: String,
    /// Certificates and key.
    pub tls: TlsFiles,
    /// How long one look-up may take in all, in milliseconds. Default 2000.
    #[serde(default = "default::timeout_ms")]
    pub timeout_ms: u64,
    /// How long connecting may take, in milliseconds. Default 500.
    #[serde(default = "default::connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// How many bytes an answer may have. Default 1048576.
    #[serde(default = "default::reply_bytes_max")]
    pub reply_bytes_max: usize,
    /// How many look-ups may be on their way at once; more wait. Default 32.
    #[serde(default = "default::in_flight_max")]
    pub in_flight_max: usize,
    /// After how many failures in a row it is left alone. Default 5.
    #[serde(default = "default::failures_max")]
    pub failures_max: u32,
    /// For how long, in milliseconds. Default 10000.
    #[serde(default = "default::open_ms")]
    pub open_ms: i64,
}

/// The defaults of [`Settings`], as serde asks for them.
mod default {
    pub fn dialect() -> String {
        "platform-json".to_owned()
    }
    pub const fn timeout_ms() -> u64 {
        2_000
    }
    pub const fn connect_timeout_ms() -> u64 {
        500
    }
    pub const fn reply_bytes_max() -> usize {
        1 << 20
    }
    pub const fn in_flight_max() -> usize {
        32
    }
    pub const fn failures_max() -> u32 {
        5
    }
    pub const fn open_ms() -> i64 {
        10_000
    }
}

/// The client of one upstream. Files that changed make a new one.
#[derive(Debug)]
pub struct Upstream {
    settings: Settings,
    line: Line,
}

impl Upstream {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no client.
    pub fn new(settings: Settings, tls: ClientConfig) -> Result<Self, SetUpError> {
        let limits = Limits {
            timeout_ms: settings.timeout_ms,
            connect_timeout_ms: settings.connect_timeout_ms,
            reply_bytes_max: settings.reply_bytes_max,
            in_flight_max: settings.in_flight_max,
            failures_max: settings.failures_max,
            open_ms: settings.open_ms,
        };
        let path = registry::find(&settings.dialect).map_or("", |dialect| dialect.path());
        let line = Line::new((&settings.url, path), limits, tls)?;
        Ok(Self { settings, line })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> Source {
        self.settings.name
    }

    /// As which department it is told whom a question is about.
    #[must_use]
    pub const fn department(&self) -> Department {
        self.settings.department
    }

    /// The dialect it speaks.
    #[must_use]
    pub fn dialect(&self) -> &str {
        &self.settings.dialect
    }

    /// Its state now, for the overview.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Reading {
        self.line.reading(now_ms)
    }

    /// Asks what the upstream has about the person of a release that was decided for it,
    /// as many questions as the dialect needs.
    ///
    /// `dialect` writes the questions; `now_ms` is the clock when the first begins. The
    /// answers' bytes are not yet read.
    ///
    /// # Errors
    /// [`LineError`]; with all but [`LineError::Misdirected`] an older answer may do.
    pub async fn look_up(
        &self,
        release: &Release,
        dialect: &dyn Registry,
        now_ms: i64,
    ) -> Result<Vec<Vec<u8>>, LineError> {
        if release.admission().department() != self.settings.department {
            return Err(LineError::Misdirected);
        }
        let mut replies = Vec::new();
        let began = Instant::now();
        loop {
            let next = dialect.next(release, &replies);
            let Some(body) = next.map_err(|_| LineError::Broken)? else { return Ok(replies) };
            let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let (body, at_ms) = ((dialect.media(), body), now_ms.saturating_add(took));
            let (name, value) = SOAP_ACTION;
            let reply = self.line.post(body, &[(name, value.to_owned())], at_ms).await?;
            replies.push(reply);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
