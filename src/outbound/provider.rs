//! The way to the identity provider of the console: HTTPS, its authority alone is trusted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url, header, redirect};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;

use super::tls::{TlsError, roots};

/// One exchange in all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is a page about itself, keys, or tokens.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The authorities cannot be used.
    #[error(transparent)]
    Authority(#[from] TlsError),
    /// The HTTP client refused its settings.
    #[error("the client cannot be built")]
    Client,
}

/// A client of one provider.
#[derive(Debug, Clone)]
pub struct Provider(Client);

impl Provider {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn new(authority: &Path) -> Result<Self, ProviderError> {
        let roots = roots(authority)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::from)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build();
        client.map(Self).map_err(|_| ProviderError::Client)
    }

    /// A page.
    ///
    /// # Errors
    /// Why not, in a few words; nothing of what came is in them.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        read(self.0.get(url)).await
    }

    /// The answer to a form, with a name and a secret in its head or without.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post(
        &self,
        url: &str,
        form: &[(&str, String)],
        basic: Option<(&str, &str)>,
    ) -> Result<Vec<u8>, String> {
        let kind = "application/x-www-form-urlencoded";
        let request = self.0.post(url).header(header::CONTENT_TYPE, kind);
        let request = request.header(header::ACCEPT, "application/json").body(written(form));
        read(match basic {
            // Each is written as in a form before it goes into the head (RFC 6749, 2.3.1).
            Some((name, secret)) => request.basic_auth(escaped(name), Some(escaped(secret))),
            None => request,
        })
        .await
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Vec<u8>, String> {
    let mut response = request.send().await.map_err(|error| kind(&error).to_owned())?;
    if !response.status().is_success() {
        return Err(format!("it answered with status {}", response.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| kind(&error).to_owned())? {
        if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err("its answer is too long".to_owned());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn kind(error: &reqwest::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "it did not answer in time",
        () if error.is_connect() => "it cannot be reached, or its certificate is not accepted",
        () => "the connection broke",
    }
}

/// A form as it is sent.
fn written(form: &[(&str, String)]) -> String {
    let Ok(mut url) = Url::parse("https://form/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

fn escaped(text: &str) -> String {
    written(&[("", text.to_owned())]).trim_start_matches('=').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_browsers_do() {
        assert_eq!(
            written(&[("a", "b c".to_owned()), ("d", "é&=".to_owned())]),
            "a=b+c&d=%C3%A9%26%3D"
        );
        assert_eq!(escaped("a:b+c="), "a%3Ab%2Bc%3D");
    }
}
