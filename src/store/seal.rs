//! 封存, sealing at rest: a key for each person, wrapped by a key that rotates.
//!
//! AES-256-GCM, NIST SP 800-38D, random 96-bit nonces. Destroying a wrapped key is
//! erasing what it sealed. Where a blob stands is authenticated with it, so that no
//! row opens in the place of another.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hmac, rand};
use zeroize::{Zeroize, Zeroizing};

use super::error::StoreError;
use crate::identity::index::derive;
use crate::identity::linkage::Veil;

/// First byte of every blob: which algorithm and layout made it.
const LAYOUT: u8 = 1;

/// Where a blob stands: what it is, whose it is, and the number of its row.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    what: u8,
    owner: i64,
    number: i64,
}

impl Place {
    /// The bytes of a message; owner 0 where no person is known.
    pub const fn raw(owner: i64, number: i64) -> Self {
        Self { what: b'j', owner, number }
    }

    /// A record.
    pub const fn record(owner: i64, number: i64) -> Self {
        Self { what: b'r', owner, number }
    }

    /// A person's key.
    pub const fn person_key(owner: i64) -> Self {
        Self { what: b'p', owner, number: 0 }
    }

    /// The key of one message without a person.
    pub const fn row_key(number: i64) -> Self {
        Self { what: b'q', owner: 0, number }
    }

    /// Whom a lane of notices is about.
    pub const fn enrolment(lane: i64) -> Self {
        Self { what: b'e', owner: 0, number: lane }
    }

    /// What can be compared of an entry, under the key of a generation.
    pub const fn traits(owner: i64, generation: i64) -> Self {
        Self { what: b't', owner, number: generation }
    }

    /// The key of a batch.
    pub const fn batch_key(number: i64) -> Self {
        Self { what: b'b', owner: number, number: 0 }
    }

    /// What is asked of everybody in a batch.
    pub const fn batch_asked(number: i64) -> Self {
        Self { what: b'a', owner: number, number: 0 }
    }

    /// Rows of a batch, by the number of the first.
    pub const fn batch_part(number: i64, first: i64) -> Self {
        Self { what: b'l', owner: number, number: first }
    }

    /// The secret of a generation of the tokens' key.
    pub const fn generation(number: i64) -> Self {
        Self { what: b'g', owner: 0, number }
    }

    /// The root secret, under the master key of that number.
    pub const fn root(master: i64) -> Self {
        Self { what: b's', owner: master, number: 0 }
    }

    /// A key that wraps others, under the master key of that number.
    pub const fn wrap(master: i64, number: i64) -> Self {
        Self { what: b'w', owner: master, number }
    }

    /// The text that proved the master key of before keys rotated.
    pub const fn proof() -> Self {
        Self { what: b'm', owner: 0, number: 0 }
    }

    fn bytes(self) -> [u8; 18] {
        let mut bytes = [0; 18];
        let numbers = self.owner.to_be_bytes().into_iter().chain(self.number.to_be_bytes());
        for (slot, byte) in bytes.iter_mut().zip([LAYOUT, self.what].into_iter().chain(numbers)) {
            *slot = byte;
        }
        bytes
    }
}

/// A key that seals: a person's, a row's, the one that wraps those, a master key.
pub struct DataKey(LessSafeKey);

