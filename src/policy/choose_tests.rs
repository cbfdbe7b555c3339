//! Which of several values is given, as cases.

use super::tests::{code, consent, element, names, record, shipped, text, with_call};
use super::{Admission, Evidence, Gathered, PolicySet, Release, Treated, decide};
use crate::identity::Keys;
use crate::vocabulary::value::Composite;
use crate::vocabulary::{Date, Record, Tier, Value};

fn admitted(set: &PolicySet, asker: (&str, &str), purpose: &str) -> Admission {
    set.admit(names(asker), purpose, with_call()).unwrap()
}

/// After every record here.
const AS_OF: i64 = 1_800_000_000;

fn release(admission: &Admission, records: &[&Record]) -> Release {
    let consent = consent(admission);
    let records = records.iter().copied().chain(&consent);
    let gathered: Vec<_> = records.map(|record| Gathered { record, as_of: AS_OF }).collect();
    let scope = admission.towards(&gathered, AS_OF);
    decide(&scope, None, &gathered, &Keys::derive(&[1; 32]))
}

/// Element, group and text of everything released.
fn shown(release: &Release) -> Vec<(String, Option<u32>, String)> {
    let text = |value: &Treated| match value {
        Treated::Value(Value::Text(text)) => text.clone(),
        Treated::Value(Value::Code(coding)) => coding.code.clone().unwrap(),
        Treated::Value(Value::Date(date)) => date.to_iso(),
        Treated::Value(Value::Boolean(yes)) => yes.to_string(),
        Treated::Present => "present".to_owned(),
        _ => "?".to_owned(),
    };
    let one = |released: &super::Released| {
        (released.element().id.to_string(), released.group(), text(released.value()))
    };
    release.released().map(one).collect()
}

fn row(id: &str, group: Option<u32>, text: &str) -> (String, Option<u32>, String) {
    (id.to_owned(), group, text.to_owned())
}

#[test]
fn of_a_single_fact_the_latest_is_given() {
    let set = shipped();
    let admission = admitted(set, ("hotline-12349", "agent"), "emergency-card");
    let key = "MZ.emergency.key-location";
    let at = |day, place| {
        record(
            ("elder-registry", "elder-registry"),
            day,
            vec![("record", vec![(key, text(place))])],
        )
    };
    let (old, new) = (at("20240101", "邻居"), at("20260101", "门卫"));
    for records in [[&old, &new], [&new, &old]] {
        let release = release(&admission, &records);
        assert_eq!(shown(&release), [row(key, None, "门卫")]);
        let day = Date::parse("20260101").unwrap().timestamp();
        assert_eq!(release.released().next().and_then(super::Released::as_of), day);
    }
}

#[test]
fn a_record_from_the_future_is_no_newer_than_its_arrival() {
    let set = shipped();
    let admission = admitted(set, ("hotline-12349", "agent"), "emergency-card");
    let key = "MZ.emergency.key-location";
    let at = |day, place| {
        record(
            ("elder-registry", "elder-registry"),
            day,
            vec![("record", vec![(key, text(place))])],
        )
    };
    let (slip, new) = (at("29240101", "邻居"), at("20260101", "门卫"));
    let (earlier, later) = (Date::parse("20251231").unwrap(), Date::parse("20260102").unwrap());
    let gathered = [
        Gathered { record: &slip, as_of: earlier.timestamp().unwrap() },
        Gathered { record: &new, as_of: later.timestamp().unwrap() },
    ];
    let release =
        decide(&admission.towards(&gathered, AS_OF), None, &gathered, &Keys::derive(&[1; 32]));
    assert_eq!(shown(&release), [row(key, None, "门卫")]);
}

#[test]
fn what_is_made_coarser_is_dated_by_its_day() {
    let set = shipped();
    let admission =
        set.admit(names(("community", "worker")), "contract-status", with_call()).unwrap();
    let notice = Value::Date(Date::parse("20260301").unwrap());
    let fields = vec![
        ("MZ.contract.team-phone", Value::Telecom(Composite::line("037100000021"))),
        ("MZ.check.notice-date", notice),
    ];
    let check =
        record(("annual-check", "record-platform"), "20260301083059", vec![("record", fields)]);
    let release = release(&admission, &[&check]);
    let at = |text| Date::parse(text).unwrap().timestamp();
    let found: Vec<_> = release.released().map(|one| (one.tier(), one.as_of())).collect();
    let whole = (Tier::Full, at("20260301083059"));
    assert_eq!(found, [whole, (Tier::Existence, at("20260301"))]);
}

#[test]
fn a_withheld_newer_value_does_not_hide_an_older_one() {
    let set = shipped();
    let admission = admitted(set, ("hotline-12349", "agent"), "emergency-card");
    let key = "MZ.communication.needs";
    let at = |day, need| {
        record(("elder-registry", "elder-registry"), day, vec![("record", vec![(key, text(need))])])
    };
    let (old, new) = (at("20240101", "请慢说"), at("20260101", "精神分裂症，请慢说"));
    assert_eq!(shown(&release(&admission, &[&new, &old])), [row(key, None, "请慢说")]);
    assert_eq!(shown(&release(&admission, &[&new])), []);
}

