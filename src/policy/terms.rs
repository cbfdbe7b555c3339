//! What beside the cells opens or closes something: certificates, searches, events, budgets,
//! the signs of special values, laws, consent, tickets, relations, what is counted.
//!
//! A term is a line of a file in a few words, the same in every language. One that opens makes
//! an edit wider by being added, one that closes by being gone.

use std::collections::{BTreeMap, BTreeSet};

use super::PolicySet;
use super::consent::ConsentTerms;
use super::difference::{Side, Term};
use super::page::Page;
use super::purpose::{Naming, Stale, TicketTerms};
use super::special::{SignRow, SpecialFile};
use crate::vocabulary::{Dataset, Department, Files, Purpose, Role};

/// Terms that one side has and the other has not.
pub(super) fn changed(from: Side<'_>, to: Side<'_>) -> Vec<Term> {
    let mut found = BTreeSet::new();
    for (terms, opens) in [(opening as Terms, true), (closing as Terms, false)] {
        let (before, after) = (terms(from), terms(to));
        let of =
            |added| move |text: &String| Term { wider: added == opens, added, text: text.clone() };
        found.extend(after.difference(&before).map(of(true)));
        found.extend(before.difference(&after).map(of(false)));
    }
    found.extend(budgets(from, to));
    found.into_iter().collect()
}

