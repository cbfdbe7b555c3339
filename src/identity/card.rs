//! 电子健康卡标识, the id of an electronic health card: computed from a number, not given.
//!
//! ```text
//! master index id, 32 bytes ─ its four words of 8 bytes, XORed ─▶ diversifier D
//! root key ─ SM4-ECB over D ‖ NOT D ─▶ key of this person
//! that key ─ SM4-ECB over kind of document ‖ number, zero padded ─▶ id of the card
//! ```
//!
//! The arithmetic is that of a public implementation, whose worked example is the test
//! below; SM4 is GB/T 32907-2016. Whoever holds the root key can turn an id back into the
//! number, so an id is an identifier of a resident and never a token. Where the root key
//! lies, in a file or in a module that never shows it, is behind [`RootKey`].

use sm4::Sm4;
use sm4::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use crate::vocabulary::hex::{from_hex, to_hex};

/// Bytes of one SM4 block, and of its key.
const BLOCK: usize = 16;
/// Documents an id is made of have at most so many bytes; more is no number.
const NUMBER_BYTES_MAX: usize = 62;

/// One block of SM4.
pub type Block = [u8; BLOCK];

/// Whoever holds the root key: a file, or a hardware security module.
pub trait RootKey: Send + Sync {
    /// Encrypts one block under the root key.
    ///
    /// # Errors
    /// [`CardIdError::Key`] if the holder does not answer.
    fn encrypt(&self, block: Block) -> Result<Block, CardIdError>;
}

/// A root key in the gateway's own memory.
pub struct FileKey(Zeroizing<Block>);

impl FileKey {
    /// Takes the 16 bytes of a key.
    #[must_use]
    pub fn new(key: Block) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl RootKey for FileKey {
    fn encrypt(&self, block: Block) -> Result<Block, CardIdError> {
        Ok(encrypt(&self.0, block))
    }
}

/// Why an id cannot be computed; never what it was to be computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardIdError {
    /// The master index id is not 64 hexadecimal digits.
    #[error("the master index id is not 64 hexadecimal digits")]
    Index,
    /// The holder of the root key does not answer.
    #[error("the root key cannot be used now")]
    Key,
    /// A kind of document has two digits, a number ASCII letters and digits.
    #[error("the kind has not two digits, or the number is no number")]
    Number,
}

/// 主索引标识, the 32 bytes under which the platform knows a person.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterIndexId([u8; 32]);

impl std::fmt::Debug for MasterIndexId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterIndexId(<masked>)")
    }
}

impl MasterIndexId {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`CardIdError::Index`].
    pub fn parse(text: &str) -> Result<Self, CardIdError> {
        let bytes = from_hex(text).ok_or(CardIdError::Index)?;
        bytes.try_into().map(Self).map_err(|_| CardIdError::Index)
    }

    /// What makes the keys of two persons differ.
    fn diversifier(&self) -> [u8; 8] {
        let mut folded = [0; 8];
        for (index, byte) in self.0.iter().enumerate() {
            if let Some(slot) = folded.get_mut(index % 8) {
                *slot ^= byte;
            }
        }
        folded
    }
}

/// The id of a card, as 64 upper-case hexadecimal digits (more for a longer number).
///
/// `kind` is the kind of identity document of CV02.01.101: `01` for the citizen id.
///
/// # Errors
/// [`CardIdError`] if the number is none, or the key cannot be used.
pub fn electronic_id(
    root: &dyn RootKey,
    index: &MasterIndexId,
    (kind, number): (&str, &str),
) -> Result<String, CardIdError> {
    let digits = kind.len() == 2 && kind.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = (1..=NUMBER_BYTES_MAX).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !digits || !numbered {
        return Err(CardIdError::Number);
    }
    let key = personal(root, index)?;
    let mut plain = Zeroizing::new([kind.as_bytes(), number.as_bytes()].concat());
    let length = plain.len().next_multiple_of(BLOCK);
    plain.resize(length, 0);
    let blocks = plain.chunks_exact(BLOCK).filter_map(|block| Block::try_from(block).ok());
    let sealed: Vec<u8> = blocks.flat_map(|block| encrypt(&key, block)).collect();
    Ok(to_hex(&sealed))
}

