//! 找人, who is meant by a question: whoever has a number, or whoever is described.
//!
//! The index finds who may be described. Whether somebody is, is judged anew, record by
//! record, by nothing but what the asker may see of it: a person whose name may not be told
//! is found by no name, as if there were none.

use std::sync::Arc;

use super::Gateway;
use super::gather::Resident;
use super::question::{Refused, Turn, on_the_beat};
use crate::identity::linkage::{Demographics, Judged, Verdict};
use crate::identity::{PersonId, Pseudonym};
use crate::policy::{self, Admission, Scope};
use crate::registry::whom::{self, Whom};
use crate::store::Holder;
use crate::store::cache::Records;
use crate::vocabulary::{ElementId, Fault, Freshness, Position, Record};

/// Persons of the index who are looked at for one description.
const CANDIDATES_MAX: usize = 50;
/// Newest records of a person that are compared with one description.
const RECORDS_MAX: usize = 100;

/// Somebody who may be described.
pub(super) struct Candidate {
    /// Who.
    pub resident: Resident,
    /// How surely, by what the asker may see.
    pub judged: Judged,
}

impl Gateway {
    /// The one person a question means.
    pub(super) async fn meant_by(
        &self,
        turn: &Turn,
        admission: &Admission,
        whom: &Whom,
    ) -> Result<Resident, Refused> {
        let who = match whom {
            Whom::Identifier(identifier) => return self.resident(identifier).await,
            Whom::Described(who) => who,
        };
        let words = self.words_of(who);
        let candidates = self.candidates(turn, (admission, &words), who).await?;
        let sure = |one: &Candidate| one.judged.verdict == Verdict::Automatic;
        let mut sure = candidates.into_iter().filter(sure);
        match (sure.next(), sure.next()) {
            (Some(only), None) => Ok(only.resident),
            // Nobody, somebody perhaps, and two alike: which of these, is not told.
            _ => {
                self.looked_for(turn, admission, &words).await?;
                on_the_beat(turn, self.empty_answer).await;
                let at = Some(Position::Pointer("/person".to_owned()));
                Err(Refused { at, ..Fault::IdentityAmbiguous.into() })
            }
        }
    }

    /// Persons who may be described, the surest first.
    pub(super) async fn candidates(
        &self,
        turn: &Turn,
        (admission, words): (&Admission, &Pseudonym),
        who: &Demographics,
    ) -> Result<Vec<Candidate>, Refused> {
        self.may_look_for(turn, admission, words).await?;
        let open: Vec<_> = admission.searchable().collect();
        if let Some((_, at)) = whom::sought(who).into_iter().find(|(id, _)| !open.contains(id)) {
            let at = Some(Position::Pointer(at.to_owned()));
            return Err(Refused { at, ..Fault::UnsupportedParameter.into() });
        }
        let mut found = Vec::new();
        for alike in self.store.alike(who.clone()).await?.into_iter().take(CANDIDATES_MAX) {
            let holder = Holder { entry: alike.entry, root: alike.person };
            let records = self.own_records(turn, admission, holder).await?;
            let said: Vec<_> = records.iter().map(of).collect();
            let scope = admission.towards(&said, turn.at_ms / 1000);
            let others = self.seen(&scope, &open, &said);
            let judged = self.store.judge(who.clone(), others).await?.into_iter();
            let best =
                judged.max_by(|a, b| a.verdict.cmp(&b.verdict).then(a.weight.total_cmp(&b.weight)));
            let Some(judged) = best.filter(|best| best.verdict >= Verdict::Review) else {
                continue;
            };
            if let Some(resident) = self.known_by(alike.person, &records).await? {
                found.push(Candidate { resident, judged });
            }
        }
        found.sort_by(|a, b| {
            let sure = b.judged.verdict.cmp(&a.judged.verdict);
            let likely = b.judged.weight.total_cmp(&a.judged.weight);
            sure.then(likely).then(a.resident.person.cmp(&b.resident.person))
        });
        Ok(found)
    }

    /// What stands for whoever is described, should he be nobody.
    pub(super) fn words_of(&self, who: &Demographics) -> Pseudonym {
        self.stand_in("person", &whom::words(who))
    }

    pub(super) async fn own_records(
        &self,
        turn: &Turn,
        admission: &Admission,
        holder: Holder,
    ) -> Result<Arc<Records>, Refused> {
        let own = self.ask_person(turn, admission, holder).await;
        match own.state {
            Freshness::Unavailable => Err(Fault::Unavailable.into()),
            Freshness::Cached | Freshness::Fresh | Freshness::Stale => Ok(own.records),
        }
    }

    /// What the asker may see of who somebody is, one for each way the records say it.
    fn seen(
        &self,
        scope: &Scope,
        open: &[ElementId],
        records: &[policy::Gathered<'_>],
    ) -> Vec<Demographics> {
        let mut seen: Vec<Demographics> = Vec::new();
        for record in records.iter().take(RECORDS_MAX) {
            let alone = std::slice::from_ref(record);
            let told = whom::seen(&policy::decide(scope, Some(open), alone, &self.keys));
            if told.tells() && !seen.contains(&told) {
                seen.push(told);
            }
        }
        seen
    }

    /// Somebody by a number of his own that leads to him: by it he is asked for upstream.
    async fn known_by(
        &self,
        person: PersonId,
        records: &Records,
    ) -> Result<Option<Resident>, Refused> {
        for identifier in whom::numbers(records.iter().map(|(record, _)| record)) {
            match self.resident(identifier).await {
                Ok(resident) if resident.person == Some(person) => return Ok(Some(resident)),
                // A slip in a number, or one that is several persons': another may do.
                _ => continue,
            }
        }
        Ok(None)
    }
}

/// A record of the own store, for the decision.
pub(super) fn of((record, at_ms): &(Record, i64)) -> policy::Gathered<'_> {
    policy::Gathered { record, as_of: at_ms / 1000 }
}
