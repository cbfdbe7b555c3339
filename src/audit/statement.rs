//! From a decision to its entry: what is written is read off the release, never told beside it.

use std::collections::BTreeMap;

use super::entry::{Entry, Kind};
use super::reference::Reference;
use super::tree::Hash;
use crate::identity::Pseudonym;
use crate::policy::{Admission, Evidence, Release};
use crate::vocabulary::{Department, Fault, Freshness, Role, Source};

/// What an entry needs that no decision knows.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Of a random number generator; becomes the receipt number.
    pub random: [u8; 16],
    /// About whom, if that is known.
    pub person: Option<Pseudonym>,
    /// Version of the mappings.
    pub mappings: &'a str,
    /// How current each source that was asked is; one that is not here is the gateway's own store.
    pub sources: BTreeMap<Source, Freshness>,
}

impl Entry {
    /// Elements leave for a department. The answer is written with the entry's
    /// receipt, and its hash then added by [`Entry::with_answer`].
    #[must_use]
    pub fn disclosure(release: &Release, circumstances: Circumstances<'_>) -> Self {
        Self::of(Kind::Disclosure, release, circumstances)
    }

    /// Elements leave for a department unasked: a notice, which `subject` names.
    #[must_use]
    pub fn delivery(release: &Release, subject: &str, circumstances: Circumstances<'_>) -> Self {
        let subject = Some(Reference::new(subject));
        Self { subject, ..Self::of(Kind::Delivery, release, circumstances) }
    }

    /// A department wishes to be told of events about a person, or no longer; `admission` is the
    /// one its notices are decided under.
    #[must_use]
    pub fn enrolment(
        admission: &Admission,
        subject: &str,
        circumstances: Circumstances<'_>,
    ) -> Self {
        let mut entry = Self::at(Kind::Enrolment, circumstances);
        entry.subject = Some(Reference::new(subject));
        entry.under(admission);
        entry
    }

    /// A department brings a list of elders to ask about, or ends it; `admission` is the one its
    /// answers would be decided under now.
    #[must_use]
    pub fn batch(admission: &Admission, subject: &str, circumstances: Circumstances<'_>) -> Self {
        let mut entry = Self::at(Kind::Batch, circumstances);
        entry.subject = Some(Reference::new(subject));
        entry.under(admission);
        entry
    }

    /// An identifier leaves for an upstream, to ask what it has about somebody.
    #[must_use]
    pub fn location(release: &Release, circumstances: Circumstances<'_>) -> Self {
        Self::of(Kind::Location, release, circumstances)
    }

    /// A question is refused; `asker` is `None` if the certificate is nobody's.
    ///
    /// The purpose is added by the caller if it is one of the closed list: what a peer
    /// wrote in its place may be anything.
    #[must_use]
    pub fn refusal(
        fault: Fault,
        asker: Option<(Department, Role)>,
        evidence: &Evidence,
        circumstances: Circumstances<'_>,
    ) -> Self {
        let mut entry = Self::at(Kind::Refusal, circumstances);
        entry.fault = Some(fault);
        (entry.department, entry.role) = asker.unzip();
        entry.bring(evidence);
        entry
    }

    /// Somebody of the index becomes another person, because of what `source` said: they
    /// are found to be one (`link`), said to be one (`merge`), or are two again (`part`).
    #[must_use]
    pub fn change(
        kind: Kind,
        from: Option<Pseudonym>,
        source: Source,
        circumstances: Circumstances<'_>,
    ) -> Self {
        let mut entry = Self::at(kind, circumstances);
        entry.merged = from;
        entry.sources.insert(source, Freshness::Fresh);
        entry
    }

    /// A ticket about somebody is opened or seconded by what is asked now.
    #[must_use]
    pub fn ticket(admission: &Admission, circumstances: Circumstances<'_>) -> Self {
        let mut entry = Self::at(Kind::BreakGlass, circumstances);
        entry.subject = admission.evidence().holder.as_deref().map(Reference::new);
        entry.under(admission);
        entry
    }

    /// A person allows or refuses something, as `source` recorded it; `subject` says what.
    #[must_use]
    pub fn consent(subject: &str, source: Source, circumstances: Circumstances<'_>) -> Self {
        let mut entry = Self::at(Kind::Consent, circumstances);
        entry.subject = Some(Reference::new(subject));
        entry.sources.insert(source, Freshness::Fresh);
        entry
    }

    /// The same entry with the human who asked, by what stands for him.
    #[must_use]
    pub fn asked_by(mut self, asker: Option<Pseudonym>) -> Self {
        self.asked_by = asker;
        self
    }

    /// The same entry with the hash of the answer's bytes.
    #[must_use]
    pub fn with_answer(mut self, answer: &[u8]) -> Self {
        self.answer_sha256 = Some(Hash::digest(answer));
        self
    }

    fn at(kind: Kind, circumstances: Circumstances<'_>) -> Self {
        let Circumstances { at_ms, random, person, mappings, sources } = circumstances;
        let mappings = Some(mappings.to_owned()).filter(|version| !version.is_empty());
        Self { person, mappings, sources, ..Self::new(kind, at_ms, random) }
    }

    fn of(kind: Kind, release: &Release, circumstances: Circumstances<'_>) -> Self {
        let mut entry = Self::at(kind, circumstances);
        entry.under(release.admission());
        entry.rules.extend(release.scope().grounds());
        for released in release.released() {
            entry.elements.insert(released.tier(), released.element().id);
            released.rules().iter().for_each(|rule| entry.decided_by(rule));
            entry.sources.entry(released.origin()).or_insert(Freshness::Fresh);
        }
        for withheld in release.withheld() {
            entry.withheld.insert(withheld.element);
            entry.decided_by(&withheld.rule);
        }
        entry
    }

    /// Many values are decided by one rule.
    fn decided_by(&mut self, rule: &str) {
        if !self.rules.contains(rule) {
            self.rules.insert(rule.to_owned());
        }
    }

    /// Who, in which role, what for, and by which policies.
    fn under(&mut self, admission: &Admission) {
        self.department = Some(admission.department());
        self.role = Some(admission.role());
        self.purpose = Some(admission.purpose());
        self.legal_basis = Some(admission.terms().legal_basis.zh.clone());
        self.policy = Some(admission.version().to_owned());
        self.bring(admission.evidence());
    }

    fn bring(&mut self, evidence: &Evidence) {
        let keep = |text: &Option<String>| text.as_deref().map(Reference::new);
        self.asker = keep(&evidence.asker);
        self.call = keep(&evidence.call);
        self.case = keep(&evidence.case);
        self.reason = keep(&evidence.reason);
    }
}

#[cfg(test)]
#[path = "statement_tests.rs"]
pub(crate) mod tests;
