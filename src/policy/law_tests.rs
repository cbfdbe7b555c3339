//! Laws over the whole lattice, and the lattice they walk.

use super::tests::{changed, element, shipped};
use super::*;
use crate::vocabulary::{Class, Tier};

fn check(changes: &[(&str, &str, &str)], expect: Result<(), &[&str]>) {
    match (changed(changes), expect) {
        (Ok(_), Ok(())) => (),
        (Err(faults), Err(expect)) => {
            let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
            let told = |line: &String| expect.iter().all(|part| line.contains(part));
            assert!(lines.iter().any(told), "{expect:?}: {lines:#?}");
        }
        (found, _) => panic!("{changes:?}: {found:?}"),
    }
}

const OPEN: &str = "@id(\"too-much\") permit (principal in Kind::\"civil-affairs\", \
    action == Action::\"full\", resource in Class::\"diagnosis\");\n";

/// A rule put before the first of the bureau's.
fn opened(rule: &str) -> (&'static str, &'static str, String) {
    let first = "@id(\"civil-affairs-deceased\")";
    ("civil-affairs.cedar", first, format!("{rule}{first}"))
}

#[test]
fn a_pack_that_breaks_a_law_does_not_load_and_says_by_which_rule() {
    let (path, from, to) = opened(OPEN);
    // The purpose's ceiling still withholds it, and so do the laws of special classes.
    check(&[(path, from, &to)], Ok(()));
    let listed = (
        "purposes.toml",
        "\"MZ.death.source\",",
        "\"MZ.death.source\", \"MZ.fitness.current-problems\",",
    );
    let never = "resource in Class::\"protected-infection\"";
    let lifted = ("never.cedar", never, "resource in Class::\"image\"");
    let told: &[&str] = &[
        "civil-affairs.cedar:4:1: rule too-much breaks law civil-affairs-no-hiv-no-sti: ",
        "civil-affairs clerk living-check MZ.fitness.current-problems#protected-infection is full, \
         at most withheld is lawful",
        "AIDS regulation article 39",
    ];
    let level = ("never.cedar", "resource.level >= 5", "resource.level >= 6");
    check(&[(path, from, &to), listed, lifted, level], Err(told));
    // What no law speaks of is for the examples.
    let example = (
        "civil-affairs.examples.toml",
        "\"death-cause\", \"diagnosis\", \"encounter\", \"infection\", \"mental\"]",
        "]",
    );
    check(&[(path, from, &to), listed, example], Ok(()));
}

#[test]
fn a_law_binds_kinds_purposes_and_elements() {
    let hour = (
        "civil-affairs.cedar",
        "  action == Action::\"generalised\",\n",
        "  action == Action::\"full\",\n",
    );
    let seen = (
        "civil-affairs.examples.toml",
        "\"DE02.01.036.00\" = \"generalised\"",
        "\"DE02.01.036.00\" = \"full\"",
    );
    let told: &[&str] =
        &["rule civil-affairs-death-day breaks law civil-affairs-death-by-the-day", "9 more cells"];
    check(&[hour, seen, seen], Err(told));
    let other = ("laws.toml", "elements = [\"DE02.01.036.00\"]", "elements = [\"DE02.01.039.00\"]");
    check(&[hour, seen, seen, other], Ok(()));
    let one = "elements = [\"DE02.01.036.00\"]";
    let paid = "purposes = [\"contract-status\"]\nelements = [\"DE02.01.036.00\"]";
    check(&[hour, seen, seen, ("laws.toml", one, paid)], Ok(()));
}

/// What a guardian may not see, and what nobody may who is neither person nor guardian.
#[test]
fn a_law_lets_whom_it_names_by_a_relation() {
    let rules = "citizen-service.cedar";
    let anybody =
        (rules, "  context.evidence.asked_by &&\n  context.relation.person\n", "  true\n");
    let told: &[&str] = &[
        "rule own-record-person breaks law self-service-for-person-and-guardian: ",
        "citizen-portal self-service own-record [asked_by] ",
    ];
    check(&[anybody], Err(told));
    let special = (rules, "Class::\"mental\", ", "");
    let told: &[&str] =
        &["rule own-record-guardian breaks law guardian-no-special-illness: ", "#mental is full"];
    check(&[special], Err(told));
    let unknown = ("laws.toml", "[\"person\"]", "[\"cousin\"]");
    check(&[unknown], Err(&["laws.toml:", "there is no relation cousin"]));
}

#[test]
fn who_is_somebodys_guardian_is_said_by_named_sources() {
    let file = "relations.toml";
    let relation = |from: &str, to: &str, expect: &str| check(&[(file, from, to)], Err(&[expect]));
    let sources = "sources  = [\"elder-registry\"]\nby       = \"MZ.guardian.citizen-id\"";
    let nobody = "by       = \"MZ.guardian.citizen-id\"";
    relation(sources, nobody, "who names those that may ask must be named: give sources");
    relation("by = \"asker\"", "by = \"asker\"\ndays = 3", "depends on no record");
    relation("by = \"asker\"", "by = \"asker\"\nnames = \"asker\"", "an element alone can name");
    relation("by = \"asker\"", "by = \"anybody\"", "neither \"source\", \"asker\" nor an element");
    let ticket =
        ("purposes.toml", "evidence = \"call\", minutes", "evidence = \"asked_by\", minutes");
    check(&[ticket], Err(&["who asks is a person, and no ticket"]));
}

