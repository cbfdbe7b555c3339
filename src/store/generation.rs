//! 密钥代次, the keys under which tokens stand in the file, one generation after the other.
//!
//! The rest of the house looks up and compares tokens under keys that never change, so that
//! persons, pairs, assertions and pseudonyms are the same in every generation. In the file
//! the tokens stand under the key of a generation besides, and that one rotates. What stands
//! there is made of the token alone: an entry moves without its clear values being read, and
//! one that never had any moves too. An entry is under one generation as a whole.

use aws_lc_rs::hmac;
use zeroize::Zeroize;

use super::error::StoreError;
use super::seal::{DataKey, Place, StoreKeys};
use super::sql::{self, Connection};
use crate::identity::index::derive;
use crate::identity::linkage::{Mark, Traits};
use crate::identity::{PersonId, Token};

/// Its tokens stand in the file as they are made, as in files of before there were any.
const FIRST: i64 = 1;
/// Rounds of the permutation, as many as FF1 has (NIST SP 800-38G).
const ROUNDS: u8 = 10;

/// One generation.
pub struct Generation {
    pub(super) number: i64,
    keys: Option<(hmac::Key, DataKey)>,
}

impl Generation {
    fn of((number, sealed): (i64, Option<Vec<u8>>), keys: &StoreKeys) -> Result<Self, StoreError> {
        if number == FIRST {
            return Ok(Self { number, keys: None });
        }
        let [mut token, mut traits] = match sealed {
            Some(sealed) => {
                let secret = keys.open(Place::generation(number), &sealed)?;
                let secret = secret.first_chunk().ok_or(StoreError::Damaged)?;
                [b"token", &b"traits"[..]].map(|purpose| derive(secret, purpose))
            }
            None => [b"token", &b"traits"[..]].map(|purpose| keys.of_generation(number, purpose)),
        };
        let made = DataKey::new(&traits);
        let token_key = hmac::Key::new(hmac::HMAC_SHA256, &token);
        token.zeroize();
        traits.zeroize();
        Ok(Self { number, keys: Some((token_key, made?)) })
    }

    /// A token as it stands in the file.
    pub fn cover(&self, token: &Token) -> [u8; 32] {
        let mut bytes = *token.as_bytes();
        self.permute(&mut bytes, 0..ROUNDS);
        bytes
    }

    /// The token that stands in the file so.
    pub fn uncover(&self, mut bytes: [u8; 32]) -> Token {
        self.permute(&mut bytes, (0..ROUNDS).rev());
        Token::from_bytes(bytes)
    }

    /// What ends ties, as it stands in the file.
    pub fn cover_mark(&self, mark: i64) -> i64 {
        let mut bytes = mark.to_be_bytes();
        self.permute(&mut bytes, 0..ROUNDS);
        i64::from_be_bytes(bytes)
    }

    /// The mark that stands in the file so.
    pub fn uncover_mark(&self, mark: i64) -> i64 {
        let mut bytes = mark.to_be_bytes();
        self.permute(&mut bytes, (0..ROUNDS).rev());
        i64::from_be_bytes(bytes)
    }

    /// A key of traits, as entries are found under it. There is no way back, and none is
    /// needed: the traits hold it too.
    pub fn found_by(&self, key: Mark) -> i64 {
        let Some((token, _)) = &self.keys else { return key.cast_signed() };
        let tag = hmac::sign(token, &key.to_be_bytes());
        tag.as_ref().first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
    }

    /// Traits as they stand in the file.
    pub fn seal(&self, entry: PersonId, traits: &Traits) -> Result<Vec<u8>, StoreError> {
        let Some((_, key)) = &self.keys else { return Ok(traits.to_bytes()) };
        let mut sealed = Vec::new();
        key.seal(Place::traits(entry.0, self.number), &traits.to_bytes(), &mut sealed)?;
        Ok(sealed)
    }

    /// The traits that stand in the file so.
    pub fn open(&self, entry: PersonId, bytes: &[u8]) -> Result<Traits, StoreError> {
        let traits = match &self.keys {
            Some((_, key)) => {
                Traits::from_bytes(&key.open(Place::traits(entry.0, self.number), bytes)?)
            }
            None => Traits::from_bytes(bytes),
        };
        traits.ok_or(StoreError::Damaged)
    }

