//! Sign-ins that went to the provider and have not come back: each is good once, for a while, for
//! the browser that began it.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::inbound::console::session::random;

/// How long somebody may take at the provider, seconds.
const AWAY_S: i64 = 600;
/// How many may be away at once; the longest goes first.
const AWAY_MAX: usize = 256;

/// What only the browser and the gateway know of a sign-in, besides its `state`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pending {
    /// What the token must repeat.
    pub nonce: String,
    /// What shows that who brings the code is who asked for it (RFC 7636).
    pub verifier: String,
    ends: i64,
}

impl Pending {
    /// The challenge of the verifier, method `S256`.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }
}

/// All that are away, by state. Time is handed in, unix seconds.
#[derive(Default)]
pub struct Away(HashMap<String, Pending>);

impl Away {
    /// Begins one; its state and what is kept of it.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn begin(&mut self, now: i64) -> Result<(String, Pending), Unspecified> {
        self.0.retain(|_, one| now < one.ends);
        if self.0.len() >= AWAY_MAX {
            let oldest = self.0.iter().min_by_key(|(_, one)| one.ends);
            if let Some(state) = oldest.map(|(state, _)| state.clone()) {
                self.0.remove(&state);
            }
        }
        let (state, nonce, verifier) = (random()?, random()?, random()?);
        let pending = Pending { nonce, verifier, ends: now.saturating_add(AWAY_S) };
        self.0.insert(state.clone(), pending.clone());
        Ok((state, pending))
    }

    /// Takes one: a state that comes back twice is nobody's the second time.
    pub fn take(&mut self, state: &str, now: i64) -> Option<Pending> {
        self.0.remove(state).filter(|one| now < one.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_good_once_and_in_time_and_what_is_away_is_bounded() {
        let mut away = Away::default();
        let (state, pending) = away.begin(0).unwrap();
        assert_ne!(pending.nonce, pending.verifier);
        assert!(away.take("", 0).is_none());
        assert!(away.take(&state, AWAY_S - 1).is_some_and(|taken| taken == pending));
        assert!(away.take(&state, 0).is_none(), "once");
        let (late, _) = away.begin(0).unwrap();
        assert!(away.take(&late, AWAY_S).is_none());
        let first = away.begin(0).unwrap().0;
        for now in 1..=300 {
            away.begin(now).unwrap();
        }
        assert!(away.0.len() <= AWAY_MAX && away.take(&first, 1).is_none());
    }

    /// RFC 7636 appendix B.
    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let pending = Pending { nonce: String::new(), verifier, ends: 0 };
        assert_eq!(pending.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
