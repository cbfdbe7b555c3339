//! 查询人, the human for whom a system asks: whether he is the very person asked about.
//!
//! The asking system knows him and passes a number of his on (`evidence.asked_by`). Whose number
//! it is, is what the index says, so that he is known by any number of his. Whose guardian he
//! is, the records say; see `policy::relation`.

use super::gather::Resident;
use super::question::Refused;
use super::{Gateway, card};
use crate::identity::{PersonId, Pseudonym, Token};
use crate::policy::{Asks, Evidence, Gathered};
use crate::registry::civil::ASKED_BY;
use crate::vocabulary::{Fault, Identifier, Position};

/// Who asks; nobody if no number of his was passed on.
pub(super) struct Human {
    /// His number as it came, and where it leads.
    known: Option<(Identifier, Resident)>,
    /// What stands for him in the ledger.
    pub pseudonym: Option<Pseudonym>,
}

impl Gateway {
    /// The human who asks.
    pub(super) async fn asked_by(&self, evidence: &Evidence) -> Result<Human, Refused> {
        let Some(number) = &evidence.asked_by else {
            return Ok(Human { known: None, pseudonym: None });
        };
        let at = |member: &str| Some(Position::Pointer(format!("{ASKED_BY}/{member}")));
        if !number.names_a_person() {
            return Err(Refused { at: at("kind"), ..Fault::TableValue.into() });
        }
        let wrong = |refused: Refused| match refused.fault {
            Fault::IdentifierInvalid => Refused { at: at("value"), ..refused },
            _ => refused,
        };
        let known = self.resident(number).await.map_err(wrong)?;
        let pseudonym = Some(known.pseudonym.clone());
        Ok(Human { known: Some((number.clone(), known)), pseudonym })
    }
}

impl Human {
    /// Whether he is the one with this number, or this person of the index. Whoever holds a card
    /// that was lost is not taken for its owner.
    pub(super) fn asks(
        &self,
        (token, person): (Option<&Token>, Option<PersonId>),
        records: &[Gathered<'_>],
    ) -> Asks {
        let same = |(_, one): &&(Identifier, Resident)| {
            Some(&one.token) == token || person.is_some() && one.person == person
        };
        let own = self.known.as_ref().filter(same);
        match own.is_some_and(|(number, _)| card::usable(number, records).is_ok()) {
            true => Asks::Person,
            false => Asks::Other,
        }
    }
}