impl DataKey {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, StoreError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| StoreError::Damaged)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals into `out`, which is emptied first: layout, nonce, ciphertext, tag.
    pub fn seal(&self, place: Place, plain: &[u8], out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| StoreError::Unavailable)?;
        out.clear();
        out.reserve(1 + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        out.push(LAYOUT);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let body = out.get_mut(1 + NONCE_LEN..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(place.bytes()), body)
            .map_err(|_| StoreError::Unavailable)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what was sealed for that place.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (layout, rest) = sealed.split_first().ok_or(StoreError::Damaged)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(StoreError::Damaged)?;
        if *layout != LAYOUT {
            return Err(StoreError::Damaged);
        }
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .0
            .open_in_place(nonce, Aad::from(place.bytes()), &mut body)
            .map_err(|_| StoreError::Damaged)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// A random key that wraps others, until the next takes its place.
pub struct Wrap {
    number: i64,
    bytes: Zeroizing<[u8; 32]>,
    key: DataKey,
}

impl Wrap {
    /// The key of that number.
    pub fn new(number: i64, bytes: Zeroizing<[u8; 32]>) -> Result<Self, StoreError> {
        let key = DataKey::new(&bytes[..])?;
        Ok(Self { number, bytes, key })
    }

    /// A new one.
    pub fn fresh(number: i64) -> Result<Self, StoreError> {
        Self::new(number, random()?)
    }
}

/// What the store derives from its root secret, and the keys that wrap others.
pub struct StoreKeys {
    root: Zeroizing<[u8; 32]>,
    digest: hmac::Key,
    veil: Veil,
    /// From which the keys of the first generations follow.
    generations: hmac::Key,
    /// Oldest first: a reader may be in a snapshot of before the last rotation ended.
    wraps: RwLock<Vec<Wrap>>,
}

impl StoreKeys {
    /// Derives them.
    pub fn new(root: Zeroizing<[u8; 32]>, wraps: Vec<Wrap>) -> Self {
        let mut digest = derive(&root, b"kangqiao store digest v1");
        let mut veil = derive(&root, b"kangqiao veil v1");
        let mut generations = derive(&root, b"kangqiao token generations v1");
        let keys = Self {
            digest: hmac::Key::new(hmac::HMAC_SHA256, &digest),
            veil: Veil::new(&veil),
            generations: hmac::Key::new(hmac::HMAC_SHA256, &generations),
            wraps: RwLock::new(wraps),
            root,
        };
        digest.zeroize();
        veil.zeroize();
        generations.zeroize();
        keys
    }

    /// Those of a file of before keys rotated: everything follows from the master key.
    pub fn of_master(master: &[u8; 32]) -> Result<Self, StoreError> {
        let wrap = Zeroizing::new(derive(master, b"kangqiao store wrap v1"));
        Ok(Self::new(Zeroizing::new(*master), vec![Wrap::new(1, wrap)?]))
    }

    /// The root secret itself, from which all follows that never changes.
    pub fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Seals under the key that wraps now; by the writer alone.
    pub fn seal(&self, place: Place, plain: &[u8], out: &mut Vec<u8>) -> Result<(), StoreError> {
        let wraps = self.wraps();
        wraps.last().ok_or(StoreError::Damaged)?.key.seal(place, plain, out)
    }

    /// Opens what stands under the key that wraps now, or under the one before.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let wraps = self.wraps();
        let opened = wraps.iter().rev().find_map(|wrap| wrap.key.open(place, sealed).ok());
        opened.map(Zeroizing::new).ok_or(StoreError::Damaged)
    }

    /// Puts what stands under either under the key that wraps now.
    pub fn rewrap(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (plain, mut out) = (self.open(place, sealed)?, Vec::new());
        self.seal(place, &plain, &mut out)?;
        Ok(out)
    }

    /// The key that wraps now, sealed under a master key.
    pub(super) fn wrap_under(&self, master: &DataKey, place: Place) -> Result<Vec<u8>, StoreError> {
        let (wraps, mut out) = (self.wraps(), Vec::new());
        let wrap = wraps.last().ok_or(StoreError::Damaged)?;
        master.seal(place, &wrap.bytes[..], &mut out)?;
        Ok(out)
    }

    /// Lets a key wrap from now on; of those before it the last one opens still.
    pub(super) fn begin(&self, wrap: Wrap) {
        let mut wraps = self.wraps.write().unwrap_or_else(PoisonError::into_inner);
        let spent = wraps.len().saturating_sub(1);
        wraps.drain(..spent);
        wraps.push(wrap);
    }

    /// Forgets keys that the file knows nothing of: their commit failed.
    pub(super) fn keep_up_to(&self, newest: i64) {
        let mut wraps = self.wraps.write().unwrap_or_else(PoisonError::into_inner);
        wraps.retain(|wrap| wrap.number <= newest);
    }

    /// Whether the key of that number, or a later one, is among them.
    pub(super) fn has(&self, number: i64) -> bool {
        self.wraps().last().is_some_and(|wrap| wrap.number >= number)
    }

    fn wraps(&self) -> RwLockReadGuard<'_, Vec<Wrap>> {
        self.wraps.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The veil under which demographics become what can be compared.
    pub const fn veil(&self) -> &Veil {
        &self.veil
    }

    /// The key of a generation of before keys rotated, for one purpose.
    pub fn of_generation(&self, number: i64, purpose: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.generations);
        context.update(&number.to_be_bytes());
        context.update(purpose);
        context.sign().as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// What the file keeps of a text, to see whether another is the same.
    pub fn seen(&self, text: &[u8]) -> [u8; 16] {
        let tag = hmac::sign(&self.digest, text);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// A new random key, and its wrapped form for the file.
    pub fn fresh(&self, place: Place) -> Result<(DataKey, Vec<u8>), StoreError> {
        let (bytes, mut wrapped) = (random()?, Vec::new());
        self.seal(place, &bytes[..], &mut wrapped)?;
        Ok((DataKey::new(&bytes[..])?, wrapped))
    }

    /// A key out of the file.
    pub fn unwrap(&self, place: Place, wrapped: &[u8]) -> Result<DataKey, StoreError> {
        DataKey::new(&self.open(place, wrapped)?)
    }

    /// What the file keeps of a message's digest: nobody can try a guessed message on it.
    pub fn fingerprint(&self, digest: &[u8; 32]) -> [u8; 16] {
        let tag = hmac::sign(&self.digest, digest);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// A new key.
pub fn random() -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(bytes.as_mut()).map_err(|_| StoreError::Unavailable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_opens_only_in_its_own_place_and_under_its_own_key() {
        let keys = StoreKeys::of_master(&[1; 32]).unwrap();
        let (key, wrapped) = keys.fresh(Place::person_key(7)).unwrap();
        let mut sealed = Vec::new();
        key.seal(Place::record(7, 1), b"canary", &mut sealed).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));

        let again = keys.unwrap(Place::person_key(7), &wrapped).unwrap();
        assert_eq!(again.open(Place::record(7, 1), &sealed).unwrap(), b"canary");
        for place in [Place::record(7, 2), Place::record(8, 1), Place::raw(7, 1)] {
            assert!(again.open(place, &sealed).is_err());
        }
        assert!(keys.unwrap(Place::person_key(8), &wrapped).is_err());
        let other = StoreKeys::of_master(&[2; 32]).unwrap();
        assert!(other.unwrap(Place::person_key(7), &wrapped).is_err());
    }

    #[test]
    fn a_changed_or_cut_blob_is_damaged() {
        let keys = StoreKeys::of_master(&[1; 32]).unwrap();
        let mut sealed = Vec::new();
        keys.seal(Place::proof(), b"canary", &mut sealed).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys.open(Place::proof(), &changed).is_err());
            assert!(keys.open(Place::proof(), &sealed[..at]).is_err());
        }
    }

    #[test]
    fn what_stands_under_the_key_before_opens_until_a_rotation_later() {
        let keys = StoreKeys::of_master(&[1; 32]).unwrap();
        let place = Place::enrolment(1);
        let mut sealed = Vec::new();
        keys.seal(place, b"canary", &mut sealed).unwrap();
        keys.begin(Wrap::fresh(2).unwrap());
        assert_eq!(*keys.open(place, &sealed).unwrap(), b"canary");
        let moved = keys.rewrap(place, &sealed).unwrap();
        assert!(StoreKeys::of_master(&[1; 32]).unwrap().open(place, &moved).is_err());
        assert!(keys.rewrap(Place::enrolment(2), &sealed).is_err(), "it stays in its place");
        keys.begin(Wrap::fresh(3).unwrap());
        assert!(keys.open(place, &sealed).is_err());
        assert_eq!(*keys.open(place, &moved).unwrap(), b"canary");
        keys.keep_up_to(2);
        let mut again = Vec::new();
        keys.seal(place, b"canary", &mut again).unwrap();
        keys.begin(Wrap::fresh(3).unwrap());
        assert!(keys.open(place, &again).is_ok(), "a commit that failed leaves no key behind");
    }
}
