//! About whom a record speaks: from identifiers to one person of the index.

use std::collections::BTreeSet;

use super::index::{Keys, PersonId, Token};
use crate::vocabulary::identifier::IdentifierError;
use crate::vocabulary::{Fault, Identifier, IdentifierKind, Position};

/// How many identifiers one message may name of one person: each costs the one thread
/// that writes a look-up, and thousands would hold up every other sender.
const IDENTIFIERS_MAX: usize = 64;

/// A proven identifier, ready for the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// Its keyed digest.
    pub token: Token,
    /// What sort it is.
    pub kind: IdentifierKind,
    /// Where it stood.
    pub at: Option<Position>,
}

/// Why a message cannot be tied to a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The number of a card is another person's than the record speaks of.
    #[error("the card number is another person's")]
    Card {
        /// Where the card number stood.
        at: Option<Position>,
    },
    /// The identifiers belong to different persons already.
    #[error("the identifiers belong to different persons")]
    Conflict,
    /// An identifier fails its own check.
    #[error("{reason}")]
    Invalid {
        /// Where it stood.
        at: Option<Position>,
        /// What is wrong with it.
        reason: IdentifierError,
    },
    /// There is no identifier.
    #[error("no identifier by which the person could be known")]
    Missing,
    /// There are more than anybody has.
    #[error("more than {IDENTIFIERS_MAX} identifiers of one person")]
    TooMany {
        /// Where the first too many stood.
        at: Option<Position>,
    },
}

impl IdentityError {
    /// What the peer is told.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Card { .. } => Fault::CardConflict,
            Self::Conflict => Fault::IdentityConflict,
            Self::Invalid { .. } => Fault::IdentifierInvalid,
            Self::Missing => Fault::IdentityMissing,
            Self::TooMany { .. } => Fault::Limit,
        }
    }

    /// Where it is wrong, if at one place.
    #[must_use]
    pub const fn at(&self) -> Option<&Position> {
        match self {
            Self::Card { at } | Self::Invalid { at, .. } | Self::TooMany { at } => at.as_ref(),
            Self::Conflict | Self::Missing => None,
        }
    }
}

/// What the index says about a set of identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// All known identifiers lead to this person.
    Known(PersonId),
    /// None is known: a new person.
    New,
}

/// Proves every identifier of a record; those of kind `other` name documents, not residents.
///
/// # Errors
/// [`IdentityError::Invalid`] for the first that fails its check,
/// [`IdentityError::Missing`] if none is left, [`IdentityError::TooMany`] beyond the limit,
/// [`IdentityError::Card`] if a card's number is another citizen id than the record's own.
pub fn index<'a>(
    keys: &Keys,
    identifiers: impl Iterator<Item = (&'a Identifier, Option<&'a Position>)>,
) -> Result<Vec<Indexed>, IdentityError> {
    let mut found: Vec<Indexed> = Vec::new();
    let mut card = None;
    for (identifier, at) in identifiers {
        if identifier.kind == IdentifierKind::Other {
            continue;
        }
        let (kind, token) = keys
            .indexed(identifier)
            .map_err(|reason| IdentityError::Invalid { at: at.cloned(), reason })?;
        if found.iter().any(|known| known.token == token) {
            continue;
        }
        if identifier.kind == IdentifierKind::HealthCard && kind == IdentifierKind::CitizenId {
            card = Some(at.cloned());
        }
        if found.len() == IDENTIFIERS_MAX {
            return Err(IdentityError::TooMany { at: at.cloned() });
        }
        found.push(Indexed { token, kind, at: at.cloned() });
    }
    let citizens = found.iter().filter(|known| known.kind == IdentifierKind::CitizenId).count();
    match card {
        Some(at) if citizens > 1 => Err(IdentityError::Card { at }),
        _ if found.is_empty() => Err(IdentityError::Missing),
        _ => Ok(found),
    }
}

