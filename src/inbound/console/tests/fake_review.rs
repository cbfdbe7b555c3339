//! The reviewer's side of the gateway that exists only for the console's tests.

use super::fake::{AT, Fake};
use crate::identity::linkage::{Contribution, Demographics};
use crate::inbound::console::view::review::*;
use crate::inbound::console::view::{Asker, Seen};
use crate::store::history::What;
use crate::store::opinion::Opinion;

/// The pair that waits.
pub const WAITING: Pair = (3, 17);

/// How much waits.
pub const BACKLOG: Backlog =
    Backlog { pairs: 62, oldest_ms: Some(AT - 60 * 76 * 60_000), overlays: 1 };

fn queue() -> Vec<PairRow> {
    let row = |at: i64, pair, rule: &str, weight| PairRow {
        pair,
        sources: ("hospital-a".to_owned(), "civil-affairs".to_owned()),
        rule: rule.to_owned(),
        weight,
        at_ms: AT - at * 60_000,
        proposed_by: None,
    };
    let mut rows =
        vec![row(60 * 76, WAITING, "like-twins", 4.26), row(95, (5, 9), "doubtful", 7.0)];
    rows.extend((0..60).map(|n| row(60 - n, (20 + n, 90 + n), "name-and-birthday", 2.5)));
    rows
}

fn side(source: &str, [name, birth, phone, id]: [&str; 4]) -> SideView {
    let who = Demographics {
        names: vec![name.to_owned()],
        sex: "2".to_owned(),
        birth_date: birth.to_owned(),
        citizen_id: id.to_owned(),
        phones: vec![phone.to_owned()],
        addresses: vec!["测试省测试市人民路8号".to_owned()],
        assigned: vec![("HOSP-A".to_owned(), format!("L-{source}"))],
        ..Demographics::default()
    };
    SideView { source: source.to_owned(), who: Some(who) }
}

/// The pair, with values nobody has.
pub fn view(proposed_by: Option<String>) -> PairView {
    let part = |field, level, weight| Contribution { field, level, weight };
    PairView {
        pair: WAITING,
        sides: [
            side("hospital-a", ["测试甲", "19480315", "13800001111", ""]),
            side("civil-affairs", ["测试乙", "19480315", "13800001112", "11010519480315002X"]),
        ],
        at_ms: Some(AT - 60 * 76 * 60_000),
        proposed_by,
        rule: Some("like-twins".to_owned()),
        waits: true,
        one_person: false,
        judged: Some(JudgedView {
            rule: "like-twins".to_owned(),
            weight: 4.26,
            fields: vec![
                part("citizen-id", "missing", 0.0),
                part("name", "one-character", 0.4),
                part("birth-date", "same", 9.6),
                part("sex", "same", 0.7),
                part("phone", "near", -1.5),
                part("address", "same", 6.3),
                part("division", "same", 2.8),
            ],
        }),
    }
}

impl Reviewing for Fake {
    fn waiting(&self, after: Option<Cursor>, limit: usize) -> Seen<'_, QueuePage> {
        let place = |row: &PairRow| Cursor { at_ms: row.at_ms, pair: row.pair };
        let after = move |row: &PairRow| after.is_none_or(|cursor| place(row) > cursor);
        let rows: Vec<_> = queue().into_iter().filter(after).take(limit).collect();
        let next = rows.last().filter(|_| rows.len() == limit).map(place);
        Box::pin(async move { Ok(QueuePage { at_ms: AT, backlog: BACKLOG, rows, next }) })
    }

    fn held(&self, after: Option<u64>, _limit: usize) -> Seen<'_, HeldPage> {
        let source = "hospital-b".to_owned();
        let voiced = self.voiced.lock().unwrap().clone();
        let row = HeldRow { number: 214_005, source, at_ms: AT - 90_000, at: None, voiced };
        let rows = if after.is_none() { vec![row] } else { Vec::new() };
        Box::pin(async move { Ok(HeldPage { rows, next: None }) })
    }

    fn judge<'a>(
        &'a self,
        asker: &'a Asker,
        (number, opinion): (u64, Opinion),
    ) -> Seen<'a, Judged> {
        Box::pin(async move {
            self.ask(asker, (opinion, number))?;
            let mut voiced = self.voiced.lock().unwrap();
            Ok(match voiced.clone() {
                _ if number != 214_005 => Judged::Settled,
                Some((first, by)) if first == opinion && by == asker.user => Judged::Own,
                Some((Opinion::Accept, _)) if opinion == Opinion::Accept => Judged::Accepted,
                Some((Opinion::Refuse, _)) if opinion == Opinion::Refuse => Judged::Refused,
                _ => {
                    *voiced = Some((opinion, asker.user.clone()));
                    Judged::Waits
                }
            })
        })
    }

    fn pair<'a>(&'a self, asker: &'a Asker, pair: Pair) -> Seen<'a, Option<PairView>> {
        Box::pin(async move {
            self.ask(asker, ("pair", pair))?;
            let proposed = self.proposed.lock().unwrap().clone();
            Ok((pair == WAITING).then(|| view(proposed)))
        })
    }

    fn history<'a>(&'a self, asker: &'a Asker, pair: Pair) -> Seen<'a, Option<Vec<EventRow>>> {
        Box::pin(async move {
            self.ask(asker, ("history", pair))?;
            let event = |what, by: &str, journal, ended_at_ms| EventRow {
                pair: (17, 40),
                what,
                by: by.to_owned(),
                at_ms: AT - 86_400_000,
                journal,
                ended_at_ms,
            };
            let events = vec![
                event(What::Same, "hospital-a", Some(214_001), Some(AT - 3_600_000)),
                event(What::Apart, "rui", None, None),
            ];
            Ok((pair == WAITING).then_some(events))
        })
    }

    fn decide<'a>(
        &'a self,
        asker: &'a Asker,
        pair: Pair,
        decision: Decision,
    ) -> Seen<'a, Option<Decided>> {
        Box::pin(async move {
            self.ask(asker, (decision, pair))?;
            let mut proposed = self.proposed.lock().unwrap();
            let decided = match (decision, proposed.as_deref()) {
                (Decision::Apart, _) => Decided::Apart,
                (Decision::Same, None) => {
                    *proposed = Some(asker.user.clone());
                    Decided::Waits
                }
                (Decision::Same, Some(first)) if first == asker.user => Decided::Own,
                (Decision::Same, Some(_)) => Decided::Same,
            };
            Ok((pair == WAITING).then_some(decided))
        })
    }
}
