//! The messages of the gateway that exists only for the console's tests.

use super::fake::{AT, Fake};
use crate::inbound::console::access::Area;
use crate::inbound::console::view::trace::*;
use crate::inbound::console::view::{Asker, Seen};
use crate::store::State;
use crate::vocabulary::{Entrance, Fault};

/// The person of every kept message.
const PERSON: &str = "9f86d081884c7d659a2feaa0c55ad015";

fn line(number: u64) -> Line {
    let held = number.is_multiple_of(3);
    Line {
        number,
        source: "hospital-a".to_owned(),
        control_id: format!("DEMO-{number:04}"),
        received_at_ms: AT,
        form: "hl7v2".to_owned(),
        state: if held { State::Quarantined } else { State::Kept },
        fault: held.then_some(Fault::TableValue),
        at: held.then(|| "PID-8".to_owned()),
        position: None,
    }
}

impl Tracing for Fake {
    fn senders(&self) -> Seen<'_, Vec<String>> {
        Box::pin(async { Ok(vec!["hospital-a".to_owned(), "hospital-b".to_owned()]) })
    }

    fn messages<'a>(&'a self, asker: &'a Asker, query: &'a MessageQuery) -> Seen<'a, MessagePage> {
        Box::pin(async move {
            self.ask(asker, query)?;
            let top = query.wanted.before.unwrap_or(91);
            let rows: Vec<_> = (1..top).rev().take(query.wanted.limit).map(line).collect();
            let next = rows.last().map(|row| row.number).filter(|number| *number > 1);
            Ok(MessagePage {
                lines: Lines { rows, next, tired: query.wanted.form.is_some() },
                control_id: query.wanted.control_id.clone(),
                entries: query.person.as_ref().map(|_| vec![5, 8]),
                pseudonym: query.person.as_ref().map(|_| PERSON.to_owned()),
            })
        })
    }

    fn journey<'a>(&'a self, asker: &'a Asker, number: u64) -> Seen<'a, Option<Journey>> {
        Box::pin(async move {
            self.ask(asker, ("message", number))?;
            let audits = asker.roles.may_see(Area::Ledger);
            Ok((number < 91).then(|| journey(number, audits)))
        })
    }

    fn piles<'a>(&'a self, asker: &'a Asker) -> Seen<'a, Vec<Pile>> {
        Box::pin(async move {
            self.ask(asker, "piles")?;
            Ok(vec![Pile {
                source: "hospital-a".to_owned(),
                fault: Fault::TableValue,
                place: Some("PID-8".to_owned()),
                count: 1_234,
                first: 3,
                first_ms: AT - 86_400_000,
                last: 90,
                last_ms: AT,
            }])
        })
    }
}

fn journey(number: u64, audits: bool) -> Journey {
    let line = line(number);
    let kept = line.state == State::Kept;
    let counts = Counts {
        mapped: 21,
        dropped: 4,
        carried: 2,
        unmapped: 1,
        first_unmapped: vec!["ZPI-3".to_owned()],
    };
    let stands = Outcome {
        state: line.state,
        fault: line.fault,
        at: line.at.clone(),
        mappings: Some("0123456789abcdef".to_owned()),
        until_ms: None,
        entry: None,
    };
    let before = Outcome { until_ms: Some(AT), entry: Some(41), ..stands.clone() };
    let notice = Noticed {
        number: 77,
        subscription: "civil-discharge".to_owned(),
        event: "discharge".to_owned(),
        state: "delivered",
        tries: 2,
        why: None,
        ended_ms: Some(AT),
    };
    Journey {
        line,
        entrance: Some(Entrance::Mllp),
        bytes: Some(512),
        mark: "2c26b46b68ffc68ff99b453c1d304134".to_owned(),
        same_number: vec![2],
        reading: Some(Reading {
            mappings: "0123456789abcdef".to_owned(),
            then: kept,
            dataset: kept.then(|| "discharge".to_owned()),
            bins: kept.then_some(counts),
        }),
        outcomes: vec![before, stands],
        told: Told::Acknowledged(vec!["CA", "AE"]),
        person: kept.then(|| Known { pseudonym: PERSON.to_owned(), entries: vec![5, 8], entry: 8 }),
        said: Vec::new(),
        notices: vec![NoticeView { notice, entries: vec![(52, "r-52".to_owned())] }],
        disclosures: audits.then(|| vec![super::fake::row(51)]),
    }
}
