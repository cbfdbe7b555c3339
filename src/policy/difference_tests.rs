//! What an edit would open, cell by cell.

use super::past::Past;
use super::tests::{changed, edited, element, folder, names, shipped};
use super::*;
use crate::vocabulary::Tier;

/// The lines of an edit of the shipped policies, widening ones with `+`.
fn lines(changes: &[(&str, &str, &str)], base: &[(&str, &str, &str)]) -> Vec<String> {
    let (old, old_files) = (changed(base).unwrap(), edited(base));
    let (new, new_files) = (changed(changes).unwrap(), edited(changes));
    let from = Side { set: &old, files: &old_files };
    let to = Side { set: &new, files: &new_files };
    let Difference { cells, terms } = Difference::between(from, to);
    let sign = |wider| if wider { "+" } else { "-" };
    let cells = cells.iter().map(|one| {
        let special = one.special.map(|class| format!("#{class}")).unwrap_or_default();
        let rules: Vec<&str> = one.rules.iter().map(|rule| &**rule).collect();
        let (from, to) = (one.from.tier.as_str(), one.to.tier.as_str());
        let (asking, element, rules) = (&one.asking, one.element, rules.join(" "));
        format!("{} {asking} {element}{special}: {from} → {to} ({rules})", sign(one.wider))
    });
    let terms = terms.iter().map(|term| {
        format!("{} {} {}", sign(term.wider), if term.added { "add" } else { "gone" }, term.text)
    });
    cells.chain(terms).collect()
}

/// A change one way, and the way back.
fn check(changes: &[(&str, &str, &str)], there: &[&str], back: &[&str]) {
    assert_eq!(lines(changes, &[]), there);
    assert_eq!(lines(&[], changes), back);
}

#[test]
fn a_rule_that_opens_or_closes_is_named_with_its_cell() {
    let year =
        ("\"MZ.check.notice-date\" = \"existence\"", "\"MZ.check.notice-date\" = \"generalised\"");
    check(
        &[
            (
                "community.cedar",
                "action == Action::\"existence\"",
                "action == Action::\"generalised\"",
            ),
            ("community.examples.toml", year.0, year.1),
        ],
        &["+ community worker contract-status MZ.check.notice-date: existence → generalised \
           (community-check-notice)"],
        &["- community worker contract-status MZ.check.notice-date: generalised → existence \
           (community-check-notice)"],
    );
    // The ceiling counts as the rules do.
    check(
        &[
            ("purposes.toml", "\"MZ.death.source\",", ""),
            ("civil-affairs.examples.toml", ", \"MZ.death.source\" = \"full\"", ""),
        ],
        &["- civil-affairs clerk living-check MZ.death.source: full → withheld (outside-purpose)"],
        &["+ civil-affairs clerk living-check MZ.death.source: withheld → full \
           (civil-affairs-death-source)"],
    );
}

#[test]
fn evidence_is_named_where_it_makes_the_difference() {
    let needs = "requires    = [{ evidence = \"call\"";
    let asks = "requires    = [{ evidence = \"reason\"";
    let found = lines(
        &[
            ("purposes.toml", needs, asks),
            (
                "purposes.toml",
                "ticket      = { evidence = \"call\"",
                "ticket      = { evidence = \"reason\"",
            ),
            ("hotline.cedar", "context.evidence.call &&", "context.evidence.reason &&"),
            ("hotline.examples.toml", "evidence = [\"call\"]", "evidence = [\"reason\"]"),
            (
                "hotline.examples.toml",
                "refused = \"requires-call\"",
                "refused = \"requires-reason\"",
            ),
        ],
        &[],
    );
    let with = |sign: &str, brings: &str| {
        let head = format!("{sign} hotline-12349 agent emergency-card [{brings}] DE04.50.001.00: ");
        assert!(found.iter().any(|line| line.starts_with(&head)), "{head}: {found:#?}");
    };
    with("-", "call");
    with("+", "reason");
    assert!(!found.iter().any(|line| line.contains("[call, reason]")), "{found:#?}");
}

#[test]
fn special_values_have_a_line_of_their_own_where_they_change_otherwise() {
    let never = "forbid (principal, action, resource in Class::\"reproductive\")";
    let but = format!("{never}\nunless {{ principal in Kind::\"community\" }}");
    let law = "kinds   = [\"care-institution\", \"civil-affairs\", \"community\", \"hotline\"]\n\
               classes = [\"reproductive\"]";
    let history = "clause = \"WORKFLOWS section 5: reproductive history\"\n";
    let found = lines(
        &[
            ("never.cedar", never, &but),
            ("special.toml", &format!("{history}level  = 5\n"), history),
            ("laws.toml", law, "kinds = [\"civil-affairs\"]\nclasses = [\"reproductive\"]"),
        ],
        &[],
    );
    let line = "+ community worker contract-status MZ.contract.signed#reproductive: \
                withheld → full (community-contract)";
    assert!(found.contains(&line.to_owned()), "{found:#?}");
    let law = "+ gone laws.toml civil-affairs-no-reproductive withheld care-institution";
    assert!(found.iter().any(|line| line.starts_with(law)), "{found:#?}");
}

