//! 一人一决, one person and one asker: whether budget and ticket allow it, what the sources say,
//! what of it leaves, and its entry. A question and a row of a batch are decided on here alike.

use super::gather::Resident;
use super::question::{Refused, Turn};
use super::{Gateway, card};
use crate::audit::Entry;
use crate::policy::{Admission, Release};
use crate::registry::answer::SourceReport;
use crate::vocabulary::{ElementId, Identifier};

/// What leaves of one person, not yet entered.
pub(super) struct Decided {
    /// What leaves.
    pub release: Release,
    /// Its entry, still without the hash of the answer.
    pub entry: Entry,
    /// Whom the gateway asked.
    pub sources: Vec<SourceReport>,
}

impl Gateway {
    /// Decides what leaves of one person; `asked_by` is the number of the question, if it has one.
    pub(super) async fn decide_on(
        &self,
        turn: &Turn,
        (admission, wanted): (&Admission, Option<&[ElementId]>),
        (resident, asked_by): (&Resident, Option<&Identifier>),
    ) -> Result<Decided, Refused> {
        let asker = self.asked_by(admission.evidence()).await?;
        self.may_answer(turn, admission, resident).await?;
        let gathered = self.gather(turn, admission, resident).await?;
        let (records, at) = (gathered.records(), turn.at_ms / 1000);
        let asks = asker.asks((Some(&resident.token), resident.person), &records);
        let scope = admission.towards_asker((&records, at), asks);
        let scope = scope.about(resident.pseudonym.clone());
        // Of whom nothing is told, not even what became of his card.
        if let Some(identifier) = asked_by.filter(|_| !scope.opens_nothing()) {
            card::usable(identifier, &records)?;
        }
        let release = turn.decide((&scope, wanted), (&records, at), &self.keys);
        let circumstances = Self::circumstances(turn, Some(resident), gathered.states());
        let entry = Entry::disclosure(&release, circumstances).asked_by(asker.pseudonym);
        Ok(Decided { release, entry, sources: gathered.reports() })
    }
}
