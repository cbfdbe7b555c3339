//! How often a password may be tried: counted per name and per address, with growing waits.
//!
//! What we give up: whoever reaches the console can make a name wait, at most the longest
//! wait at a time. So its port belongs on the office network, not on the internet.

use std::collections::HashMap;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

/// What attempts are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Where from; of an IPv6 address the /64, which one subscriber has.
    Address(IpAddr),
    /// As whom; a digest, because what is typed there may be anything, a password too.
    Name([u8; 32]),
}

impl Key {
    /// The key of an address.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::Address(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let network = u128::from(v6) >> 64 << 64;
                Self::Address(IpAddr::V6(network.into()))
            }
        }
    }

    /// The key of a name, whether somebody has it or not.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self::Name(Sha256::digest(name.as_bytes()).into())
    }
}

/// When attempts are refused.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Failures of one name before it waits; an address has four times as many.
    pub failures_max: u32,
    /// First wait, seconds; each further failure doubles it.
    pub wait_s_min: i64,
    /// Longest wait, seconds.
    pub wait_s_max: i64,
    /// How many names and addresses are remembered.
    pub entries_max: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    failures: u32,
    free_at: i64,
    last: i64,
}

/// The counts. Time is handed in, unix seconds.
#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    entries: HashMap<Key, Entry>,
}

/// How an attempt stands before the password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may be tried.
    Free,
    /// It may be tried; if it fails, the next one waits.
    Last,
    /// Not now; so many seconds to wait.
    Wait(i64),
}

impl Throttle {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: HashMap::new() }
    }

    /// Counts an attempt as failed in advance, so that a hundred at once count as a hundred.
    pub fn admit(&mut self, keys: &[Key], now: i64) -> Admission {
        let wait = keys.iter().map(|key| self.wait(key, now)).max().unwrap_or_default();
        if wait > 0 {
            return Admission::Wait(wait);
        }
        let mut admission = Admission::Free;
        for key in keys {
            if !self.room(key, now) {
                return Admission::Wait(self.limits.wait_s_min);
            }
            if self.count(*key, now) {
                admission = Admission::Last;
            }
        }
        admission
    }

    /// Forgets the failures of an attempt that succeeded.
    pub fn succeed(&mut self, keys: &[Key]) {
        for key in keys {
            self.entries.remove(key);
        }
    }

    fn wait(&self, key: &Key, now: i64) -> i64 {
        self.entries.get(key).map_or(0, |entry| (entry.free_at - now).max(0))
    }

    /// One more failure; says whether the key waits from here.
    fn count(&mut self, key: Key, now: i64) -> bool {
        let allowed = match key {
            Key::Address(_) => self.limits.failures_max.saturating_mul(4),
            Key::Name(_) => self.limits.failures_max,
        };
        let limits = self.limits;
        let entry = self.entries.entry(key).or_default();
        if over(entry, &limits, now) {
            *entry = Entry::default();
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
        let Some(beyond) = entry.failures.checked_sub(allowed) else { return false };
        let doubled = limits.wait_s_min.checked_shl(beyond.min(32)).unwrap_or(i64::MAX);
        entry.free_at = now.saturating_add(doubled.clamp(1, limits.wait_s_max));
        true
    }

    /// Makes room for a new key; an entry that still waits is never pushed out.
    fn room(&mut self, key: &Key, now: i64) -> bool {
        if self.entries.contains_key(key) || self.entries.len() < self.limits.entries_max {
            return true;
        }
        let limits = self.limits;
        self.entries.retain(|_, entry| !over(entry, &limits, now));
        if self.entries.len() < limits.entries_max {
            return true;
        }
        let idle = self.entries.iter().filter(|(_, entry)| entry.free_at <= now);
        let oldest = idle.min_by_key(|(_, entry)| entry.last).map(|(key, _)| *key);
        oldest.is_some_and(|key| self.entries.remove(&key).is_some())
    }
}

/// Failures are forgotten once as much time has passed as the longest wait.
fn over(entry: &Entry, limits: &Limits, now: i64) -> bool {
    entry.last.max(entry.free_at).saturating_add(limits.wait_s_max) < now
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { failures_max: 3, wait_s_min: 10, wait_s_max: 60, entries_max: 8 };

    #[test]
    fn waits_grow_to_their_maximum_and_are_forgotten_after_it() {
        let mut throttle = Throttle::new(LIMITS);
        let key = [Key::name("lin")];
        let mut tries = |at| throttle.admit(&key, at);
        assert_eq!(tries(0), Admission::Free);
        assert_eq!(tries(0), Admission::Free);
        assert_eq!(tries(0), Admission::Last);
        assert_eq!(tries(1), Admission::Wait(9));
        assert_eq!(tries(10), Admission::Last);
        assert_eq!(tries(11), Admission::Wait(19));
        assert_eq!(tries(30), Admission::Last);
        assert_eq!(tries(70), Admission::Last);
        assert_eq!(tries(71), Admission::Wait(59));
        assert_eq!(tries(300), Admission::Free, "forgotten");
    }

    #[test]
    fn a_success_forgets_and_another_name_is_another_count() {
        let mut throttle = Throttle::new(LIMITS);
        let (lin, wen) = ([Key::name("lin")], [Key::name("wen")]);
        for _ in 0..3 {
            throttle.admit(&lin, 0);
        }
        assert_eq!(throttle.admit(&wen, 0), Admission::Free);
        throttle.succeed(&lin);
        assert_eq!(throttle.admit(&lin, 0), Admission::Free);
    }

    #[test]
    fn one_address_cannot_try_every_name() {
        let mut throttle = Throttle::new(Limits { entries_max: 100, ..LIMITS });
        let from = Key::address("2001:db8::1".parse().unwrap());
        assert_eq!(from, Key::address("2001:db8::ffff".parse().unwrap()));
        let mut admitted = 0;
        for name in 0..50 {
            let keys = [from, Key::name(&name.to_string())];
            admitted += i32::from(!matches!(throttle.admit(&keys, 0), Admission::Wait(_)));
        }
        assert_eq!(admitted, 12);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_waiting_name_stays() {
        let mut throttle = Throttle::new(LIMITS);
        let locked = [Key::name("lin")];
        for _ in 0..3 {
            throttle.admit(&locked, 0);
        }
        for name in 0..1000 {
            throttle.admit(&[Key::name(&name.to_string())], 1);
        }
        assert!(throttle.entries.len() <= LIMITS.entries_max);
        assert_eq!(throttle.admit(&locked, 2), Admission::Wait(8));
    }
}