#[test]
fn terms_beside_the_cells_count_too() {
    let check = |change: (&str, &str, &str), expect: &[&str]| {
        assert_eq!(lines(&[change], &[]), expect, "{change:?}");
    };
    check(("special.toml", "\"抑郁\", ", ""), &["+ gone special.toml mental 抑郁"]);
    check(("special.toml", "\"抑郁\"", "\"抑郁\", \"忧郁\""), &["- add special.toml mental 忧郁"]);
    check(
        ("departments.toml", "\"community-worker\"", "\"community-worker-2\""),
        &[
            "- gone departments.toml community certificate community-worker worker",
            "+ add departments.toml community certificate community-worker-2 worker",
        ],
    );
    let grant = "{ purpose = \"contract-status\", roles = [\"worker\"] }";
    let budget = "{ purpose = \"contract-status\", roles = [\"worker\"], persons_per_day = 9 }";
    let bounded = ("departments.toml", grant, budget);
    let line = "departments.toml community worker contract-status persons_per_day";
    check(bounded, &[&format!("- add {line} any → 9")]);
    assert_eq!(lines(&[], &[bounded]), [format!("+ add {line} 9 → any")]);
    check(
        ("purposes.toml", "search      = [\"code\"]\n", ""),
        &["- gone purposes.toml emergency-card search code"],
    );
    check(("treatments.toml", "# A diagnosis keeps", "# A diagnosis still keeps"), &[]);
}

#[test]
fn a_finer_treatment_of_the_same_tier_is_wider() {
    let day =
        "{ class = \"death\",     value = \"date\", tier = \"generalised\", treatment = \"day\" }";
    let month = day.replace("\"day\"", "\"month\"");
    let change = ("treatments.toml", day, month.as_str());
    let there = lines(&[change], &[]);
    assert!(!there.is_empty() && there.iter().all(|line| line.starts_with("- ")), "{there:#?}");
    let back = lines(&[], &[change]);
    assert!(!back.is_empty() && back.iter().all(|line| line.starts_with("+ ")), "{back:#?}");
}

#[test]
fn a_past_disclosure_differs_where_a_tier_it_left_in_would() {
    let clerk = |released: &[(Tier, &str)], withheld: &[&str]| {
        let (department, role) = names(("civil-affairs", "clerk"));
        Past {
            department,
            role,
            purpose: Purpose::parse("living-check").unwrap(),
            evidence: Evidence::default(),
            relations: Default::default(),
            released: released.iter().map(|(tier, id)| (*tier, element(id))).collect(),
            withheld: withheld.iter().map(|id| element(id)).collect(),
        }
    };
    let day = (Tier::Generalised, "DE02.01.036.00");
    let dead = (Tier::Full, "MZ.person.deceased");
    let source = "MZ.death.source";
    let narrower = changed(&[
        ("purposes.toml", "\"MZ.death.source\",", ""),
        ("civil-affairs.examples.toml", ", \"MZ.death.source\" = \"full\"", ""),
    ])
    .unwrap();
    let check = |other: &PolicySet, past: &Past, expect: bool| {
        assert_eq!(shipped().would_differ(other, past), expect, "{past:?}");
    };
    check(&narrower, &clerk(&[day, dead], &[]), false);
    check(&narrower, &clerk(&[day, (Tier::Full, source)], &[]), true);
    check(shipped(), &clerk(&[day, dead, (Tier::Full, source)], &["DE02.01.039.00"]), false);
    // Back again: what was withheld would be released.
    assert!(narrower.would_differ(shipped(), &clerk(&[day], &[source])));
    // A treatment counts as a tier does.
    let treatment =
        "{ class = \"death\",     value = \"date\", tier = \"generalised\", treatment = \"day\" }";
    let month = treatment.replace("\"day\"", "\"month\"");
    let coarser = changed(&[("treatments.toml", treatment, &month)]).unwrap();
    check(&coarser, &clerk(&[day], &[]), true);
    check(&coarser, &clerk(&[dead], &[]), false);
    // Whoever is granted it no longer would have been refused.
    let gone = Past { role: names(("x", "doctor")).1, ..clerk(&[dead], &[]) };
    check(shipped(), &gone, true);
}

