//! The facts another converter makes of 132 public messages, and which of them are in ours.

use std::collections::BTreeMap;
use std::path::Path;

use crate::facts;
use crate::rig::{ROOT, loudly};

/// How many of a hundred facts must be ours; raise it as rows are added.
const PERCENT_MIN: f64 = 95.0;

/// The page that explains every kind of difference.
const PAGE: &str = "docs/fhir-differences.md";

/// The rows of the page: a path, in which `*` stands for any end, and how many at most.
fn explained() -> BTreeMap<String, usize> {
    let page = std::fs::read_to_string(Path::new(ROOT).join(PAGE)).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let row = |(path, rest): (&str, &str)| {
        let count = rest.split(" | ").next().unwrap().trim().parse();
        (path.to_owned(), count.unwrap_or_else(|_| panic!("{PAGE}: {path} has no count")))
    };
    rows.map(row).collect()
}

/// The longest row that explains a path.
fn row<'e>(explained: &'e BTreeMap<String, usize>, path: &str) -> Option<&'e String> {
    let fits = |row: &&String| match row.strip_suffix('*') {
        Some(stem) => path.starts_with(stem),
        None => path == row.as_str(),
    };
    explained.keys().filter(fits).max_by_key(|row| row.len())
}

#[test]
fn no_expected_fact_is_lost_that_was_ours_and_every_other_kind_is_explained() {
    let root = Path::new(ROOT);
    let Some(corpus) = facts::corpus(root) else {
        // Not even in CI a failure: it is other people's, and not ours to give away.
        return loudly("SKIPPED: the expected FHIR bundles are not beside the repository");
    };
    let report = facts::compare(&root.join("mappings"), &corpus, "");
    let explained = explained();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut strange = Vec::new();
    for (path, missing) in &report.missing {
        match row(&explained, path) {
            Some(row) => *counts.entry(row).or_default() += missing.count,
            None => strange.push(format!("{path}: {}", missing.count)),
        }
    }
    for (path, count) in counts {
        if count > explained[path] {
            strange.push(format!("{path}: {count}, where {PAGE} says {}", explained[path]));
        }
    }
    loudly(&format!(
        "{} messages, {} refused: {} of {} facts, {:.2} %",
        report.messages,
        report.refused.len(),
        report.found,
        report.expected,
        report.percent()
    ));
    assert!(strange.is_empty(), "{PAGE} explains no such difference:\n{}", strange.join("\n"));
    assert!(report.percent() >= PERCENT_MIN, "{:.2} %", report.percent());
}

#[test]
fn a_row_of_the_page_explains_what_begins_as_it_says() {
    let rows = ["Patient.extension.*", "Patient.*", "Location.description"];
    let explained = rows.into_iter().map(|row| (row.to_owned(), 1)).collect();
    let found = |path: &str| row(&explained, path).map(String::as_str);
    assert_eq!(found("Patient.extension.url"), Some("Patient.extension.*"));
    assert_eq!(found("Patient.name.use"), Some("Patient.*"));
    assert_eq!(found("Location.description"), Some("Location.description"));
    assert_eq!(found("Location.descriptions"), None);
}
