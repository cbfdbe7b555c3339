//! 卡状态, whether a card may still be asked by: one that is lost or replaced is refused.
//!
//! What the newest record that names the card says of its state counts; a card nobody said
//! anything of is good. A number asked by as a citizen id is no card and never refused here.

use super::question::Refused;
use crate::policy::{Bilingual, Gathered};
use crate::vocabulary::{ElementId, Fault, Identifier, IdentifierKind, Position, Record, Value};

const STATE: ElementId = ElementId::fixed("MZ.card.state");

/// Refuses a card that is suspended, cancelled, lost or replaced.
pub(super) fn usable(asked: &Identifier, records: &[Gathered<'_>]) -> Result<(), Refused> {
    if !matches!(asked.kind, IdentifierKind::ElectronicCard | IdentifierKind::HealthCard) {
        return Ok(());
    }
    let said = records.iter().filter_map(|gathered| {
        let state = names(gathered.record, asked).then(|| state(gathered.record))??;
        let time = gathered.record.time.as_ref().and_then(crate::vocabulary::Date::timestamp);
        Some((time.unwrap_or(gathered.as_of), state))
    });
    let newest = said.max_by_key(|(time, _)| *time);
    let remedy = match newest.map(|(_, state)| state) {
        Some("2") => ("该卡已暂停，请核对本人身份后以身份证号查询", "the card is suspended"),
        Some("3") => ("该卡已注销，请核对本人身份后以身份证号查询", "the card is cancelled"),
        Some("4") => ("该卡已挂失，请留卡并联系发卡机构", "the card was reported lost: keep it"),
        Some("5") => ("该卡已换发，请使用新卡", "the card was replaced: ask for the new one"),
        _ => return Ok(()),
    };
    let at = Some(Position::Pointer("/identifier/value".to_owned()));
    let remedy = Some(Bilingual { zh: remedy.0.to_owned(), en: remedy.1.to_owned() });
    Err(Refused { at, remedy, ..Fault::CardState.into() })
}

/// Whether a record speaks of this very card.
fn names(record: &Record, asked: &Identifier) -> bool {
    let wanted = asked.normalised().ok();
    let mut named = record.fields().filter_map(|field| match &field.value {
        Value::Identifier(identifier) => Some(identifier),
        _ => None,
    });
    named.any(|identifier| {
        identifier.kind == asked.kind && wanted.is_some() && identifier.normalised().ok() == wanted
    })
}

fn state(record: &Record) -> Option<&str> {
    record.values(STATE).find_map(|value| match value {
        Value::Code(coding) => coding.code.as_deref(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{Coding, Dataset, Date, Field, Group, GroupName, Source};

    const NUMBER: &str = "410105194803120420";

    fn record(day: &str, code: &str, kind: IdentifierKind) -> Record {
        let field = |element: &'static str, value| Field {
            element: ElementId::fixed(element),
            value,
            at: None,
        };
        let coding = Coding { code: Some(code.to_owned()), display: None, original: None };
        let fields = vec![
            field("DE01.00.021.00", Value::Identifier(Identifier::new(kind, NUMBER))),
            field("MZ.card.state", Value::Code(coding)),
        ];
        Record {
            dataset: Dataset::parse("card-state").unwrap(),
            source: Source::fixed("cards"),
            time: Some(Date::parse_iso(day).unwrap()),
            groups: vec![Group { name: GroupName::parse("record").unwrap(), parent: None, fields }],
            carried: Vec::new(),
            wire: None,
            mappings: String::new(),
        }
    }

    fn check(asked: IdentifierKind, said: &[(&str, &str)], refused: bool) {
        let card = IdentifierKind::HealthCard;
        let records: Vec<_> = said.iter().map(|(day, code)| record(day, code, card)).collect();
        let gathered: Vec<_> = records.iter().map(|record| Gathered { record, as_of: 0 }).collect();
        let found = usable(&Identifier::new(asked, NUMBER), &gathered);
        let expect = refused.then_some(Fault::CardState);
        assert_eq!(found.err().map(|refused| refused.fault), expect, "{said:?}");
    }

    #[test]
    fn the_newest_word_on_a_card_counts() {
        let card = IdentifierKind::HealthCard;
        check(card, &[], false);
        check(card, &[("2026-01-01", "1")], false);
        for state in ["2", "3", "4", "5"] {
            check(card, &[("2026-02-01", state), ("2026-01-01", "1")], true);
        }
        check(card, &[("2026-01-01", "4"), ("2026-02-01", "1")], false);
    }

    #[test]
    fn who_asks_by_another_number_is_not_refused() {
        check(IdentifierKind::CitizenId, &[("2026-02-01", "4")], false);
        check(IdentifierKind::ElectronicCard, &[("2026-02-01", "4")], false);
    }
}
