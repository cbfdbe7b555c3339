//! Derived facts: what follows, and what does not.

use super::*;
use crate::vocabulary::Date;

const FACTS: &str = concat!(
    r#"title = "t"
source = "s"
rows = [
  { element = "MZ.deceased", as = "present", from = ["DE02.01.036.00"], "#,
    r#"datasets = ["death"], sources = ["registry"] },
  { element = "MZ.age", as = "age-years", from = ["DE02.01.005.01"] },
  { element = "MZ.born", as = "year-of", from = ["DE02.01.005.01"] },
]
"#
);

/// A file with one rule, whose element is boolean unless the rule says otherwise.
fn pack_with(rows: &str) -> Pack {
    let mut files = files();
    files.insert("derived/a.toml", format!("title = \"t\"\nsource = \"s\"\nrows = [{rows}]\n"));
    Pack::load(&files).unwrap()
}

/// A record from `dataset source time` and its fields.
fn record(pack: &Pack, head: &str, fields: &[(&str, serde_json::Value)]) -> Record {
    let words: Vec<_> = head.split(' ').collect();
    let fields: Vec<_> = fields
        .iter()
        .map(|(element, value)| serde_json::json!({ "element": element, "value": value }))
        .collect();
    let json = serde_json::json!({
        "dataset": words[0], "source": words[1], "time": words[2],
        "groups": [{ "name": "record", "fields": fields }],
    });
    plain::record_from_json(pack.catalogue(), &json).unwrap()
}

fn now() -> i64 {
    Date::parse("20261121080000+0800").unwrap().timestamp().unwrap()
}

fn check(pack: &Pack, records: &[Record], expect: &[&str]) {
    let found =
        pack.derive((&records.iter().collect::<Vec<_>>(), now()), &crate::translate::Everything);
    let lines = found.as_ref().map(shown).unwrap_or_default();
    let lines: Vec<_> = lines.iter().map(|line| line.trim_start()).collect();
    assert_eq!(lines, expect);
    assert_eq!(found.is_none(), expect.is_empty());
}

#[test]
fn a_death_is_taken_from_the_authority_alone() {
    let mut files = files();
    files.insert("derived/a.toml", FACTS);
    let pack = Pack::load(&files).unwrap();
    let died = [("DE02.01.036.00", "2026-10-01".into())];
    check(&pack, &[record(&pack, "death registry 2026-10-02", &died)], &["MZ.deceased true"]);
    check(&pack, &[record(&pack, "death hospital-a 2026-10-02", &died)], &[]);
    check(&pack, &[record(&pack, "admission registry 2026-10-02", &died)], &[]);
    check(&pack, &[], &[]);
}

#[test]
fn the_newest_record_counts() {
    let mut files = files();
    files.insert("derived/a.toml", FACTS);
    let pack = Pack::load(&files).unwrap();
    let born = |time: &str, day: &str| {
        let head = format!("registration-update hospital-a {time}");
        record(&pack, &head, &[("DE02.01.005.01", day.into())])
    };
    let (old, new) = (born("2025-01-01", "1950"), born("2026-01-01", "1949-11-22"));
    let expect = [r#"MZ.age {"number":"76","unit":"a"}"#, r#"MZ.born "1949""#];
    check(&pack, &[old.clone(), new.clone()], &expect);
    check(&pack, &[new, old.clone()], &expect);
    // A year alone is no age.
    check(&pack, &[old], &[r#"MZ.born "1950""#]);
}

#[test]
fn a_code_that_is_not_listed_is_no_and_no_code_is_nothing() {
    let pack = pack_with(
        r#"{ element = "MZ.deceased", as = "code-in", from = ["MZ.item"], codes = ["B01AA03"] }"#,
    );
    let items = |codes: &[&str]| {
        let fields: Vec<_> = codes.iter().map(|code| ("MZ.item", (*code).into())).collect();
        record(&pack, "medication platform 2026-01-01", &fields)
    };
    check(&pack, &[items(&["A", "B01AA03"])], &["MZ.deceased true"]);
    check(&pack, &[items(&["A"])], &["MZ.deceased false"]);
    check(&pack, &[items(&[])], &[]);
}

#[test]
fn words_are_searched_in_texts_and_displays() {
    let pack = pack_with(
        r#"{ element = "MZ.deceased", as = "text-in", from = ["MZ.note"], words = ["起搏器"] }"#,
    );
    let note = |text: &str| record(&pack, "x y 2026-01-01", &[("MZ.note", text.into())]);
    check(&pack, &[note("植入起搏器")], &["MZ.deceased true"]);
    check(&pack, &[note("无")], &["MZ.deceased false"]);
    check(&pack, &[], &[]);
}

#[test]
fn a_stay_is_open_until_its_own_hospital_closes_it() {
    let pack = pack_with(concat!(
        r#"{ element = "MZ.deceased", as = "open-stay-days-over", days = 30, "#,
        r#"where = { element = "MZ.class", is = ["I"] } }"#,
    ));
    let inpatient = [("MZ.class", "I".into())];
    let admit = |head: &str| record(&pack, &format!("admission {head}"), &inpatient);
    let event = |head: &str| record(&pack, head, &[]);
    let (long, short) = (admit("a 2026-10-01"), admit("a 2026-11-01"));
    check(&pack, std::slice::from_ref(&long), &["MZ.deceased true"]);
    check(&pack, &[short], &["MZ.deceased false"]);
    check(&pack, &[event("discharge a 2026-10-09"), long.clone()], &["MZ.deceased false"]);
    check(&pack, &[event("cancel-admit a 2026-10-01T01:00"), long.clone()], &["MZ.deceased false"]);
    check(&pack, &[event("discharge b 2026-10-09"), long.clone()], &["MZ.deceased true"]);
    let reopened = [event("cancel-discharge a 2026-10-10"), event("discharge a 2026-10-09"), long];
    check(&pack, &reopened, &["MZ.deceased true"]);
    let visit = record(&pack, "admission a 2026-10-01", &[("MZ.class", "O".into())]);
    check(&pack, &[visit], &[]);
}

#[test]
fn an_end_without_an_hour_closes_the_stay_of_its_day() {
    let pack = pack_with(concat!(
        r#"{ element = "MZ.deceased", as = "open-stay-days-over", days = 0, "#,
        r#"where = { element = "MZ.class", is = ["I"] } }"#,
    ));
    // As they were received, the newest first.
    let check_stay = |told: &[&str], open: bool| {
        let made = |told: &&str| {
            let (dataset, time) = told.split_once(' ').unwrap();
            let class = [("MZ.class", "I".into())];
            let fields = if dataset == "admission" { &class[..] } else { &[] };
            record(&pack, &format!("{dataset} a {time}"), fields)
        };
        let records: Vec<_> = told.iter().map(made).collect();
        check(&pack, &records, &[if open { "MZ.deceased true" } else { "MZ.deceased false" }]);
    };
    let (end, begin) = ("discharge 2026-11-10", "admission 2026-11-10T08:30:00");
    check_stay(&[end, begin], false);
    check_stay(&[begin, end], false);
    check_stay(&[end, "admission 2026-11-10"], false);
    // A day later, or with an hour before it, it is no end of that stay.
    check_stay(&[end, "admission 2026-11-11T00:00:00"], true);
    check_stay(&["discharge 2026-11-10T08:00:00", begin], true);
    // A stay that was open when the day began is the one that ended; the next goes on.
    check_stay(&[begin, end, "admission 2026-11-01"], true);
    check_stay(&[end, begin, end, "admission 2026-11-01"], false);
    check_stay(&["cancel-discharge 2026-11-10T15:00:00", end, begin], true);
}

#[test]
fn a_date_is_near_or_not_and_the_latest_time_is_the_records() {
    let pack = pack_with(
        r#"{ element = "MZ.deceased", as = "within-days", from = ["MZ.date"], days = 365 },
           { element = "MZ.born", as = "latest-time", datasets = ["annual-check"] },
           { element = "MZ.ward", as = "latest", from = ["MZ.ward"] }"#,
    );
    let on = |day: &str| [("MZ.date", day.into())];
    check(&pack, &[record(&pack, "x y 2026-01-01", &on("2026-01-05"))], &["MZ.deceased true"]);
    check(&pack, &[record(&pack, "x y 2026-01-01", &on("2024-01-05"))], &["MZ.deceased false"]);
    check(&pack, &[record(&pack, "x y 2026-01-01", &on("2027-01-05"))], &["MZ.deceased false"]);
    check(&pack, &[record(&pack, "annual-check y 2026-03-01", &[])], &[r#"MZ.born "2026-03-01""#]);
    check(
        &pack,
        &[record(&pack, "x y 2026-03-01", &[("MZ.ward", "W".into())])],
        &[r#"MZ.ward "W""#],
    );
}

#[test]
fn a_rule_that_cannot_be_is_refused_where_it_stands() {
    let check = |row: &str, expect: &str| {
        let mut files = files();
        files.insert(
            "derived/a.toml",
            format!("title = \"t\"\nsource = \"s\"\nrows = [\n  {row},\n]\n"),
        );
        let faults = Pack::load(&files).map(|_| ()).unwrap_err();
        assert_eq!(faults.first().map(ToString::to_string).as_deref(), Some(expect));
    };
    check(
        r#"{ element = "MZ.ward", as = "present", from = ["MZ.note"] }"#,
        "derived/a.toml:4:31: the element's type is not what this function makes",
    );
    check(
        r#"{ element = "MZ.deceased", as = "present" }"#,
        "derived/a.toml:4:3: name the elements it follows from",
    );
    check(
        r#"{ element = "MZ.deceased", as = "present", from = ["MZ.nothing"] }"#,
        "derived/a.toml:4:54: there is no element MZ.nothing",
    );
    check(
        r#"{ element = "MZ.deceased", as = "code-in", from = ["MZ.item"], table = "none" }"#,
        "derived/a.toml:4:74: there is no code table none",
    );
    check(
        r#"{ element = "MZ.deceased", as = "within-days", from = ["MZ.date"] }"#,
        "derived/a.toml:4:3: name the days",
    );
}

#[test]
fn a_check_of_this_calendar_year_is_told_from_one_a_year_ago() {
    let pack = pack_with(r#"{ element = "MZ.deceased", as = "this-year", from = ["MZ.date"] }"#);
    let on = |day: &str| [("MZ.date", day.into())];
    let check_day = |day: &str, expect: &str| {
        check(&pack, &[record(&pack, "check clinic 2026-11-20", &on(day))], &[expect]);
    };
    check_day("2026-01-01", "MZ.deceased true");
    check_day("2025-12-31", "MZ.deceased false");
    check(&pack, &[], &[]);
}
