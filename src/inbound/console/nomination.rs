//! 提名, accounts for which somebody has spoken, and which wait for a second.
//!
//! In memory, as the links are: a restart ends all of them, and the ledger says who spoke.

use std::collections::BTreeSet;

use super::access::{Role, Voice};

/// Accounts that wait at once.
const WAITING_MAX: usize = 64;
/// How long one waits, in seconds: a week.
const WAITS_SECONDS: i64 = 7 * 86_400;

/// Who shall have an account, as what, and who speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nomination {
    /// The name of the account.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// Who has spoken for it.
    pub voices: BTreeSet<Voice>,
    /// When it is over, unix seconds.
    pub ends: i64,
}

/// Those that wait. Time is handed in, unix seconds.
#[derive(Debug, Default)]
pub struct Nominations(Vec<Nomination>);

impl Nominations {
    /// What it comes to if one more speaks for an account.
    #[must_use]
    pub fn with(&self, (name, role): (&str, Role), voice: Voice, now: i64) -> Nomination {
        let same = |one: &&Nomination| one.name == name && one.role == role && now < one.ends;
        let found = self.0.iter().find(same).cloned();
        let mut nomination = found.unwrap_or_else(|| Nomination {
            name: name.to_owned(),
            role,
            voices: BTreeSet::new(),
            ends: now.saturating_add(WAITS_SECONDS),
        });
        nomination.voices.insert(voice);
        nomination
    }

    /// Keeps it, in the place of any other for that name; no where as many wait as may.
    pub fn keep(&mut self, nomination: Nomination, now: i64) -> bool {
        self.0.retain(|one| now < one.ends && one.name != nomination.name);
        let room = self.0.len() < WAITING_MAX;
        if room {
            self.0.push(nomination);
        }
        room
    }

    /// Ends the one for a name; whether there was one.
    pub fn end(&mut self, name: &str) -> Option<Nomination> {
        let at = self.0.iter().position(|one| one.name == name)?;
        Some(self.0.remove(at))
    }

    /// Those that wait, the first of them first.
    pub fn waiting(&self, now: i64) -> impl Iterator<Item = &Nomination> {
        self.0.iter().filter(move |one| now < one.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_twice_is_one_and_what_waits_ends() {
        let mut waiting = Nominations::default();
        let who = ("wu", Role::Auditor);
        let lin = || Voice::Auditor("lin".to_owned());
        for _ in 0..2 {
            let spoken = waiting.with(who, lin(), 0);
            assert_eq!(spoken.voices.len(), 1);
            assert!(waiting.keep(spoken, 0));
        }
        assert_eq!(waiting.with(who, Voice::Machine, 0).voices.len(), 2);
        assert_eq!(waiting.with(("wu", Role::Operator), Voice::Machine, 0).voices.len(), 1);
        assert_eq!(waiting.with(who, Voice::Machine, WAITS_SECONDS).voices.len(), 1, "it is over");
        assert_eq!(waiting.waiting(WAITS_SECONDS - 1).count(), 1);
        assert_eq!(waiting.waiting(WAITS_SECONDS).count(), 0);
        assert!(waiting.end("wu").is_some() && waiting.end("wu").is_none());
        let one = |number: usize| format!("u{number}");
        for number in 0..WAITING_MAX {
            assert!(waiting.keep(waiting.with((&one(number), Role::Auditor), lin(), 0), 0));
        }
        assert!(!waiting.keep(waiting.with(who, lin(), 0), 0));
    }
}
