//! What a listener serves with, read from files and proven before it may serve.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::{ClientSettings, Settings, provider};
use crate::identity::Standing;

/// Why TLS files cannot serve. Names files, never their content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's time is over, or has not begun.
    #[error("{}: the certificate is not valid now", .0.display())]
    CertificateTime(PathBuf),
    /// The key is not the certificate's, or of no kind we know.
    #[error("{}: the key does not fit the certificate", file.display())]
    Key {
        /// The key file.
        file: PathBuf,
        /// What rustls says.
        #[source]
        source: rustls::Error,
    },
    /// No certificate, or bytes that are none.
    #[error("{}: no certificate can be read", .0.display())]
    NoCertificate(PathBuf),
    /// An authority without a revocation list: all its clients would be refused.
    #[error("{}: an authority has no revocation list here", .0.display())]
    RevocationMissing(PathBuf),
    /// The list is older than the one in use: revoked certificates would be good again.
    #[error("the revocation list is older than the one in use")]
    RevocationOlder,
    /// The list's time is over.
    #[error("{}: the revocation list has expired", .0.display())]
    RevocationTime(PathBuf),
    /// A list that none of the authorities signed.
    #[error("{}: no accepted authority signed this revocation list", .0.display())]
    RevocationUnsigned(PathBuf),
    /// rustls refuses the combination.
    #[error("the TLS configuration cannot serve")]
    Rustls(#[source] rustls::Error),
    /// The file is not there or not PEM.
    #[error("{}: cannot be read as PEM", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The authorities cannot verify clients.
    #[error("the authorities cannot verify clients")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

/// When a certificate or revocation list in use ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What ends: the subject of the certificate, or the authority of the list.
    pub subject: String,
    /// Which of the three.
    pub kind: ExpiryKind,
    /// Its last second, unix time.
    pub not_after: i64,
}

/// What sort of thing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryKind {
    /// 证书颁发机构, an authority's certificate.
    Authority,
    /// 证书吊销列表, a revocation list.
    Revocations,
    /// 服务器证书, the listener's own certificate.
    Server,
}

/// Everything one listener serves with; immutable, swapped as a whole.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
    pub(super) standing: Standing,
    pub(super) expiries: Vec<Expiry>,
    /// CRL number by the authority's public key.
    numbers: HashMap<Vec<u8>, Vec<u8>>,
}

/// What the revocation lists of a file say.
#[derive(Default)]
struct Revocations {
    lists: Vec<CertificateRevocationListDer<'static>>,
    serials: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, Vec<u8>>,
    expiries: Vec<Expiry>,
}

impl Material {
    pub(super) fn read(
        settings: &Settings,
        clients: Option<&ClientSettings>,
    ) -> Result<Self, TlsError> {
        let now = now();
        let chain = certificates(&settings.certificate)?;
        let mut expiries = validity(&settings.certificate, &chain, (ExpiryKind::Server, now))?;
        expiries.truncate(1);
        let key = PrivateKeyDer::from_pem_file(&settings.key)
            .map_err(|source| TlsError::Unreadable { file: settings.key.clone(), source })?;
        let key = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|source| TlsError::Key { file: settings.key.clone(), source })?;
        let mut material = Self {
            key: Arc::new(key),
            clients: None,
            // Of no authority, nobody.
            standing: Standing { revoked: HashSet::new(), until: i64::MIN },
            expiries,
            numbers: HashMap::new(),
        };
        if let Some(clients) = clients {
            material.admit(clients, now)?;
        }
        Ok(material)
    }

    /// Refuses to step back to an older list of the same authority.
    pub(super) fn follows(&self, before: &Self) -> Result<(), TlsError> {
        let older = |(authority, number): (&Vec<u8>, &Vec<u8>)| {
            let old = before.numbers.get(authority);
            old.is_some_and(|old| (number.len(), number) < (old.len(), old))
        };
        if self.numbers.iter().any(older) { Err(TlsError::RevocationOlder) } else { Ok(()) }
    }

    fn admit(&mut self, clients: &ClientSettings, now: i64) -> Result<(), TlsError> {
        let authorities = certificates(&clients.authorities)?;
        let ends = validity(&clients.authorities, &authorities, (ExpiryKind::Authority, now))?;
        let revocations = revocations(clients, &authorities, now)?;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(TlsError::Rustls)?;
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .with_crls(revocations.lists);
        if clients.enforce_revocation_expiration {
            builder = builder.enforce_revocation_expiration();
        }
        self.clients = Some(builder.build().map_err(TlsError::Verifier)?);
        let listed = revocations.expiries.iter().filter(|_| clients.enforce_revocation_expiration);
        let until = ends.iter().chain(listed).map(|expiry| expiry.not_after).min();
        let revoked = revocations.serials.into_iter().collect();
        self.standing = Standing { revoked, until: until.unwrap_or(i64::MIN) };
        self.numbers = revocations.numbers;
        self.expiries.extend(ends);
        self.expiries.extend(revocations.expiries);
        Ok(())
    }
}

