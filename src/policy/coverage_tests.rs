//! Every shipped rule is exercised by a shipped example, and one that is not is found.

use super::tests::{changed, edited, folder, shipped};

#[test]
fn every_shipped_rule_is_exercised_by_an_example() {
    let files = folder("policies");
    let faults = shipped().coverage(&files).faults(&files);
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn a_rule_no_example_exercises_is_a_fault_where_it_stands() {
    let check = |changes: &[(&str, &str, &str)], expect: &str| {
        let (set, files) = (changed(changes).unwrap(), edited(changes));
        let lines: Vec<_> =
            set.coverage(&files).faults(&files).iter().map(ToString::to_string).collect();
        assert!(lines.len() == 1 && lines[0].starts_with(expect), "{expect}: {lines:#?}");
    };
    let seen = "\"MZ.check.last-date\" = \"full\", ";
    check(
        &[("community.examples.toml", seen, "")],
        "community.cedar:11:1: no example exercises rule community-check-date",
    );
    // A forbid that another one always goes with decides nothing of its own.
    let rule =
        "@id(\"bare\") @clause(\"x\") forbid (principal, action, resource in Class::\"cost\");\n";
    let first = "// 审计";
    check(
        &[("audit.cedar", first, &format!("{rule}{first}"))],
        "audit.cedar:1:1: no example exercises rule bare",
    );
    // A permit the purpose's ceiling hides is exercised by nothing.
    let rule = "@id(\"hidden\") permit (principal in Kind::\"community\", \
                action == Action::\"full\", resource in Class::\"cost\");\n";
    let first = "@id(\"community-contract\")";
    check(
        &[("community.cedar", first, &format!("{rule}{first}"))],
        "community.cedar:3:1: no example exercises rule hidden",
    );
}