    /// A keyed permutation (Luby and Rackoff 1988): every other round changes the other half.
    /// The rounds the other way round are the way back.
    fn permute(&self, bytes: &mut [u8], rounds: impl Iterator<Item = u8>) {
        let Some((key, _)) = &self.keys else { return };
        let (left, right) = bytes.split_at_mut(bytes.len() / 2);
        for round in rounds {
            let (from, to) =
                if round % 2 == 0 { (&*right, &mut *left) } else { (&*left, &mut *right) };
            let mut context = hmac::Context::with_key(key);
            context.update(&[ROUNDS, round]);
            context.update(from);
            for (byte, mask) in to.iter_mut().zip(context.sign().as_ref()) {
                *byte ^= mask;
            }
        }
    }
}

/// The generations in force: one, or two while entries move.
pub struct Generations {
    /// Under which everything is written.
    pub current: Generation,
    /// Under which entries stand that have not moved yet.
    pub ending: Option<Generation>,
}

impl Generations {
    /// Those a file says are in force.
    pub fn read(connection: &Connection, keys: &StoreKeys) -> Result<Self, StoreError> {
        let mut select =
            connection.prepare_cached("SELECT number, sealed FROM generation ORDER BY number")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut rows: Vec<(i64, Option<Vec<u8>>)> = rows.collect::<sql::Result<_>>()?;
        let current = rows.pop().ok_or(StoreError::Damaged)?;
        let ending = rows.pop().map(|ending| Generation::of(ending, keys)).transpose()?;
        match rows.is_empty() {
            true => Ok(Self { current: Generation::of(current, keys)?, ending }),
            false => Err(StoreError::Damaged),
        }
    }

    /// The one of that number.
    pub fn of(&self, number: i64) -> Result<&Generation, StoreError> {
        let mut both = std::iter::once(&self.current).chain(&self.ending);
        both.find(|generation| generation.number == number).ok_or(StoreError::Damaged)
    }

    /// Every way a token may stand in the file; twice the same where one is in force.
    pub fn covers(&self, token: &Token) -> [[u8; 32]; 2] {
        let current = self.current.cover(token);
        [current, self.ending.as_ref().map_or(current, |ending| ending.cover(token))]
    }

    /// Every way a key of traits may stand in the file.
    pub fn found_by(&self, key: Mark) -> [i64; 2] {
        let current = self.current.found_by(key);
        [current, self.ending.as_ref().map_or(current, |ending| ending.found_by(key))]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn generation(number: i64) -> Generation {
        Generation::of((number, None), &StoreKeys::of_master(&[7; 32]).unwrap()).unwrap()
    }

    #[test]
    fn the_first_leaves_everything_as_files_of_before_have_it() {
        let first = generation(1);
        let token = Token::from_bytes([9; 32]);
        assert_eq!(first.cover(&token), [9; 32]);
        assert_eq!((first.cover_mark(-5), first.found_by(12)), (-5, 12));
        let traits = Traits { phones: vec![3], ..Traits::default() };
        assert_eq!(first.seal(PersonId(1), &traits).unwrap(), traits.to_bytes());
    }

    #[test]
    fn traits_open_at_their_own_entry_and_under_their_own_generation() {
        let (second, third) = (generation(2), generation(3));
        let traits = Traits { phones: vec![3], ..Traits::default() };
        let sealed = second.seal(PersonId(1), &traits).unwrap();
        assert!(second.open(PersonId(1), &sealed).unwrap() == traits);
        assert!(second.open(PersonId(2), &sealed).is_err());
        assert!(third.open(PersonId(1), &sealed).is_err());
    }

    proptest! {
        #[test]
        fn what_is_covered_is_uncovered_again(bytes in any::<[u8; 32]>(), mark in any::<i64>()) {
            let (second, third) = (generation(2), generation(3));
            let token = Token::from_bytes(bytes);
            let covered = second.cover(&token);
            prop_assert!(second.uncover(covered) == token);
            prop_assert_ne!(covered, bytes);
            prop_assert_ne!(covered, third.cover(&token));
            prop_assert_eq!(second.uncover_mark(second.cover_mark(mark)), mark);
        }
    }
}