/// Decides by what the index already holds: `known` are the persons the
/// identifiers lead to, and `national` those to whom a citizen id is linked
/// that this record contradicts.
///
/// A local or card number alone never joins a record with one citizen id to a
/// person with another: two different citizen ids are two people.
///
/// # Errors
/// [`IdentityError::Conflict`] if more than one person is meant.
pub fn resolve(
    known: impl IntoIterator<Item = PersonId>,
    contradicted: bool,
) -> Result<Resolution, IdentityError> {
    let persons: BTreeSet<_> = known.into_iter().collect();
    match (persons.first(), persons.len(), contradicted) {
        (None, _, _) => Ok(Resolution::New),
        (Some(person), 1, false) => Ok(Resolution::Known(*person)),
        _ => Err(IdentityError::Conflict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_two_persons_never_join_them() {
        let (a, b) = (PersonId(1), PersonId(2));
        assert_eq!(resolve([], false), Ok(Resolution::New));
        assert_eq!(resolve([a, a], false), Ok(Resolution::Known(a)));
        assert_eq!(resolve([a, b], false), Err(IdentityError::Conflict));
        assert_eq!(resolve([a], true), Err(IdentityError::Conflict));
    }

    #[test]
    fn a_wrong_number_is_named_by_its_position() {
        let keys = Keys::derive(&[1; 32]);
        let at = Position::Pointer("/identifier".to_owned());
        let wrong = Identifier::new(IdentifierKind::CitizenId, "110105194912310021");
        let error = index(&keys, [(&wrong, Some(&at))].into_iter()).map(|_| ());
        let reason = IdentifierError::CheckCharacter;
        assert_eq!(error, Err(IdentityError::Invalid { at: Some(at), reason }));
    }

    #[test]
    fn nobody_has_more_identifiers_than_the_limit() {
        let keys = Keys::derive(&[1; 32]);
        let check = |count: usize, spelled: usize, fault: Option<Fault>| {
            let value = |number: usize| (number % spelled).to_string();
            let local = |number| Identifier::new(IdentifierKind::Local, value(number));
            let many: Vec<_> = (0..count).map(local).collect();
            let found = index(&keys, many.iter().map(|identifier| (identifier, None)));
            assert_eq!(found.err().map(|error| error.fault()), fault);
        };
        check(IDENTIFIERS_MAX, IDENTIFIERS_MAX, None);
        check(1_000, IDENTIFIERS_MAX, None);
        check(IDENTIFIERS_MAX + 1, 1_000, Some(Fault::Limit));
    }

    #[test]
    fn a_card_number_that_is_a_citizen_id_contradicts_another() {
        let keys = Keys::derive(&[1; 32]);
        let card = Identifier::new(IdentifierKind::HealthCard, "11010519491231002X");
        let found = index(&keys, [(&card, None)].into_iter()).unwrap();
        assert_eq!(found[0].kind, IdentifierKind::CitizenId);
    }

    #[test]
    fn a_document_number_is_no_resident() {
        let keys = Keys::derive(&[1; 32]);
        let visit = Identifier::new(IdentifierKind::Other, "V1");
        assert_eq!(index(&keys, [(&visit, None)].into_iter()), Err(IdentityError::Missing));
    }

    /// A number pair with valid check characters: two residents.
    #[test]
    fn a_card_number_of_another_resident_is_told_by_its_place() {
        let keys = Keys::derive(&[7; 32]);
        let citizen = Identifier::new(IdentifierKind::CitizenId, "11010519491231002X");
        let card = Identifier::new(IdentifierKind::HealthCard, "410105194803120420");
        let at = Position::Pointer("/card".to_owned());
        let found = index(&keys, [(&card, Some(&at)), (&citizen, None)].into_iter());
        assert_eq!(found, Err(IdentityError::Card { at: Some(at.clone()) }));
        assert_eq!(found.unwrap_err().fault(), Fault::CardConflict);
        let own = Identifier::new(IdentifierKind::HealthCard, "11010519491231002X");
        assert!(index(&keys, [(&citizen, None), (&own, Some(&at))].into_iter()).is_ok());
    }
}