/// The kind of document and the number an id was computed from; `None` if this key and
/// this master index id did not make it.
///
/// # Errors
/// [`CardIdError::Key`] if the key cannot be used.
pub fn number_of(
    root: &dyn RootKey,
    index: &MasterIndexId,
    id: &str,
) -> Result<Option<(String, String)>, CardIdError> {
    let key = personal(root, index)?;
    let Some(bytes) = from_hex(id).filter(|bytes| bytes.len() % BLOCK == 0) else {
        return Ok(None);
    };
    let blocks = bytes.chunks_exact(BLOCK).filter_map(|block| Block::try_from(block).ok());
    let plain: Zeroizing<Vec<u8>> =
        blocks.flat_map(|block| decrypt(&key, block)).collect::<Vec<_>>().into();
    let text = String::from_utf8_lossy(&plain);
    let text = text.trim_end_matches('\0');
    let parts = text.split_at_checked(2).filter(|(kind, number)| {
        let plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        kind.bytes().all(|byte| byte.is_ascii_digit()) && plain && !number.is_empty()
    });
    Ok(parts.map(|(kind, number)| (kind.to_owned(), number.to_owned())))
}

fn personal(root: &dyn RootKey, index: &MasterIndexId) -> Result<Zeroizing<Block>, CardIdError> {
    let half = index.diversifier();
    let mut block = [0; BLOCK];
    for (slot, byte) in block.iter_mut().zip(half.into_iter().chain(half.map(|byte| !byte))) {
        *slot = byte;
    }
    root.encrypt(block).map(Zeroizing::new)
}

fn encrypt(key: &Block, block: Block) -> Block {
    let mut block = block.into();
    Sm4::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

fn decrypt(key: &Block, block: Block) -> Block {
    let mut block = block.into();
    Sm4::new(&(*key).into()).decrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(hex: &str) -> Block {
        from_hex(hex).unwrap().try_into().unwrap()
    }

    fn example() -> (FileKey, MasterIndexId) {
        let index = "ABD17E7ED399EF68AB5660155D6E226D2C92EAC3254A4A66BED83AED0ADA1E9E";
        let root = FileKey::new(block("0123456789ABCDEFFEDCBA9876543210"));
        (root, MasterIndexId::parse(index).unwrap())
    }

    /// GB/T 32907-2016 annex A.1.
    #[test]
    fn one_block_is_encrypted_as_the_standard_prints_it() {
        let key = block("0123456789ABCDEFFEDCBA9876543210");
        let sealed = encrypt(&key, key);
        assert_eq!(sealed, block("681EDF34D206965E86B3E94F536E4246"));
        assert_eq!(decrypt(&key, sealed), key);
    }

    /// The worked example of the public implementation, step by step.
    #[test]
    fn an_id_is_computed_as_the_worked_example_has_it() {
        let (root, index) = example();
        assert_eq!(index.diversifier().to_vec(), from_hex("92CDCE45A16799FD").unwrap());
        let key = personal(&root, &index).unwrap();
        assert_eq!(*key, block("86C63180C2806ED1F47B859DE501215B"));
        let id = electronic_id(&root, &index, ("01", "11010020171225006X")).unwrap();
        let expect = "98FF9F2C05145CB9305E9D8A57E072BB51180CA49E5BE5E9D41BCE3A9A571928";
        assert_eq!(id, expect);
        let back = number_of(&root, &index, &id).unwrap();
        assert_eq!(back, Some(("01".to_owned(), "11010020171225006X".to_owned())));
    }

    #[test]
    fn what_is_no_id_or_no_number_is_told_apart() {
        let (root, index) = example();
        assert_eq!(number_of(&root, &index, &"00".repeat(32)).unwrap(), None);
        assert_eq!(number_of(&root, &index, "0G").unwrap(), None);
        assert_eq!(MasterIndexId::parse("AB"), Err(CardIdError::Index));
        for (kind, number) in [("1", "A"), ("01", ""), ("01", "4101 05"), ("0x", "A")] {
            let found = electronic_id(&root, &index, (kind, number));
            assert_eq!(found, Err(CardIdError::Number), "{kind} {number}");
        }
        let silent = MasterIndexId::parse(&"AB".repeat(32)).unwrap();
        assert!(!format!("{silent:?}").contains("AB"));
    }

    #[test]
    fn a_module_that_does_not_answer_gives_no_id() {
        struct Away;
        impl RootKey for Away {
            fn encrypt(&self, _: Block) -> Result<Block, CardIdError> {
                Err(CardIdError::Key)
            }
        }
        let (_, index) = example();
        assert_eq!(electronic_id(&Away, &index, ("01", "A1")), Err(CardIdError::Key));
    }
}
