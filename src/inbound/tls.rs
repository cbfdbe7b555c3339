//! TLS for every listener: mutual by default, reloaded without rebinding.
//!
//! One provider (aws-lc-rs), TLS 1.2 and 1.3, client certificates checked against
//! our own authorities and their revocation lists. What serves is replaced as a
//! whole or not at all: a broken file leaves the old material in place. Knows
//! nothing of who a certificate belongs to; that is `identity::Bindings`.

mod material;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::identity::{Certificate, Standing};
use material::Material;
pub use material::{Expiry, ExpiryKind, TlsError};

/// The certificate a listener shows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Certificate chain, PEM, the listener's own first. Default `certs/dev/gateway.pem`.
    pub certificate: PathBuf,
    /// Its private key, PEM. Default `certs/dev/gateway.key`.
    pub key: PathBuf,
}

/// Which clients a listener lets in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// Authorities whose certificates are accepted, PEM. Default `certs/dev/ca.pem`.
    pub authorities: PathBuf,
    /// Their revocation lists, PEM, one of each authority. Default `certs/dev/crl.pem`.
    pub revocations: PathBuf,
    /// Whether an expired revocation list refuses everybody. Default `true`: without a
    /// fresh list nobody knows who was revoked.
    pub enforce_revocation_expiration: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { certificate: "certs/dev/gateway.pem".into(), key: "certs/dev/gateway.key".into() }
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            authorities: "certs/dev/ca.pem".into(),
            revocations: "certs/dev/crl.pem".into(),
            enforce_revocation_expiration: true,
        }
    }
}

/// Key, certificate and client rules of a listener, replaceable while it serves.
///
/// Connections that are open keep what they were made with; every handshake after
/// [`serve`](Self::serve) sees the new material.
#[derive(Debug)]
pub struct ReloadableTls {
    settings: Settings,
    clients: Option<ClientSettings>,
    current: ArcSwap<Material>,
}

impl ReloadableTls {
    /// A listener that demands a client certificate.
    ///
    /// # Errors
    /// [`TlsError`] naming the file that cannot serve.
    pub fn mutual(settings: Settings, clients: ClientSettings) -> Result<Arc<Self>, TlsError> {
        Self::load(settings, Some(clients))
    }

    /// A listener for browsers: it shows its certificate and asks for none.
    ///
    /// # Errors
    /// [`TlsError`] naming the file that cannot serve.
    pub fn without_clients(settings: Settings) -> Result<Arc<Self>, TlsError> {
        Self::load(settings, None)
    }

    /// Reads all files again. What they hold serves once it is handed to [`serve`](Self::serve).
    ///
    /// # Errors
    /// [`TlsError`] if any file cannot serve, or a revocation list is older than the
    /// one in use; what served before goes on serving.
    pub fn read(&self) -> Result<Fresh, TlsError> {
        let fresh = Material::read(&self.settings, self.clients.as_ref())?;
        fresh.follows(&self.current.load())?;
        Ok(Fresh(fresh))
    }

    /// Swaps in what was read, all of it together.
    pub fn serve(&self, fresh: Fresh) {
        self.current.store(Arc::new(fresh.0));
    }

    /// For a port that speaks HTTPS; stays right across reloads.
    ///
    /// # Errors
    /// [`TlsError::Rustls`] if the provider lacks TLS 1.2 or 1.3.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Rustls)?;
        if self.clients.is_none() {
            return Ok(builder.with_no_client_auth().with_cert_resolver(self.clone()));
        }
        let mut config =
            builder.with_client_cert_verifier(self.clone()).with_cert_resolver(self.clone());
        // A resumed session is not verified again: whoever was revoked since would walk in.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// For MLLP and other bare sockets.
    ///
    /// # Errors
    /// As [`server_config`](Self::server_config).
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        self.server_config().map(|config| TlsAcceptor::from(Arc::new(config)))
    }

    /// What the lists and authorities in use say; serial numbers as [`certificate`] writes them.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.current.load().standing.clone()
    }

    /// When the listener's certificate, its authorities and their lists end.
    #[must_use]
    pub fn expiries(&self) -> Vec<Expiry> {
        self.current.load().expiries.clone()
    }

    fn load(settings: Settings, clients: Option<ClientSettings>) -> Result<Arc<Self>, TlsError> {
        let material = Material::read(&settings, clients.as_ref())?;
        Ok(Arc::new(Self { settings, clients, current: ArcSwap::from_pointee(material) }))
    }

    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let current = self.current.load();
        current.clients.clone().ok_or_else(|| CertificateError::UnknownIssuer.into())
    }
}

/// Key, certificate and client rules that can serve, and do not yet: whoever reloads
/// several things swaps them in when all of them are found good.
#[derive(Debug)]
pub struct Fresh(Material);

impl Fresh {
    /// What its lists and authorities say.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.standing.clone()
    }
}

impl ResolvesServerCert for ReloadableTls {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().key.clone())
    }
}

impl ClientCertVerifier for ReloadableTls {
    /// Empty: a hint is borrowed for the listener's life and would go stale at a reload;
    /// without one a client shows the certificate it has (RFC 8446 section 4.2.4).
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verifier()?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().map(|verifier| verifier.supported_verify_schemes()).unwrap_or_default()
    }
}

/// Makes aws-lc-rs the provider of the process, for libraries that ask for the default.
///
/// Called again, or after another component did the same, it changes nothing.
pub fn install_provider() {
    let _ = aws_lc_rs::default_provider().install_default();
}

/// What of a client certificate names its holder: one common name, the serial number, and
/// until when it is good.
///
/// `None` for bytes that are no certificate, and for a subject with no or several
/// common names: nobody is bound to those.
#[must_use]
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let (rest, parsed) = X509Certificate::from_der(der).ok()?;
    let mut names = parsed.subject().iter_common_name();
    match (names.next(), names.next(), rest.is_empty()) {
        (Some(name), None, true) => Some(Certificate {
            subject: name.as_str().ok()?.to_owned(),
            serial: material::serial(parsed.raw_serial()),
            not_after: parsed.validity().not_after.timestamp(),
        }),
        _ => None,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
