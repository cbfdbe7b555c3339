//! 法定保全, entries that are kept beyond their time: placed by one, lifted by two at the console.
//!
//! By the operator's socket one is enough: whoever may open it has the file besides.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Gateway, Sights, ledger};
use crate::audit::{Entry, Kind, Reference};
use crate::identity::PersonId;
use crate::inbound::console::view::hold::{
    HeldWhose, HoldJudged, HoldRow, HoldWhom, HoldWish, HoldWord, Holding, Placed,
};
use crate::inbound::console::view::{Asker, Named, Seen};
use crate::inbound::operator::Holds;
use crate::store::StoreError;
use crate::store::retention::{Lifting, Preserved};
use crate::store::review::Proposal;
use crate::vocabulary::{Department, Fault, Identifier};

impl Holding for Sights {
    fn holds<'a>(&'a self, asker: &'a Asker) -> Seen<'a, Vec<HoldRow>> {
        async move {
            self.gateway.asked(&asker.user, "holds", None).await?;
            let holds = self.gateway.store.preserved().await.map_err(|error| error.fault())?;
            Ok(holds.into_iter().map(|hold| self.gateway.hold_row(hold)).collect())
        }
        .boxed()
    }

    fn place_hold<'a>(&'a self, asker: &'a Asker, wish: HoldWish) -> Seen<'a, Placed> {
        async move {
            let (identifier, department) = match wish.whose {
                HoldWhom::Department(name) => match self.gateway.known_department(&name) {
                    Some(department) => (None, Some(department)),
                    None => return Ok(Placed::Unknown),
                },
                HoldWhom::Everything => (None, None),
                HoldWhom::Person(identifier) => (Some(identifier), None),
            };
            let order = (wish.reason.as_str(), asker.user.as_str());
            let (hold, placed) = self.gateway.place((identifier, department), order).await?;
            let number = hold.number;
            Ok(if placed { Placed::Placed(number) } else { Placed::Stands(number) })
        }
        .boxed()
    }

    fn judge_hold<'a>(&'a self, asker: &'a Asker, said: (u64, HoldWord)) -> Seen<'a, HoldJudged> {
        self.gateway.judge_hold(asker, said).boxed()
    }
}

impl Gateway {
    /// What an operator asks or orders of entries beyond their time.
    ///
    /// # Errors
    /// [`Fault::IdentityMissing`] if nobody has the identifier, [`Fault::EntryUnknown`] if there
    /// is no such hold, [`Fault::RequiredMissing`] without a reason.
    pub async fn holds(&self, about: Holds, user: u32) -> Result<Value, Fault> {
        let by = format!("uid {user}");
        match about {
            Holds::Lift { number, reason } => self.lift_at_once(number, &reason, &by).await,
            Holds::List => {
                let holds = self.store.preserved().await.map_err(|error| error.fault())?;
                Ok(Value::Array(holds.iter().map(|hold| self.shown_hold(hold)).collect()))
            }
            Holds::Place { identifier, department, reason } => {
                let (hold, placed) = self.place((identifier, department), (&reason, &by)).await?;
                let mut shown = self.shown_hold(&hold);
                if let Some(shown) = shown.as_object_mut() {
                    shown.insert("stands".to_owned(), json!(!placed));
                }
                Ok(shown)
            }
        }
    }

    /// A hold, and whether it was placed now: one on the same for the same reason stands already.
    async fn place(
        &self,
        (identifier, department): (Option<Identifier>, Option<Department>),
        (reason, by): (&str, &str),
    ) -> Result<(Preserved, bool), Fault> {
        let mut person = None;
        if let Some(identifier) = identifier {
            let token = self.keys.token(&identifier).map_err(|_| Fault::IdentifierInvalid)?;
            let found = self.store.person(&[token]).await.map_err(|error| error.fault())?;
            person = Some(found.ok_or(Fault::IdentityMissing)?);
        }
        let whose = match (person, department) {
            (Some(_), _) => "placed: a person".to_owned(),
            (None, Some(department)) => format!("placed: department {department}"),
            (None, None) => "placed: everything".to_owned(),
        };
        let mut entry = self.holding(&whose, reason, by)?;
        entry.person = person.map(|person| self.keys.pseudonym(person));
        let reason = entry.reason.as_ref().map_or("", Reference::as_str).to_owned();
        if let Some(stands) = self.stands((person, department), &reason).await? {
            return Ok((stands, false));
        }
        let (number, at_ms, lifting) = (0, entry.at_ms, None);
        let mut hold = Preserved { number, at_ms, person, department, reason, lifting };
        let placed = self.store.preserve(hold.clone(), ledger::row(&entry)).await;
        hold.number = placed.map_err(|error| error.fault())?;
        Ok((hold, true))
    }

