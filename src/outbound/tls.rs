//! Mutual TLS towards an upstream: its authority alone is trusted, and we show a certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

/// The files of one connection, all PEM. There is no default: an upstream is trusted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Certificates of the authorities that may vouch for the upstream; the system's are not used.
    pub authority: PathBuf,
    /// Our certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// The key of our certificate.
    pub key: PathBuf,
}

/// Why the files make no connection.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of its kind.
    #[error("{file}: {reason}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate and the key do not belong together, or cannot be used.
    #[error("certificate and key: {0}")]
    Pair(#[from] rustls::Error),
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn load(&self) -> Result<ClientConfig, TlsError> {
        let roots = roots(&self.authority)?;
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key);
        let key = key.map_err(|error| failure(&self.key, error))?;
        // The provider is named here, so that nothing depends on a process-wide default.
        let provider = Arc::new(aws_lc_rs::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?)
    }
}

/// Whether a host is this machine: nobody listens on the way there, so TLS may be left out.
pub(super) fn is_this_machine(host: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].contains(&host)
}

/// The authorities of a file.
///
/// # Errors
/// [`TlsError`] naming it.
pub fn roots(authority: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(authority)? {
        roots.add(root).map_err(|error| failure(authority, error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| failure(path, error))?;
    if certificates.is_empty() {
        return Err(failure(path, "there is no certificate in it"));
    }
    Ok(certificates)
}

fn failure(path: &Path, reason: impl std::fmt::Display) -> TlsError {
    TlsError::File { file: path.display().to_string(), reason: reason.to_string() }
}
