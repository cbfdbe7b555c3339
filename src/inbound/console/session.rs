//! Who is signed in: a bounded table in memory, nothing in the cookie but a random number.

use std::collections::HashMap;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use sha2::{Digest, Sha256};

use super::access::Roles;

/// Characters of [`random`].
pub const RANDOM_CHARS: usize = 64;

/// When a session ends.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Seconds without a request.
    pub idle_s: i64,
    /// Seconds since sign-in, whatever happens.
    pub absolute_s: i64,
    /// How many sessions at once; the longest unused goes first.
    pub sessions_max: usize,
}

/// One signed-in browser.
#[derive(Debug, Clone)]
pub struct Session {
    /// Name in the users file.
    pub user: String,
    /// What the user was at sign-in.
    pub roles: Roles,
    /// What the user's line in the users file was then; a changed line ends the session.
    pub stamp: [u8; 32],
    /// What every form of this session must carry.
    pub form_token: String,
    opened: i64,
    seen: i64,
}

/// The table. Time is handed in, unix seconds.
#[derive(Debug)]
pub struct Sessions {
    limits: Limits,
    by_digest: HashMap<[u8; 32], Session>,
}

impl Sessions {
    /// Nobody is signed in.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, by_digest: HashMap::new() }
    }

    /// Opens a session and returns what its cookie holds: 32 random bytes, hexadecimal.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn open(
        &mut self,
        user: &str,
        (roles, stamp): (Roles, [u8; 32]),
        now: i64,
    ) -> Result<String, Unspecified> {
        let (cookie, form_token) = (random()?, random()?);
        let limits = self.limits;
        self.by_digest.retain(|_, session| alive(session, &limits, now));
        if self.by_digest.len() >= limits.sessions_max {
            let unused = self.by_digest.iter().min_by_key(|(_, session)| session.seen);
            if let Some(digest) = unused.map(|(digest, _)| *digest) {
                self.by_digest.remove(&digest);
            }
        }
        let user = user.to_owned();
        let session = Session { user, roles, stamp, form_token, opened: now, seen: now };
        self.by_digest.insert(digest(&cookie), session);
        Ok(cookie)
    }

    /// The session of a cookie, if it is alive; it is used now, where somebody is there.
    pub fn find(&mut self, cookie: &str, came: Came, now: i64) -> Option<Session> {
        let limits = self.limits;
        let session = self.by_digest.get_mut(&digest(cookie))?;
        if !alive(session, &limits, now) {
            self.close(cookie);
            return None;
        }
        if came == Came::ByHand {
            session.seen = session.seen.max(now);
        }
        Some(session.clone())
    }

    /// Ends a session.
    pub fn close(&mut self, cookie: &str) {
        self.by_digest.remove(&digest(cookie));
    }
}

/// How a request came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Somebody did something.
    ByHand,
    /// A page that shows how things stand asked anew: that keeps no session open.
    ByItself,
}

/// 32 random bytes in hexadecimal digits.
///
/// # Errors
/// If the system has no random numbers.
pub fn random() -> Result<String, Unspecified> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The table is searched by digest, so its timing tells nothing about a cookie.
fn digest(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

fn alive(session: &Session, limits: &Limits, now: i64) -> bool {
    now < session.seen.saturating_add(limits.idle_s)
        && now < session.opened.saturating_add(limits.absolute_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound::console::access::Role;

    const LIMITS: Limits = Limits { idle_s: 10, absolute_s: 25, sessions_max: 3 };

    fn open(sessions: &mut Sessions, user: &str, now: i64) -> String {
        sessions.open(user, (Role::Auditor.into(), [0; 32]), now).unwrap()
    }

    #[test]
    fn a_page_that_asks_by_itself_keeps_no_session_open() {
        let mut sessions = Sessions::new(LIMITS);
        let cookie = open(&mut sessions, "lin", 0);
        for (now, open) in [(4, true), (9, true), (10, false)] {
            assert_eq!(sessions.find(&cookie, Came::ByItself, now).is_some(), open, "{now}");
        }
    }

    #[test]
    fn a_session_ends_when_idle_and_after_its_time_even_in_use() {
        let mut sessions = Sessions::new(LIMITS);
        let cookie = open(&mut sessions, "lin", 0);
        assert_eq!(cookie.len(), 64);
        for (now, alive) in [(9, true), (18, true), (24, true), (25, false), (1, false)] {
            assert_eq!(sessions.find(&cookie, Came::ByHand, now).is_some(), alive, "{now}");
        }
        let idle = open(&mut sessions, "lin", 0);
        assert!(sessions.find(&idle, Came::ByHand, 10).is_none());
    }

    #[test]
    fn a_closed_or_invented_cookie_is_nobody() {
        let mut sessions = Sessions::new(LIMITS);
        let cookie = open(&mut sessions, "lin", 0);
        assert!(
            sessions.find("", Came::ByHand, 0).is_none()
                && sessions.find(&cookie[1..], Came::ByHand, 0).is_none()
        );
        sessions.close(&cookie);
        assert!(sessions.find(&cookie, Came::ByHand, 0).is_none());
    }

    #[test]
    fn the_table_is_bounded_and_the_longest_unused_goes_first() {
        let mut sessions = Sessions::new(LIMITS);
        let first = open(&mut sessions, "a", 0);
        let second = open(&mut sessions, "b", 1);
        open(&mut sessions, "c", 2);
        assert!(sessions.find(&first, Came::ByHand, 3).is_some());
        open(&mut sessions, "d", 4);
        assert_eq!(sessions.by_digest.len(), LIMITS.sessions_max);
        assert!(sessions.find(&first, Came::ByHand, 5).is_some());
        assert!(sessions.find(&second, Came::ByHand, 5).is_none());
    }
}
