//! 途径, the ways a notice leaves: over HTTPS, over MLLP, by SOAP, as a file, as a row.
//!
//! A way knows bytes and what the receiver said of them. What is told, in which order and how
//! often it is tried is the same for all and stands elsewhere.

pub mod folder;
pub mod mllp;
pub mod soap;
pub mod table;

use std::fmt;
use std::path::Path;

use reqwest::Url;
use rustls::ClientConfig;

use super::gate::{Limits, LineError, SetUpError};
use super::line::Post;
use crate::vocabulary::{Event, Subscription};

/// Media type of notices.
const JSON: &str = "application/json";

/// Where one subscription is told, as it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// A folder, a file for each notice.
    Folder(&'a Path),
    /// A url that notices are posted to.
    Https(&'a str),
    /// A receiver of HL7 v2 messages.
    Mllp(&'a mllp::Settings),
    /// A receiver of HL7 v3 messages.
    Soap(&'a soap::Settings),
    /// A table, a row for each notice.
    Table(&'a table::Settings),
}

impl<'a> To<'a> {
    /// Host and port of whoever is connected to; `None` if nobody is.
    #[must_use]
    pub fn address(self) -> Option<String> {
        match self {
            Self::Folder(_) => None,
            Self::Https(url) => {
                let url = Url::parse(url).ok()?;
                Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
            }
            Self::Mllp(settings) => Some(settings.address.clone()),
            Self::Soap(settings) => settings.address(),
            Self::Table(settings) => {
                let database = &settings.database;
                Some(format!("{}:{}", database.host, database.port))
            }
        }
    }

    /// The folder that is written to, if it is one.
    #[must_use]
    pub const fn folder(self) -> Option<&'a Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Https(_) | Self::Mllp(_) | Self::Soap(_) | Self::Table(_) => None,
        }
    }
}

/// `mllp receiver.example:2575`
impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "folder {}", folder.display()),
            Self::Https(url) => f.write_str(url),
            Self::Mllp(settings) => write!(f, "mllp {}", settings.address),
            Self::Soap(settings) => write!(f, "soap {} {}", settings.form.name(), settings.url),
            Self::Table(table::Settings { name, database }) => {
                write!(f, "table {name} of {}:{}/{}", database.host, database.port, database.name)
            }
        }
    }
}

/// A notice on its way: its bytes, what a receiver knows it by, and where the ledger says so.
pub struct Parcel {
    /// Of which subscription.
    pub subscription: Subscription,
    /// Its number in the outbox.
    pub number: i64,
    /// The same at every try, so that the receiver can tell a repeat.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// When the gateway learned of it, seconds since 1970.
    pub happened_at: i64,
    /// The elder, as the department calls him.
    pub reference: String,
    /// What is told.
    pub body: Vec<u8>,
    /// Number of the ledger entry, and the signed checkpoint that covers it.
    pub entry: (u64, String),
}

/// What the receiver said of a notice. That it said nothing is a [`LineError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It cannot take anything now.
    NotNow,
    /// It could not take this one, and did not say that it never will.
    NotThis,
    /// It understood, and does not want it: trying again would change nothing.
    Refused,
    /// It has it.
    Taken,
}

impl Said {
    /// By a status of HTTP.
    const fn by(status: u16) -> Self {
        match status {
            200..300 => Self::Taken,
            400 | 406 | 409 | 410 | 413 | 415 | 422 => Self::Refused,
            500.. => Self::NotNow,
            _ => Self::NotThis,
        }
    }
}

/// One way, set up.
#[derive(Debug)]
pub enum Way {
    /// Files.
    Folder(folder::Folder),
    /// Requests.
    Https(Post),
    /// Messages.
    Mllp(mllp::Receiver),
    /// Messages in envelopes.
    Soap(soap::Receiver),
    /// Rows.
    Table(table::Rows),
}

impl Way {
    /// Sets it up; nothing is sent.
    ///
    /// # Errors
    /// [`SetUpError`] if the settings make no way.
    pub fn new(to: To<'_>, limits: &Limits, tls: Option<ClientConfig>) -> Result<Self, SetUpError> {
        Ok(match to {
            To::Folder(folder) => Self::Folder(folder::Folder::new(folder)),
            To::Https(url) => {
                let tls = tls.ok_or(SetUpError::Client)?;
                Self::Https(Post::new((url, ""), limits, tls)?)
            }
            To::Mllp(settings) => Self::Mllp(mllp::Receiver::new(settings, limits, tls)?),
            To::Soap(settings) => {
                let tls = tls.ok_or(SetUpError::Client)?;
                Self::Soap(soap::Receiver::new(settings, limits, tls)?)
            }
            To::Table(settings) => Self::Table(table::Rows::new(settings)?),
        })
    }

    /// Brings one notice to the receiver.
    ///
    /// # Errors
    /// [`LineError`] if it said nothing of it.
    pub async fn bring(&self, parcel: Parcel) -> Result<Said, LineError> {
        match self {
            Self::Folder(folder) => folder.bring(parcel).await,
            Self::Https(post) => posted(post, parcel).await,
            Self::Mllp(receiver) => receiver.bring(&parcel).await,
            Self::Soap(receiver) => receiver.bring(parcel).await,
            Self::Table(rows) => rows.bring(&parcel).await,
        }
    }
}

/// What a receiver knows a posted notice by, and the evidence it keeps.
fn headers(id: String, (number, checkpoint): (u64, String)) -> Vec<(&'static str, String)> {
    vec![
        ("Idempotency-Key", id),
        ("kangqiao-ledger-entry", number.to_string()),
        ("kangqiao-checkpoint", checkpoint),
    ]
}

async fn posted(post: &Post, parcel: Parcel) -> Result<Said, LineError> {
    let Parcel { id, body, entry, .. } = parcel;
    let headers = headers(id, entry);
    match post.exchange((JSON, body), &headers).await {
        Ok((status, _)) => Ok(Said::by(status)),
        // It took the notice, and talks about it too much.
        Err(LineError::TooLarge) => Ok(Said::Taken),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A notice of that number, with so many entries before it.
    pub fn parcel(number: i64, entry: u64, body: &str) -> Parcel {
        Parcel {
            subscription: Subscription::parse("payments").unwrap(),
            number,
            id: format!("payments-{number}"),
            event: Event::fixed("death"),
            happened_at: 0,
            reference: "JT-1".to_owned(),
            body: body.as_bytes().to_vec(),
            entry: (entry, String::new()),
        }
    }

    #[test]
    fn a_status_says_whether_trying_again_can_help() {
        let check = |statuses: &[u16], said| {
            statuses.iter().for_each(|status| assert_eq!(Said::by(*status), said, "{status}"));
        };
        check(&[200, 202, 204], Said::Taken);
        check(&[400, 406, 409, 410, 413, 415, 422], Said::Refused);
        check(&[307, 401, 403, 404, 408, 425, 429], Said::NotThis);
        check(&[500, 503, 599], Said::NotNow);
    }
}
