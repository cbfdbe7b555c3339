//! A bounded memory of what was used lately, for the writer's thread alone.

use std::collections::HashMap;
use std::hash::Hash;

/// Two generations: what is used in the older moves to the younger; when the
/// younger is full the older is forgotten. No lists to keep, no clock.
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    each_max: usize,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    /// Remembers at most `max` entries.
    pub fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), each_max: (max / 2).max(1) }
    }

    /// What is remembered of `key`.
    pub fn look(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.keep(key, value.clone());
        Some(value)
    }

    /// Remembers.
    pub fn keep(&mut self, key: K, value: V) {
        if self.young.len() >= self.each_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets one.
    pub fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let mut recent = Recent::new(10);
        for key in 0..1000 {
            recent.keep(key, key * 2);
            assert_eq!(recent.look(&0), Some(0), "used each time, so never forgotten");
            assert!(recent.young.len() + recent.old.len() <= 10);
        }
        assert_eq!(recent.look(&1), None);
        recent.forget(&0);
        assert_eq!(recent.look(&0), None);
    }
}