/// Reads the terms of one kind.
type Terms = fn(Side<'_>) -> BTreeSet<String>;

/// What gives more by being there.
fn opening(side: Side<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for row in side.set.departments().iter() {
        let name = row.name;
        let certificates = row.certificates.iter();
        found.extend(certificates.map(|(subject, role)| {
            format!("departments.toml {name} certificate {subject} {role}")
        }));
        for grant in &row.grants {
            let purpose = grant.purpose;
            let roles = grant.roles.iter();
            found.extend(
                roles.map(|role| format!("departments.toml {name} grant {role} {purpose}")),
            );
        }
        let sources = row.sources.iter().map(|source| format!("source {source}"));
        let called = row.institutions.iter().map(|known| format!("institution {known}"));
        found.extend(sources.chain(called).map(|own| format!("departments.toml {name} {own}")));
    }
    for terms in side.set.purposes().iter() {
        let id = terms.id;
        if terms.naming == Naming::All {
            found.insert(format!("purposes.toml {id} naming all"));
        }
        if terms.stale == Stale::Answer {
            found.insert(format!("purposes.toml {id} stale answer"));
        }
        if terms.batch {
            found.insert(format!("purposes.toml {id} batch"));
        }
        let ways = terms.search.iter().map(String::as_str);
        let elements = terms.described_by.iter().map(|element| element.as_str());
        found.extend(ways.chain(elements).map(|way| format!("purposes.toml {id} search {way}")));
        found
            .extend(terms.upstreams.iter().map(|one| format!("purposes.toml {id} upstream {one}")));
        let listed = terms.elements.iter().filter_map(|id| side.set.shared.catalogue.get(*id));
        let repeated = listed.filter(|element| side.set.purposes().repeats(element));
        found.extend(repeated.map(|element| format!("purposes.toml repeats {}", element.id)));
    }
    found.extend(levels(side.set));
    // Of these any other reading may be a wider one.
    found.extend(WHOLE.iter().filter_map(|path| as_read(side.files, path)));
    for event in side.set.events().iter() {
        let id = event.id;
        found.extend(event.datasets.iter().map(|set| format!("events.toml {id} dataset {set}")));
        found.extend(event.tells.iter().map(|element| format!("events.toml {id} tells {element}")));
    }
    found
}

/// Under which code each code leaves where it is generalised: a table is of the mappings, and a
/// code moved under another one tells something else.
pub(super) fn levels(set: &PolicySet) -> BTreeSet<String> {
    let coded = set.shared.catalogue.iter().filter_map(|element| element.domain.as_deref());
    let names: BTreeSet<&str> = coded.collect();
    let tables = names.into_iter().filter_map(|name| Some((name, set.shared.tables.table(name)?)));
    let lines = tables.flat_map(|(name, table)| {
        let tops = table.codes().filter_map(|code| Some((code, table.topmost(code)?)));
        tops.map(move |(code, top)| format!("codes/{name}.csv {code} under {}", top.code))
    });
    lines.collect()
}

/// Files of which a line alone says neither that it opens nor that it closes.
const WHOLE: [&str; 3] = ["consents.toml", "relations.toml", "statistics.toml"];

/// What a file says, as a digest; its comments say nothing.
fn as_read(files: &Files, path: &str) -> Option<String> {
    let content: toml::Table = toml::from_str(files.text(path).ok()?).ok()?;
    let mut alone = Files::default();
    alone.insert(path, content.to_string());
    Some(format!("{path} as of {}", alone.version()))
}

/// What gives less by being there.
fn closing(side: Side<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for terms in side.set.purposes().iter() {
        let of = |one: &super::purpose::Authority| {
            let datasets = one.datasets.iter().map(|set| set.as_str());
            let sources = one.sources.iter().map(|source| source.as_str());
            let who: Vec<&str> = datasets.chain(sources).collect();
            format!("purposes.toml {} authoritative {} {}", terms.id, one.class, who.join(" "))
        };
        found.extend(terms.authoritative.iter().map(of));
        let id = terms.id;
        let asked = match terms.consent {
            ConsentTerms::Needed => &["needed", "may-refuse", "may-refuse-others"][..],
            ConsentTerms::MayRefuse => &["may-refuse", "may-refuse-others"],
            ConsentTerms::MayRefuseOthers => &["may-refuse-others"],
            ConsentTerms::NotNeeded => &[],
        };
        found.extend(asked.iter().map(|word| format!("purposes.toml {id} consent {word}")));
        let keys = terms.requires.iter().map(|required| required.evidence.as_str());
        found.extend(keys.map(|key| format!("purposes.toml {id} requires {key}")));
        if terms.counts {
            found.insert(format!("purposes.toml {id} counts alone"));
        }
        if let Some(TicketTerms { evidence, minutes, four_eyes }) = terms.ticket {
            let eyes = if four_eyes { " four eyes" } else { "" };
            let of = format!("{} {minutes} minutes{eyes}", evidence.as_str());
            found.insert(format!("purposes.toml {id} ticket {of}"));
        }
        let latest = terms.latest_of.iter().map(Dataset::as_str).collect::<Vec<_>>().join(" ");
        if !latest.is_empty() {
            found.insert(format!("purposes.toml {id} latest of {latest}"));
        }
    }
    for law in side.set.laws() {
        let purposes = law.purposes.iter().map(|id| id.as_str());
        let classes = law.classes.iter().map(|class| class.as_str());
        let elements = law.elements.iter().map(|id| id.as_str());
        let kinds = law.kinds.iter().map(String::as_str);
        let words = kinds.chain(purposes).chain(classes).chain(elements).map(str::to_owned);
        let unless = law.unless_relations.iter().map(|relation| format!("unless-{relation}"));
        let words: Vec<String> = words.chain(unless).collect();
        let at_most = law.at_most.as_str();
        found.insert(format!("laws.toml {} {at_most} {}", law.id, words.join(" ")));
    }
    // Whoever is watched less may do more, whichever line it was.
    found.extend(as_read(side.files, super::doubt::PATH));
    // It was read once already, so it can be read.
    let special = Page::open::<SpecialFile>(side.files, super::special::PATH);
    for row in special.map(|(_, file)| file.special).unwrap_or_default() {
        let class = row.class.get_ref();
        if !row.for_refusal {
            found.insert(format!("special.toml {class} ruled"));
        }
        if let Some(level) = row.level {
            found.extend((1..=level).map(|level| format!("special.toml {class} level {level}")));
        }
        let signs = row.icd10.iter().chain(&row.words).chain(&row.codes);
        found.extend(signs.map(|sign| format!("special.toml {class} {}", sign.get_ref())));
        let marks = row.marks.iter().map(|mark| mark.get_ref());
        found.extend(marks.map(|mark| {
            let SignRow { element, is, reach } = mark;
            format!("special.toml {class} {element} {} {}", is.join(" "), reach.as_str())
        }));
    }
    found
}

/// Of each grant, about how many persons may be asked for in a day.
fn budgets(from: Side<'_>, to: Side<'_>) -> Vec<Term> {
    let (before, after) = (grants(from), grants(to));
    let both = after.iter().filter_map(|(key, new)| Some((key, *before.get(key)?, *new)));
    let changed = both.filter(|(_, old, new)| old != new);
    let terms = changed.map(|((department, role, purpose), old, new)| {
        let said = |most: Option<u32>| most.map_or("any".to_owned(), |most| most.to_string());
        let text = format!(
            "departments.toml {department} {role} {purpose} persons_per_day {} → {}",
            said(old),
            said(new)
        );
        // None is no bound at all.
        let wider = new.unwrap_or(u32::MAX) > old.unwrap_or(u32::MAX);
        Term { wider, added: true, text }
    });
    terms.collect()
}

/// Every grant with its budget.
type Grants = BTreeMap<(Department, Role, Purpose), Option<u32>>;

fn grants(side: Side<'_>) -> Grants {
    let mut found = Grants::new();
    for row in side.set.departments().iter() {
        for grant in &row.grants {
            for role in &grant.roles {
                // Of two grants of one thing the first counts.
                let key = (row.name, *role, grant.purpose);
                found.entry(key).or_insert(grant.persons_per_day);
            }
        }
    }
    found
}