/// The mappings decide too: what level an element is of stands in them.
#[test]
fn the_same_policies_over_another_catalogue_may_be_wider() {
    let seen = "\"MZ.check.last-date\" = \"full\", ";
    let counted = "\"MZ.check.last-date\" = \"generalised\", ";
    let files = edited(&[
        ("community.examples.toml", seen, ""),
        ("civil-affairs.examples.toml", seen, ""),
        ("planning.examples.toml", counted, ""),
    ]);
    let with = |level: u8| {
        let mut mappings = folder("mappings");
        let path = "elements/annual_check.toml";
        let text = mappings.text(path).unwrap().to_owned();
        let (before, row) = text.split_once("id = \"MZ.check.last-date\"").unwrap();
        let row = row.replacen("level = 3", &format!("level = {level}"), 1);
        mappings.insert(path, format!("{before}id = \"MZ.check.last-date\"{row}"));
        let tables = CodeTables::load(&mappings).unwrap();
        let catalogue = Catalogue::load(&mappings, &tables).unwrap();
        PolicySet::load(&files, &catalogue, &tables).unwrap()
    };
    let (protected, open) = (with(5), with(3));
    let between = |from, to| {
        let from = Side { set: from, files: &files };
        Difference::between(from, Side { set: to, files: &files })
    };
    assert_eq!(protected.version(), open.version());
    assert!(between(&open, &open).is_empty());
    let (wider, narrower) = (between(&protected, &open), between(&open, &protected));
    assert_eq!((wider.cells.len(), wider.widened()), (3, 3));
    assert_eq!((narrower.cells.len(), narrower.widened()), (3, 0));
}

/// What is generalised leaves as the code above it, and a table of the mappings says which.
#[test]
fn a_code_under_another_one_is_a_term() {
    let files = folder("policies");
    let with = |change: &[(&str, &str)]| {
        let mut mappings = folder("mappings");
        let path = "codes/gbt2261-2.csv";
        let mut text = mappings.text(path).unwrap().to_owned();
        for (from, to) in change {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        mappings.insert(path, text);
        let tables = CodeTables::load(&mappings).unwrap();
        let catalogue = Catalogue::load(&mappings, &tables).unwrap();
        PolicySet::load(&files, &catalogue, &tables).unwrap()
    };
    let (before, same) = (with(&[]), with(&[]));
    let after = with(&[("first marriage,20", "first marriage,10")]);
    let side = |set| Side { set, files: &files };
    assert!(Difference::between(side(&before), side(&same)).is_empty());
    let found = Difference::between(side(&before), side(&after));
    let term = |wider, top| Term {
        wider,
        added: wider,
        text: format!("codes/gbt2261-2.csv 21 under {top}"),
    };
    assert!(found.cells.is_empty());
    assert!(found.terms.contains(&term(true, "10")), "{found:#?}");
    assert!(found.terms.contains(&term(false, "20")), "{found:#?}");
}

/// What opens something without changing a cell.
#[test]
fn a_grant_a_requirement_and_the_reach_of_a_mark_are_terms() {
    let wider = |changes: &[(&str, &str, &str)], expect: &str| {
        let found = lines(changes, &[]);
        assert!(found.iter().any(|line| line == expect), "{expect}: {found:#?}");
    };
    let worker = "grants = [{ purpose = \"contract-status\", roles = [\"worker\"] }]";
    let audits = worker.replace("}]", "}, { purpose = \"audit\", roles = [\"worker\"] }]");
    let example = "[[example]]\ntitle = \"x\"\ndepartment = \"community\"\nrole = \"worker\"\n\
                   purpose = \"audit\"\nnever = [\"DE02.01.039.00\"]\n";
    let title = "title = \"What a community office sees, and never sees\"\n";
    wider(
        &[
            ("departments.toml", worker, &audits),
            ("community.examples.toml", title, &format!("{title}\n{example}")),
        ],
        "+ add departments.toml community grant worker audit",
    );
    let reach = "is = [\"true\"],    reach = \"record\"";
    wider(
        &[("special.toml", reach, "is = [\"true\"],    reach = \"group\"")],
        "+ gone special.toml source-restricted MZ.person.protected true record",
    );
    let twice = worker.replace(
        "}]",
        "}, { purpose = \"contract-status\", roles = [\"worker\"], persons_per_day = 9 }]",
    );
    let faults = changed(&[("departments.toml", worker, &twice)]).map(|_| ()).unwrap_err();
    assert!(faults.iter().any(|fault| fault.message.contains("is granted twice")), "{faults:?}");
    // A class somebody rules on is not there to be refused alone.
    let mental = "class  = \"mental\"\n";
    let lifted = format!("{mental}for_refusal = true\n");
    let faults = changed(&[("special.toml", mental, &lifted)]).map(|_| ()).unwrap_err();
    assert!(faults.iter().any(|fault| fault.message.contains("not for refusal")), "{faults:?}");
}

#[test]
fn to_watch_otherwise_is_wider_whichever_line_it_is() {
    for (from, to) in [("floor  = 30", "floor  = 29"), ("factor = 5", "factor = 6")] {
        let said = lines(&[("doubts.toml", from, to)], &[]);
        let [add, gone] = said.as_slice() else { panic!("{said:?}") };
        assert!(add.starts_with("- add doubts.toml as of "), "{said:?}");
        assert!(gone.starts_with("+ gone doubts.toml as of "), "{said:?}");
    }
}
