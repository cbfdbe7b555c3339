//! A receiver of HL7 v3 messages: one posted in its envelope, then what it says of it.
//!
//! What is answered counts for the message whose number it names, and for no other. A fault of
//! the sender's is a refusal; whatever is neither fault nor acknowledgement is no answer.

use reqwest::Url;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::{Parcel, Said};
use crate::outbound::gate::{Limits, LineError, SetUpError};
use crate::outbound::line::Post;
use crate::outbound::tls::TlsFiles;
use crate::registry::notice::v3::{Addressed, Form, device};
use crate::registry::v3::Answered;
use crate::wire::hl7v2::answered::Level;
use crate::wire::soap::Edition;

/// A receiver notices are posted to in the envelopes of HL7 v3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where messages are posted: `https://host:port/path`.
    pub url: String,
    /// Certificates and key.
    pub tls: TlsFiles,
    /// `v3-pix`, `v3-regional` or `v3-hospital`, the folder of its mapping files.
    pub form: Form,
    /// OID of the department's references.
    pub authority: String,
    /// Who is to have it: an OID, or `OID^NAME`.
    pub receiver: String,
    /// Who sends it, in the same way.
    pub sender: String,
    /// `1.1` or `1.2`. Default as the form has it.
    pub edition: Option<Edition>,
    /// Namespace of the operation. Default `urn:hl7-org:v3`.
    pub namespace: Option<String>,
    /// The operation. Default `HIPMessageServer`, at a regional platform the name of the message.
    pub operation: Option<String>,
    /// What a hospital platform is told beside the message. Default `PatientInfoUpdate`.
    pub action: Option<String>,
    /// `SOAPAction`, in 1.2 the `action` of the media type. Default empty, in 1.2 none.
    pub soap_action: Option<String>,
}

impl Settings {
    /// What does not go together, or is none.
    #[must_use]
    pub fn wrong(&self) -> Option<&'static str> {
        let called = [&self.namespace, &self.operation, &self.action];
        let oid = |text: &str| {
            let digits = |arc: &str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
            text.contains('.') && text.split('.').all(digits)
        };
        let named = |text: &str| device(text).root.is_some_and(|root| oid(&root));
        let line = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"');
        match self {
            _ if !oid(&self.authority) => Some("soap authority is an OID"),
            _ if !named(&self.receiver) || !named(&self.sender) => {
                Some("soap receiver and sender are an OID, or OID^NAME")
            }
            Self { form: Form::Pix, .. } if called.into_iter().any(Option::is_some) => {
                Some("v3-pix is the body itself: no namespace, operation or action")
            }
            Self { form: Form::Regional, action: Some(_), .. } => {
                Some("v3-regional has an operation for each service: no action")
            }
            Self { soap_action: Some(action), .. } if !line(action) => {
                Some("soap_action is a line of ASCII without quotes")
            }
            _ => None,
        }
    }

    /// To whom its messages are addressed.
    #[must_use]
    pub fn addressed(&self) -> Addressed<'_> {
        Addressed {
            form: self.form,
            url: &self.url,
            authority: &self.authority,
            receiver: &self.receiver,
            sender: &self.sender,
            edition: self.edition(),
            call: (self.namespace.as_deref(), self.operation.as_deref(), self.action.as_deref()),
        }
    }

    /// Host and port of the receiver.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }

    fn edition(&self) -> Edition {
        self.edition.unwrap_or(self.form.edition())
    }

    /// The media type of its envelopes; in 1.2 what is to be done with them stands in it.
    fn media(&self) -> String {
        let media = self.edition().media();
        match (&self.soap_action, self.edition()) {
            (Some(action), Edition::Two) => format!("{media}; action=\"{action}\""),
            _ => media.to_owned(),
        }
    }
}

/// The receiver.
#[derive(Debug)]
pub struct Receiver {
    post: Post,
    media: String,
    action: Option<String>,
    root: String,
}

impl Receiver {
    /// Prepares it; nothing is connected to.
    ///
    /// # Errors
    /// [`SetUpError`] if the url is none.
    pub fn new(
        settings: &Settings,
        limits: &Limits,
        tls: ClientConfig,
    ) -> Result<Self, SetUpError> {
        let action = settings.soap_action.as_deref().unwrap_or_default();
        let quoted = || format!("\"{action}\"");
        Ok(Self {
            post: Post::new((&settings.url, ""), limits, tls)?,
            media: settings.media(),
            action: (settings.edition() == Edition::One).then(quoted),
            root: settings.addressed().message_root(),
        })
    }

    /// Posts the envelope of a notice, and reads what is said of it.
    ///
    /// # Errors
    /// [`LineError`] if nothing was, or nothing about this message.
    pub async fn bring(&self, parcel: Parcel) -> Result<Said, LineError> {
        let Parcel { id, body, entry: (number, checkpoint), .. } = parcel;
        let mut headers = super::headers(id.clone(), (number, checkpoint));
        headers.extend(self.action.clone().map(|action| ("SOAPAction", action)));
        let answered = self.post.exchange((&self.media, body), &headers).await;
        let (status, reply) = answered.map_err(|error| match error {
            // What is cut off says nothing.
            LineError::TooLarge => LineError::Broken,
            other => other,
        })?;
        match Answered::read(&reply) {
            Some(Answered::Fault { sender: true }) => Ok(Said::Refused),
            Some(Answered::Fault { sender: false }) => Ok(Said::NotNow),
            Some(Answered::Acknowledged { level, target }) => {
                let target = target.ok_or(LineError::Broken)?;
                let own = target.root.is_none_or(|root| root == self.root);
                if !own || target.extension.as_deref() != Some(&id) {
                    return Err(LineError::Astray);
                }
                Ok(match level {
                    Level::Accepted => Said::Taken,
                    Level::Error => Said::NotThis,
                    Level::Rejected => Said::Refused,
                })
            }
            None if status >= 500 => Ok(Said::NotNow),
            None if status >= 300 => Ok(Said::NotThis),
            None => Err(LineError::Broken),
        }
    }
}

#[cfg(test)]
mod tests;