/// A serial number without the zero bytes DER may put before it.
pub(super) fn serial(raw: &[u8]) -> Vec<u8> {
    raw.iter().copied().skip_while(|byte| *byte == 0).collect()
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { file: file.to_owned(), source };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect();
    let found = found.map_err(unreadable)?;
    if found.is_empty() { Err(TlsError::NoCertificate(file.to_owned())) } else { Ok(found) }
}

/// Refuses certificates outside their time, and says when the others end.
fn validity(
    file: &Path,
    chain: &[CertificateDer<'_>],
    (kind, now): (ExpiryKind, i64),
) -> Result<Vec<Expiry>, TlsError> {
    let mut expiries = Vec::new();
    for der in chain {
        let (_, parsed) =
            X509Certificate::from_der(der).map_err(|_| TlsError::NoCertificate(file.to_owned()))?;
        let (from, to) = (parsed.validity().not_before, parsed.validity().not_after);
        if now < from.timestamp() || now > to.timestamp() {
            return Err(TlsError::CertificateTime(file.to_owned()));
        }
        let subject = parsed.subject().to_string();
        expiries.push(Expiry { subject, kind, not_after: to.timestamp() });
    }
    Ok(expiries)
}

fn revocations(
    settings: &ClientSettings,
    authorities: &[CertificateDer<'_>],
    now: i64,
) -> Result<Revocations, TlsError> {
    let file = &settings.revocations;
    let unreadable = |source| TlsError::Unreadable { file: file.clone(), source };
    let mut found = Revocations::default();
    for list in CertificateRevocationListDer::pem_file_iter(file).map_err(unreadable)? {
        let list = list.map_err(unreadable)?;
        let (_, parsed) = CertificateRevocationList::from_der(&list)
            .map_err(|_| TlsError::RevocationUnsigned(file.clone()))?;
        let authority = signer(&parsed, authorities)
            .ok_or_else(|| TlsError::RevocationUnsigned(file.clone()))?;
        let end = parsed.next_update().map_or(i64::MAX, |time| time.timestamp());
        if settings.enforce_revocation_expiration && now > end {
            return Err(TlsError::RevocationTime(file.clone()));
        }
        let number = parsed.crl_number().map(|number| number.to_bytes_be()).unwrap_or_default();
        found.numbers.insert(authority, number);
        let revoked = parsed.iter_revoked_certificates();
        found.serials.extend(revoked.map(|entry| serial(entry.raw_serial())));
        let subject = parsed.issuer().to_string();
        found.expiries.push(Expiry { subject, kind: ExpiryKind::Revocations, not_after: end });
        found.lists.push(list);
    }
    if found.numbers.len() < authorities.len() {
        return Err(TlsError::RevocationMissing(file.clone()));
    }
    Ok(found)
}

/// The public key of the authority that signed a list.
///
/// rustls looks at the signature only when a client comes; by then every client
/// would be refused, so it is looked at here, before the list may serve.
fn signer(
    list: &CertificateRevocationList<'_>,
    authorities: &[CertificateDer<'_>],
) -> Option<Vec<u8>> {
    let signature = list.signature_value.as_ref();
    let provider = provider();
    authorities.iter().find_map(|der| {
        let (_, authority) = X509Certificate::from_der(der).ok()?;
        let key = authority.public_key();
        let proven = provider.signature_verification_algorithms.all.iter().any(|algorithm| {
            let bits = key.subject_public_key.as_ref();
            algorithm.verify_signature(bits, list.tbs_cert_list.as_ref(), signature).is_ok()
        });
        let named = authority.subject().as_raw() == list.issuer().as_raw();
        (named && proven).then(|| key.raw.to_vec())
    })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
