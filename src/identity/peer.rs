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
    /// Its last second, seconds since 1970.
    pub not_after: i64,
}

/// What the authorities say of the certificates they gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Serial numbers of those that are no longer good.
    pub revoked: HashSet<Vec<u8>>,
    /// Until when that is known, and the authorities are believed; seconds since 1970.
    pub until: i64,
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
/// Looked up for every message and request: a connection may be open for weeks, and a
/// certificate that was revoked or ended meanwhile, or whose revocation list did, is
/// refused at its next word, as a handshake would refuse it.
#[derive(Debug, Clone)]
pub struct Bindings {
    peers: HashMap<String, Peer>,
    standing: Standing,
}

impl Bindings {
    /// Binds certificates, by common name, to peers.
    ///
    /// # Errors
    /// The common name that is bound twice.
    pub fn new(
        peers: impl IntoIterator<Item = (String, Peer)>,
        standing: Standing,
    ) -> Result<Self, String> {
        let mut bindings = Self { peers: HashMap::new(), standing };
        for (subject, peer) in peers {
            if bindings.peers.contains_key(&subject) {
                return Err(subject);
            }
            bindings.peers.insert(subject, peer);
        }
        Ok(bindings)
    }

    /// Whom a certificate belongs to, if to anybody, and if it is good at that second.
    #[must_use]
    pub fn peer(&self, certificate: &Certificate, at: i64) -> Option<Peer> {
        let ended = at > certificate.not_after || at > self.standing.until;
        if ended || self.standing.revoked.contains(&certificate.serial) {
            return None;
        }
        self.peers.get(&certificate.subject).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_good_until_it_its_list_or_its_authority_says_otherwise() {
        let sender = Peer::Sender(Source::fixed("hospital-a"));
        let standing = Standing { revoked: [vec![7]].into(), until: 100 };
        let bindings = Bindings::new([("a".to_owned(), sender)], standing).unwrap();
        let check = |(subject, serial, not_after): (&str, u8, i64), at, expect| {
            let (subject, serial) = (subject.to_owned(), vec![serial]);
            let certificate = Certificate { subject, serial, not_after };
            assert_eq!(bindings.peer(&certificate, at), expect, "{certificate:?} at {at}");
        };
        check(("a", 1, 200), 100, Some(sender));
        check(("a", 1, 200), 101, None);
        check(("a", 1, 50), 50, Some(sender));
        check(("a", 1, 50), 51, None);
        check(("a", 7, 200), 1, None);
        check(("b", 1, 200), 1, None);
    }
}
