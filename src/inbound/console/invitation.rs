//! 邀请, one-time links by which accounts are made, so that no password is ever handed over.
//!
//! In memory, as digests, and nowhere else: whoever reads the disk finds none, and a restart
//! ends all of them.

use std::collections::BTreeSet;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use sha2::{Digest, Sha256};

use super::access::{Role, Voice};
use super::session::random;

/// Links that wait to be opened, at once.
const WAITING_MAX: usize = 64;

/// Who is to have an account, as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The name of the account.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// Who spoke for it.
    pub voices: BTreeSet<Voice>,
    /// When the link is over, unix seconds.
    pub ends: i64,
}

/// Why no link is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLink {
    /// As many wait as may.
    Full,
    /// The system has no random numbers.
    Random,
}

impl From<Unspecified> for NoLink {
    fn from(_: Unspecified) -> Self {
        Self::Random
    }
}

/// The links that wait. Time is handed in, unix seconds.
#[derive(Debug, Default)]
pub struct Invitations(Vec<([u8; 32], Invitation)>);

impl Invitations {
    /// What the link of an invitation ends in: 32 random bytes, hexadecimal. One of before for
    /// the same name is over.
    ///
    /// # Errors
    /// [`NoLink`].
    pub fn draw(&mut self, invitation: Invitation, now: i64) -> Result<String, NoLink> {
        self.0.retain(|(_, one)| now < one.ends && one.name != invitation.name);
        if self.0.len() >= WAITING_MAX {
            return Err(NoLink::Full);
        }
        let token = random()?;
        self.put_back(&token, invitation);
        Ok(token)
    }

    /// What a link is for, while it may be used.
    #[must_use]
    pub fn find(&self, token: &str, now: i64) -> Option<&Invitation> {
        self.place(token).and_then(|at| self.0.get(at)).map(|(_, one)| one).filter(|o| now < o.ends)
    }

    /// Takes a link: of two who use it at once, one does.
    pub fn take(&mut self, token: &str, now: i64) -> Option<Invitation> {
        let at = self.place(token)?;
        let (_, taken) = self.0.swap_remove(at);
        Some(taken).filter(|taken| now < taken.ends)
    }

    /// A link that was taken and of which nothing came.
    pub fn put_back(&mut self, token: &str, invitation: Invitation) {
        self.0.push((digest(token), invitation));
    }

    /// Where a link stands. Each is compared, and each for the same time.
    fn place(&self, token: &str) -> Option<usize> {
        let wanted = digest(token);
        let fits = |one: &[u8; 32]| verify_slices_are_equal(one, &wanted).is_ok();
        self.0.iter().enumerate().fold(None, |found, (at, (one, _))| match fits(one) {
            true => Some(at),
            false => found,
        })
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lin(ends: i64) -> Invitation {
        let voices = BTreeSet::from([Voice::Machine]);
        Invitation { name: "lin".to_owned(), role: Role::Auditor, voices, ends }
    }

    #[test]
    fn a_link_is_taken_once_and_in_time() {
        let mut links = Invitations::default();
        let token = links.draw(lin(60), 0).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(links.find(&token, 59), Some(&lin(60)));
        for (wrong, now) in [(&token[1..], 0), ("", 0), (&token, 60)] {
            assert_eq!(links.find(wrong, now), None);
        }
        assert_eq!(links.take(&token, 59), Some(lin(60)));
        assert_eq!(links.find(&token, 59), None);
        assert_eq!(links.take(&token, 59), None);
        let late = links.draw(lin(60), 0).unwrap();
        assert_eq!(links.take(&late, 60), None);
        assert!(!format!("{links:?}").contains(&late));
    }

    #[test]
    fn one_name_has_one_link_and_what_waits_is_bounded() {
        let mut links = Invitations::default();
        let (first, second) = (links.draw(lin(60), 0).unwrap(), links.draw(lin(60), 0).unwrap());
        assert!(links.find(&first, 0).is_none() && links.find(&second, 0).is_some());
        let other = |number: usize| Invitation { name: format!("u{number}"), ..lin(60) };
        for number in 1..WAITING_MAX {
            links.draw(other(number), 0).unwrap();
        }
        assert_eq!(links.draw(other(0), 0), Err(NoLink::Full));
        assert!(links.draw(other(0), 60).is_ok(), "those of before are over");
    }
}