#[test]
fn every_group_of_a_repeating_class_is_given_once_and_kept_together() {
    let set = shipped();
    let admission = admitted(set, ("hotline-12349", "agent"), "emergency-card");
    let (what, how) = ("DE05.01.022.00", "MZ.allergy.reaction");
    let allergy = |what_code: &str, reaction: &str| {
        ("allergy", vec![(what, code(what_code)), (how, text(reaction))])
    };
    let old = record(
        ("allergy", "hospital-a"),
        "20240101",
        vec![("record", vec![]), allergy("101", "皮疹"), allergy("4", "哮喘")],
    );
    let new = record(
        ("allergy", "record-platform"),
        "20260101",
        vec![("record", vec![]), allergy("101", "皮疹")],
    );
    let release = release(&admission, &[&old, &new]);
    assert_eq!(
        shown(&release),
        [
            row(what, Some(1), "101"),
            row(how, Some(1), "皮疹"),
            row(what, Some(2), "4"),
            row(how, Some(2), "哮喘")
        ]
    );
    let sources: Vec<_> = release.released().map(super::Released::source).collect();
    assert_eq!(sources, ["record-platform", "record-platform", "hospital-a", "hospital-a"]);
}

#[test]
fn a_flag_of_a_repeating_class_is_the_latest_one() {
    let set = shipped();
    let admission = admitted(set, ("hotline-12349", "agent"), "emergency-card");
    let flag = "DE02.10.023.00";
    let said = |day, yes| {
        let fields = vec![(flag, Value::Boolean(yes))];
        record(("allergy", "record-platform"), day, vec![("record", fields)])
    };
    let found = release(&admission, &[&said("20240101", false), &said("20260101", true)]);
    assert_eq!(shown(&found), [row(flag, None, "true")]);
}

#[test]
fn only_the_authoritative_source_is_believed_about_a_death() {
    let set = shipped();
    let admission = admitted(set, ("civil-affairs", "clerk"), "living-check");
    let dead = "MZ.person.deceased";
    let said = |dataset, yes| {
        record(
            (dataset, "hospital-a"),
            "20260101",
            vec![("record", vec![(dead, Value::Boolean(yes))])],
        )
    };
    let (visit, death) = (said("admission", false), said("death", true));
    let found = release(&admission, &[&visit, &death]);
    assert_eq!(shown(&found), [row(dead, None, "true")]);
    // Civil affairs does not learn which hospital; the ledger does.
    let origin =
        found.released().next().map(|one| (one.source().to_owned(), one.origin().to_string()));
    assert_eq!(origin, Some(("gateway".to_owned(), "hospital-a".to_owned())));
    assert_eq!(shown(&release(&admission, &[&visit])), []);
}

#[test]
fn the_tier_decides_the_form() {
    let set = shipped();
    let admission =
        set.admit(names(("community", "worker")), "contract-status", Evidence::default()).unwrap();
    let day = || Value::Date(Date::parse("20260301").unwrap());
    let notices = record(
        ("annual-check", "record-platform"),
        "20260301",
        vec![("record", vec![("MZ.check.notice-date", day()), ("MZ.check.last-date", day())])],
    );
    let found = release(&admission, &[&notices, &notices]);
    assert_eq!(
        shown(&found),
        [
            row("MZ.check.last-date", None, "2026-03-01"),
            row("MZ.check.notice-date", None, "present")
        ]
    );
    let tiers: Vec<_> = found.released().map(super::Released::tier).collect();
    assert_eq!(tiers, [Tier::Full, Tier::Existence]);
}

#[test]
fn a_tier_without_a_treatment_gives_way_to_a_more_protective_one() {
    let set = shipped();
    let ladder = |id: &str, tier| {
        let element = set.shared.catalogue.get(element(id)).unwrap();
        let ladder = set.shared.treatments.ladder(element, tier);
        ladder
            .into_iter()
            .map(|(tier, treatment)| (tier.as_str(), treatment.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ladder("DE02.01.036.00", Tier::Generalised),
        [("generalised", "day"), ("existence", "present")]
    );
    assert_eq!(ladder("DE08.50.022.00", Tier::Generalised), [("existence", "present")]);
    assert_eq!(
        ladder("DE02.01.039.00", Tier::Full),
        [
            ("full", "keep"),
            ("generalised", "surname"),
            ("pseudonym", "pseudonym"),
            ("existence", "present")
        ]
    );
    assert_eq!(ladder("DE02.01.039.00", Tier::Withheld), []);
}

#[test]
fn with_a_wanted_list_only_that_is_given() {
    let set = shipped();
    let admission = admitted(set, ("civil-affairs", "clerk"), "subsidy-eligibility");
    let both = vec![("MZ.ability.final-level", code("3")), ("MZ.ability.institution", text("甲"))];
    let level =
        record(("ability-assessment", "elder-registry"), "20260101", vec![("record", both)]);
    let gathered = [Gathered { record: &level, as_of: 5 }];
    let wanted = [element("MZ.ability.final-level"), element("DE05.01.024.00")];
    let found = decide(
        &admission.towards(&gathered, AS_OF),
        Some(&wanted),
        &gathered,
        &Keys::derive(&[1; 32]),
    );
    assert_eq!(shown(&found), [row("MZ.ability.final-level", None, "3")]);
    let withheld: Vec<_> = found.withheld().map(|one| one.element.to_string()).collect();
    assert_eq!(withheld, ["DE05.01.024.00"]);
}
