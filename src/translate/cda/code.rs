//! Codes and their systems: what a code means depends on the family of the document, too.

use super::page::At;
use super::quality::{
    CODE_PADDING, CODE_SYSTEM_NAME, CODE_SYSTEM_OID, CODE_SYSTEM_WRONG, CODE_UNKNOWN, LEADING_SPACE,
};
use super::read::Reading;
use super::tables::System;
use super::value::Expected;
use crate::vocabulary::code::{CodeTable, Original};
use crate::vocabulary::{Coding, Element};

/// WS 364 tables have their OIDs below this one.
const TABLES: &str = "2.16.156.10011.2.3.";

impl<'p> Reading<'p, '_> {
    /// A code: in the element's own table if it is there, the sender's own kept where it differs.
    pub fn coding(
        &mut self,
        at: At,
        element: Option<&Element>,
        expected: Expected<'_>,
    ) -> Option<Coding> {
        let code = self.page.get(at, "@code").filter(|code| !self.is_placeholder(code));
        let Some(sent) = code else { return self.coding_of_words(at) };
        let system = self.system(at);
        let display = self.page.get(at, "@displayName");
        let domain = element.and_then(|element| element.domain.as_deref());
        let table = domain.and_then(|name| self.pack.tables().table(name));
        let foreign = self.foreign(system.as_deref(), domain, expected);
        if foreign {
            self.note(&CODE_SYSTEM_WRONG, at);
        }
        let listed = table.map(|table| listed(table, sent));
        let found = match listed {
            None => Some(sent.to_owned()).filter(|_| !foreign),
            Some(found) => found
                .filter(|code| !foreign || display.is_some_and(|words| says(table, code, words))),
        };
        if found.as_deref().is_some_and(|code| code != sent) {
            self.note(&CODE_PADDING, at);
        }
        if found.is_none() && !foreign {
            self.note(&CODE_UNKNOWN, at);
        }
        let usual = system.as_deref().is_none_or(|oid| self.usual(oid, domain, expected));
        let same = found.as_deref() == Some(sent) && usual;
        let original = (!same).then(|| Original::new(sent, system));
        self.page.take(at, &["@code", "@codeSystem", "@displayName"]);
        Some(Coding { code: found, display: display.map(str::to_owned), original })
    }

    fn is_placeholder(&self, code: &str) -> bool {
        self.plan.spellings.placeholders.contains(code)
    }

    /// The code system of a code, its OID as it was meant.
    pub fn system(&mut self, at: At) -> Option<String> {
        let sent = self.page.get(at, "@codeSystem")?;
        let oid = self.oid(at, sent);
        let known = self.plan.system(&self.family, &oid);
        let name = self.page.get(at, "@codeSystemName").map(super::tables::plain);
        // A printer's variant of the name is none of ours to judge; another table's name is.
        let others = name.zip(known).is_some_and(|(name, known)| {
            let other = |other: &System| {
                other.plain == name && other.oid != oid && !oid.starts_with(&other.oid)
            };
            name != known.plain && self.plan.systems.iter().any(other)
        });
        if others {
            self.note(&CODE_SYSTEM_NAME, at);
        }
        Some(oid)
    }

    /// An OID as it was meant: without spaces, its known misspellings mended, 2012 to 2016.
    pub fn oid(&mut self, at: At, sent: &str) -> String {
        if ["@codeSystem", "@root"].iter().any(|leaf| self.page.padded(at, leaf)) {
            self.note(&LEADING_SPACE, at);
        }
        let bare = sent;
        let spellings = &self.plan.spellings;
        if let Some(meant) = spellings.systems.get(bare) {
            return meant.clone();
        }
        if let Some(system) = self.plan.systems.iter().find(|system| system.legacy == bare) {
            return system.oid.clone();
        }
        // Of every table met in both dialects the last two numbers are the same.
        let old = bare.strip_prefix("SD.11.").filter(|rest| !rest.starts_with('4'));
        if let Some(rest) = old {
            return format!("{TABLES}{rest}");
        }
        let wrong = spellings.oids.iter().find(|(wrong, _)| bare.starts_with(wrong.as_str()));
        if let Some((wrong, right)) = wrong {
            self.note(&CODE_SYSTEM_OID, at);
            return bare.replacen(wrong.as_str(), right, 1);
        }
        bare.to_owned()
    }

    /// Whether a code system is a table, and not one this element may use.
    fn foreign(&self, system: Option<&str>, domain: Option<&str>, expected: Expected<'_>) -> bool {
        let Some(oid) = system.filter(|oid| oid.starts_with(TABLES)) else { return false };
        if expected.systems.iter().any(|known| related(known, oid)) {
            return false;
        }
        let table = self.plan.system(&self.family, oid).map(|system| system.table.as_str());
        match (domain, table) {
            (Some(domain), Some(table)) if !table.is_empty() => domain != table,
            _ => !expected.systems.is_empty(),
        }
    }

    /// Whether the writer would name that system anyway.
    fn usual(&self, oid: &str, domain: Option<&str>, expected: Expected<'_>) -> bool {
        match expected.systems.first() {
            Some(first) => *first == oid,
            None => domain.and_then(|name| self.plan.oid_of(name)).is_some_and(|it| it.oid == oid),
        }
    }
}

/// ICD-10 has one OID, and further ones below it by use; they are one table.
fn related(known: &str, oid: &str) -> bool {
    known == oid
        || known.starts_with(&format!("{oid}."))
        || oid.starts_with(&format!("{known}."))
        || known.rsplit_once('.').map(|(stem, _)| stem)
            == oid.rsplit_once('.').map(|(stem, _)| stem)
            && known.starts_with("2.16.156.10011.2.3.3.11.")
}

/// The code as its table lists it: `01` for `1`, `1` for `01`.
fn listed(table: &CodeTable, sent: &str) -> Option<String> {
    let digits = sent.bytes().all(|byte| byte.is_ascii_digit());
    let variants = [sent.to_owned(), format!("0{sent}"), sent.trim_start_matches('0').to_owned()];
    let mut tried = variants.into_iter().take(if digits { 3 } else { 1 });
    tried.find(|code| table.row(code).is_some())
}

/// Whether the words beside a code are those of its table.
fn says(table: Option<&CodeTable>, code: &str, words: &str) -> bool {
    let row = table.and_then(|table| table.row(code));
    row.is_some_and(|row| {
        !row.zh.is_empty() && (words.starts_with(&row.zh) || row.zh.starts_with(words))
    })
}
