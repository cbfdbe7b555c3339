//! 多人应答, an answer about several persons who fit a description: each is decided on for
//! himself and has his own entry, and all entries stand before the first byte leaves.
//!
//! Upstream systems are not asked: who only may be meant is nothing they need to hear of.

use super::Gateway;
use super::gather::Resident;
use super::question::{Question, Refused, Turn};
use super::whom::Candidate;
use crate::audit::Entry;
use crate::identity::linkage::{Demographics, Verdict};
use crate::inbound::http::Answered;
use crate::policy::{self, Admission};
use crate::registry::answer::AnswerMeta;
use crate::registry::whom::{Alone, Grade, Likeness};
use crate::registry::writing::{Found, Several, Window, Written};
use crate::vocabulary::{ElementId, Fault};

/// Persons one answer may be about.
const PERSONS_MAX: usize = 50;

impl Gateway {
    /// Answers about everybody a description fits, as far as the window goes.
    pub(super) async fn disclose_each(
        &self,
        (turn, question): (&Turn, &Question),
        (admission, wanted): (&Admission, Option<&[ElementId]>),
        (who, window): (&Demographics, Window),
    ) -> Result<Answered, Refused> {
        let asker = self.asked_by(admission.evidence()).await?;
        let words = self.words_of(who);
        let candidates = self.candidates(turn, (admission, &words), who).await?;
        let sure = candidates.iter().filter(|one| one.judged.verdict == Verdict::Automatic);
        let alone = if sure.count() == 1 { Alone::Yes } else { Alone::No };
        let mut fit: Vec<_> = candidates
            .into_iter()
            .map(|one| (Likeness::of(&one.judged, alone), one))
            .filter(|(likeness, _)| !window.certain || likeness.grade == Grade::Certain)
            .collect();
        let all = fit.len();
        fit.drain(..window.from.min(all));
        // How many there are is told to whom one of them is told, and entered.
        let total = if fit.is_empty() { 0 } else { all };
        fit.truncate(window.most.min(PERSONS_MAX));
        let mut found = Vec::with_capacity(fit.len());
        let mut entries = Vec::with_capacity(fit.len());
        for (likeness, Candidate { resident, .. }) in fit {
            self.may_answer(turn, admission, &resident).await?;
            let gathered = self.gather_own(turn, admission, &resident).await?;
            let records = gathered.records();
            let scope = admission.towards(&records, turn.at_ms / 1000);
            let scope = scope.about(resident.pseudonym.clone());
            let release = policy::decide(&scope, wanted, &records, &self.keys);
            let circumstances = Self::circumstances(turn, Some(&resident), gathered.states());
            entries
                .push(Entry::disclosure(&release, circumstances).asked_by(asker.pseudonym.clone()));
            found.push(Found { release, likeness, handle: self.handle(admission, &resident) });
        }
        let towards_nobody = admission.towards(&[], turn.at_ms / 1000);
        let nobody = policy::decide(&towards_nobody, wanted, &[], &self.keys);
        if entries.is_empty() {
            self.looked_for(turn, admission, &words).await?;
            let circumstances = Self::circumstances(turn, None, Default::default());
            entries.push(Entry::disclosure(&nobody, circumstances).asked_by(asker.pseudonym));
        }
        let first = entries.first().ok_or(Fault::Internal)?.receipt.to_string();
        let meta = AnswerMeta {
            receipt: &first,
            answered_at: turn.at_ms / 1000,
            mappings: turn.rules.pack.version(),
            sources: &[],
        };
        let several = Several { found: &found, total, nobody: &nobody, meta };
        let Written { status, media, body } = question.writing.several(&turn.rules.pack, &several);
        let releases = found.iter().map(|one| &one.release);
        let entries = entries.into_iter().map(|entry| entry.with_answer(&body)).collect();
        let entry = Some(self.enter_answer((turn, admission), releases, entries).await?);
        Ok(Answered { status, media, body, entry })
    }

    /// The department's own handle of a person.
    fn handle(&self, admission: &Admission, resident: &Resident) -> String {
        let department = admission.department();
        self.keys.handle(department.as_str(), &resident.identifier).unwrap_or_default()
    }
}
