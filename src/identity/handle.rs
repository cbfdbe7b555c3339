//! 句柄, an identifier as one department may carry it in addresses.
//!
//! An address ends up in logs and histories, so no identifier stands in one. A handle is
//! the identifier sealed for one department: the gateway opens it again without keeping
//! anything, no other department can use or join it, and one exists for every identifier,
//! so that having one says nothing about the person.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;

use super::index::Keys;
use crate::vocabulary::identifier::IdentifierError;
use crate::vocabulary::{Identifier, IdentifierKind};

/// What a FHIR id may consist of (R4 datatypes, `id`): exactly 64 signs.
const SIGNS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
/// Longest handle, so that it fits an id with room for what follows it.
const LENGTH_MAX: usize = 55;

/// The kinds that lead to a person, by the byte that stands for them inside a handle.
const KINDS: [(u8, IdentifierKind); 3] = [
    (b'C', IdentifierKind::CitizenId),
    (b'H', IdentifierKind::HealthCard),
    (b'R', IdentifierKind::RecordNumber),
];

impl Keys {
    /// The handle of an identifier for one department.
    ///
    /// The same identifier has the same handle: AES-256-GCM-SIV (RFC 8452) under a fixed
    /// nonce tells two callers nothing but that the text is the same.
    ///
    /// # Errors
    /// [`IdentifierError`] if the identifier fails its own check, or is of a kind or
    /// length that has no handle.
    pub fn handle(
        &self,
        department: &str,
        identifier: &Identifier,
    ) -> Result<String, IdentifierError> {
        let (kind, value) = identifier.proven()?;
        let sign = KINDS.iter().find(|(_, known)| *known == kind);
        let (sign, _) = sign.ok_or(IdentifierError::Character)?;
        let mut text = vec![*sign];
        text.extend_from_slice(value.as_bytes());
        let key = self.sealing().ok_or(IdentifierError::Character)?;
        key.seal_in_place_append_tag(nonce(), Aad::from(department.as_bytes()), &mut text)
            .map_err(|_| IdentifierError::Length)?;
        let handle = engine().ok_or(IdentifierError::Character)?.encode(&text);
        if handle.len() > LENGTH_MAX {
            return Err(IdentifierError::Length);
        }
        Ok(handle)
    }

    /// The identifier in a handle; `None` if it is not this department's.
    #[must_use]
    pub fn identifier(&self, department: &str, handle: &str) -> Option<Identifier> {
        let mut sealed = engine()?.decode(handle).ok()?;
        let aad = Aad::from(department.as_bytes());
        let text = self.sealing()?.open_in_place(nonce(), aad, &mut sealed).ok()?;
        let (sign, value) = text.split_first()?;
        let (_, kind) = KINDS.iter().find(|(known, _)| known == sign)?;
        Some(Identifier::new(*kind, std::str::from_utf8(value).ok()?))
    }

    fn sealing(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM_SIV, &self.handle).ok().map(LessSafeKey::new)
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn engine() -> Option<GeneralPurpose> {
    Alphabet::new(SIGNS).ok().map(|signs| GeneralPurpose::new(&signs, NO_PAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_leads_back_for_its_department_alone() {
        let keys = Keys::derive(&[7; 32]);
        let identifier = Identifier::new(IdentifierKind::CitizenId, "11010519491231002x");
        let handle = keys.handle("hotline", &identifier).unwrap();
        assert!(handle.len() <= 48 && !handle.contains("1949"), "{handle}");
        let back = keys.identifier("hotline", &handle).unwrap();
        assert_eq!((back.kind, back.value.as_str()), (identifier.kind, "11010519491231002X"));
        assert_eq!(keys.identifier("community", &handle), None);
        assert_ne!(keys.handle("community", &identifier).unwrap(), handle);
        assert_eq!(Keys::derive(&[8; 32]).identifier("hotline", &handle), None);
    }

    #[test]
    fn a_changed_handle_leads_nowhere() {
        let keys = Keys::derive(&[7; 32]);
        let identifier = Identifier::new(IdentifierKind::RecordNumber, "41010500100100001");
        let handle = keys.handle("a", &identifier).unwrap();
        let mut signs: Vec<char> = handle.chars().collect();
        for index in 0..signs.len() {
            let before = std::mem::replace(&mut signs[index], 'A');
            let changed: String = signs.iter().collect();
            assert!(changed == handle || keys.identifier("a", &changed).is_none(), "{index}");
            signs[index] = before;
        }
        for text in ["", "A", "Patient", "..", &"A".repeat(200)] {
            assert_eq!(keys.identifier("a", text), None, "{text}");
        }
    }

    #[test]
    fn a_number_that_fails_its_check_has_no_handle() {
        let keys = Keys::derive(&[7; 32]);
        let handle = |kind, value: &str| keys.handle("a", &Identifier::new(kind, value));
        assert!(handle(IdentifierKind::CitizenId, "110105194912310021").is_err());
        assert!(handle(IdentifierKind::Local, "1001").is_err());
    }
}
