//! 部门与发送方, whom a certificate belongs to. Never decided by what a message says.

use std::collections::{HashMap, HashSet};

use crate::vocabulary::{Department, Role, Source};

/// What of a client certificate names its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Common name of the subject.
    pub subject: String,
    /// Serial number, big-endian, as its authority wrote it.
    pub serial: Vec<u8>,
}

/// Whom a connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A department that asks, in one of its roles.
    Department(Department, Role),
    /// A sender that pushes.
    Sender(Source),
}

/// Which certificate belongs to whom, and which are no longer good.
///
/// Looked up for every message and request, so a certificate revoked while its
/// connection is open is refused at its next word.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    peers: HashMap<String, Peer>,
    revoked: HashSet<Vec<u8>>,
}

impl Bindings {
    /// Binds certificates, by common name, to peers.
    ///
    /// # Errors
    /// The common name that is bound twice.
    pub fn new(
        peers: impl IntoIterator<Item = (String, Peer)>,
        revoked: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, String> {
        let mut bindings = Self { peers: HashMap::new(), revoked: revoked.into_iter().collect() };
        for (subject, peer) in peers {
            if bindings.peers.contains_key(&subject) {
                return Err(subject);
            }
            bindings.peers.insert(subject, peer);
        }
        Ok(bindings)
    }

    /// Whom a certificate belongs to, if to anybody, and if it is still good.
    #[must_use]
    pub fn peer(&self, certificate: &Certificate) -> Option<Peer> {
        if self.revoked.contains(&certificate.serial) {
            return None;
        }
        self.peers.get(&certificate.subject).copied()
    }
}