    /// The hold on the same entries for the same reason; of a person, also one that was placed on
    /// whoever has since been found to be him.
    async fn stands(
        &self,
        (person, department): (Option<PersonId>, Option<Department>),
        reason: &str,
    ) -> Result<Option<Preserved>, Fault> {
        let same = match person {
            Some(person) => self.store.one_with(person).await.map_err(|error| error.fault())?.0,
            None => Vec::new(),
        };
        let holds = self.store.preserved().await.map_err(|error| error.fault())?;
        Ok(holds.into_iter().find(|hold| {
            let alike = match hold.person {
                Some(held) => same.contains(&held),
                None => person.is_none() && hold.department == department,
            };
            alike && hold.reason == reason
        }))
    }

    async fn lift_at_once(&self, number: u64, reason: &str, by: &str) -> Result<Value, Fault> {
        let mut entry = self.holding(&format!("lifted: {number}"), reason, by)?;
        let hold = self.hold_of(number).await?.ok_or(Fault::EntryUnknown)?;
        entry.person = hold.person.map(|person| self.keys.pseudonym(person));
        match self.store.release(number, ledger::row(&entry)).await {
            Ok(()) => Ok(json!({ "lifted": number })),
            Err(StoreError::Unknown) => Err(Fault::EntryUnknown),
            Err(error) => Err(error.fault()),
        }
    }

    /// Takes what an auditor says of a hold.
    async fn judge_hold(
        &self,
        asker: &Asker,
        (number, word): (u64, HoldWord),
    ) -> Result<HoldJudged, Fault> {
        let Some(hold) = self.hold_of(number).await? else { return Ok(HoldJudged::Settled) };
        let (what, reason) = match (&word, &hold.lifting) {
            (HoldWord::Keep, None) => return Ok(HoldJudged::Settled),
            (HoldWord::Keep, Some(first)) => ("kept up", first.reason.clone()),
            // The second agrees to what the first has said.
            (HoldWord::Lift(_), Some(first)) => ("lifted", first.reason.clone()),
            (HoldWord::Lift(reason), None) => ("to be lifted", reason.clone()),
        };
        if reason.trim().is_empty() {
            return Ok(HoldJudged::NoReason);
        }
        let mut entry = self.holding(&format!("{what}: {number}"), &reason, &asker.user)?;
        entry.person = hold.person.map(|person| self.keys.pseudonym(person));
        let reason = entry.reason.as_ref().map_or("", Reference::as_str).to_owned();
        let lifting = Lifting { by: asker.user.clone(), at_ms: entry.at_ms, reason };
        let row = ledger::row(&entry);
        let lifts = hold.lifting.is_some();
        let done = match word {
            HoldWord::Keep => self.store.keep_up(number, row).await.map(|()| HoldJudged::Kept),
            HoldWord::Lift(_) if lifts => self.store.lift(number, lifting.by, row).await.map(told),
            HoldWord::Lift(_) => self.store.want_lift(number, lifting, row).await.map(told),
        };
        match done {
            Err(StoreError::Settled | StoreError::Unknown) => Ok(HoldJudged::Settled),
            done => done.map_err(|error| error.fault()),
        }
    }

    async fn hold_of(&self, number: u64) -> Result<Option<Preserved>, Fault> {
        let holds = self.store.preserved().await.map_err(|error| error.fault())?;
        Ok(holds.into_iter().find(|hold| hold.number == number))
    }

    /// The entry of an order.
    fn holding(&self, subject: &str, reason: &str, by: &str) -> Result<Entry, Fault> {
        if reason.trim().is_empty() {
            return Err(Fault::RequiredMissing);
        }
        let mut entry = self.event(Kind::Hold, subject);
        entry.asker = Some(Reference::new(by));
        entry.reason = Some(Reference::new(reason.trim()));
        Ok(entry)
    }

    fn known_department(&self, name: &str) -> Option<Department> {
        let department = Department::parse(name).ok()?;
        let rules = self.rules.load();
        rules.policies.departments().department(department).map(|_| department)
    }

    fn hold_row(&self, hold: Preserved) -> HoldRow {
        let rules = self.rules.load();
        let whose = match (hold.person, hold.department) {
            (Some(person), _) => HeldWhose::Person(self.keys.pseudonym(person).0),
            (None, Some(name)) => {
                let row = rules.policies.departments().department(name);
                let title = row.map(|row| row.title.clone()).unwrap_or_default();
                HeldWhose::Department(Named { id: name.to_string(), zh: title.zh, en: title.en })
            }
            (None, None) => HeldWhose::Everything,
        };
        let lifting = hold.lifting.map(|one| (one.by, one.at_ms, one.reason));
        HoldRow { number: hold.number, at_ms: hold.at_ms, whose, reason: hold.reason, lifting }
    }

    fn shown_hold(&self, hold: &Preserved) -> Value {
        let Preserved { number, at_ms, person, department, reason, lifting } = hold;
        let person = person.map(|person| self.keys.pseudonym(person).0);
        json!({ "number": number, "since_ms": at_ms, "person": person,
                "department": department, "reason": reason,
                "lifting_by": lifting.as_ref().map(|one| &one.by) })
    }
}

fn told(done: Proposal) -> HoldJudged {
    match done {
        Proposal::Done(_) => HoldJudged::Lifted,
        Proposal::Own => HoldJudged::Own,
        Proposal::Waits => HoldJudged::Waits,
    }
}