#[test]
fn a_law_nobody_can_break_by_a_slip_of_the_pen_is_none() {
    let laws = "laws.toml";
    for (from, to, told) in [
        ("classes = [\"mental\"]", "classes = [\"metal\"]", "no element is of this class"),
        ("kinds   = [\"audit\"]", "kinds = [\"auditors\"]", "no department is of kind auditors"),
        ("[\"DE02.01.036.00\"]", "[\"DE02.01.036\"]", "the catalogue has no element"),
        ("at_most = \"withheld\"", "at_most = \"nothing\"", "unknown variant `nothing`"),
        ("at_most = \"withheld\"", "purposes = [\"x\"]\nat_most = \"withheld\"", "no purpose x"),
        ("civil-affairs-no-mental\"", "nobody-unlabelled\"", "law nobody-unlabelled stands twice"),
    ] {
        check(&[(laws, from, to)], Err(&["laws.toml:", told]));
    }
}

#[test]
fn every_granted_scope_and_every_listed_element_has_its_cells() {
    let set = shipped();
    let cells: Vec<Cell> = set.cells(&set.dimensions()).collect();
    let askings: std::collections::BTreeSet<_> = cells.iter().map(|cell| &cell.asking).collect();
    for (department, role, purpose) in set.desks.keys() {
        let of = |asking: &&&Asking| {
            (asking.department, asking.role, asking.purpose) == (*department, *role, *purpose)
        };
        assert!(askings.iter().any(|asking| of(&asking)), "{department} {role} {purpose}");
    }
    // The hot line is admitted with an open call alone; nothing else depends on evidence.
    let hotline = askings.iter().filter(|asking| asking.department.as_str() == "hotline-12349");
    assert_eq!(
        hotline.map(ToString::to_string).collect::<Vec<_>>(),
        ["hotline-12349 agent emergency-card [call]", "hotline-12349 dispatcher service-matching"]
    );
    let code = element("DE05.01.024.00");
    let of = |special: Option<&str>| {
        let special = special.map(|class| Class::parse(class).unwrap());
        let found = cells.iter().find(|cell| {
            let doctor = cell.asking.department.as_str() == "care-home"
                && cell.asking.role.as_str() == "doctor";
            doctor && cell.element.id == code && cell.special == special
        });
        found.unwrap().tier()
    };
    assert_eq!((of(None), of(Some("mental"))), (Tier::Full, Tier::Withheld));
}

#[test]
fn what_a_rule_speaks_of_or_a_purpose_requires_is_a_dimension() {
    let check = |changes: &[(&str, &str, &str)], expect: &[&str]| {
        let set = changed(changes).unwrap();
        let askings = set.standpoints(&set.dimensions()).into_iter().map(|from| from.asking());
        let of = askings.filter(|asking| asking.department.as_str() == "community");
        let tied = |asking: &Asking| asking.relations.iter().map(ToString::to_string).collect();
        let words = of.flat_map(|asking| {
            let tied: Vec<String> = tied(&asking);
            asking.brings.into_iter().chain(tied)
        });
        let words: std::collections::BTreeSet<_> = words.collect();
        assert_eq!(words.into_iter().collect::<Vec<_>>(), expect);
    };
    check(&[], &[]);
    let contract = "context.role == Role::\"worker\" && ";
    let case = format!("{contract}context.evidence.case == context.evidence.case && ");
    check(&[("community.cedar", contract, &case)], &["case"]);
    let whole = format!("{contract}context.evidence == context.evidence && ");
    check(&[("community.cedar", contract, &whole)], &["asked_by", "call", "case", "reason"]);
    // A rule for another purpose alone speaks of nothing here.
    let first = "@id(\"community-contract\")";
    let more = |condition: &str| {
        format!(
            "@id(\"more\") permit (principal in Kind::\"community\", action == Action::\"full\", \
             resource in Class::\"cost\") when {{ {condition} }};\n{first}"
        )
    };
    let elsewhere = more("context.purpose == Purpose::\"audit\" && context.evidence.case");
    check(&[("community.cedar", first, &elsewhere)], &[]);
    // Nobody is tied who has neither sources nor institutions.
    let tied = more("context.relation.resident");
    check(&[("community.cedar", first, &tied)], &[]);
    let office = "en   = \"community office\"\n";
    let home = format!("{office}institutions = [\"X\"]\n");
    let changes =
        [("community.cedar", first, tied.as_str()), ("departments.toml", office, home.as_str())];
    check(&changes, &["contracted", "referred", "resident"]);
}
