//! Earlier rows know nothing of later ones; modules of one row do not know each other.

use super::source::{Source, Token, below};

/// The rows, as ARCHITECTURE shows them. `identity` stands before `policy`, which decides
/// for a peer and makes pseudonyms with the keys of the index.
const LAYERS: &[&[&str]] = &[
    &["vocabulary"],
    &["wire", "identity"],
    &["translate", "policy"],
    &["registry", "audit", "store"],
    &["inbound", "outbound", "sandbox"],
    &["config", "flow", "telemetry"],
    &["command"],
    &["lib", "main"],
];

/// Rows and single modules that decide without I/O.
const PURE: &[&str] = &["vocabulary", "wire", "identity", "translate", "policy", "registry"];

/// Words that mean I/O, time, chance or waiting.
const IMPURE: &[&str] =
    &["SystemTime", "Instant", "async", "await", "rand", "tokio", "actix_web", "rusqlite"];

fn row(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// Every top-level module a file names, by `crate::` or by enough `super::`, with its line.
///
/// Tests inside `src` are no part of the building: one may make its certificates with a
/// later module, and nothing that runs depends on it.
fn arrows(source: &Source) -> Vec<(String, usize)> {
    let tokens = without_tests(&source.tokens());
    let depth = source.modules().len();
    let mut found = Vec::new();
    // Inline modules, by the depth of braces at which they end.
    let (mut braces, mut inline) = (0_usize, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                inline.retain(|open| *open < braces + 1);
            }
            "mod" if text(&tokens, at + 2) == "{" => inline.push(braces + 1),
            "crate" if path_follows(&tokens, at) => named(&tokens, at + 3, &mut found),
            "super" if text(&tokens, at.wrapping_sub(1)) != ":" => {
                let mut steps = 1;
                while text(&tokens, at + 3 * steps) == "super" {
                    steps += 1;
                }
                if steps >= depth + inline.len() {
                    named(&tokens, at + 3 * steps, &mut found);
                }
            }
            _ => (),
        }
    }
    found
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn path_follows(tokens: &[Token], at: usize) -> bool {
    text(tokens, at + 1) == ":" && text(tokens, at + 2) == ":"
}

/// The first word of a path, or of each path in a group: `a::b`, `{a, b::{c, d}}`.
fn named(tokens: &[Token], at: usize, found: &mut Vec<(String, usize)>) {
    let mut take = |at: usize| {
        if let Some(token) = tokens.get(at) {
            found.push((token.text.clone(), token.line));
        }
    };
    if text(tokens, at) != "{" {
        return take(at);
    }
    let mut depth = 0;
    for here in at..tokens.len() {
        match text(tokens, here) {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && ["{", ","].contains(&text(tokens, here - 1)) => take(here),
            _ => (),
        }
        if depth == 0 {
            break;
        }
    }
}

/// What of a file breaks the order.
fn check(source: &Source) -> Vec<String> {
    let modules = source.modules();
    let Some(own) = modules.first() else { return Vec::new() };
    let place = |line: usize| format!("{}:{line}", source.path.display());
    if source.is_test() {
        return Vec::new();
    }
    let Some(own_row) = row(own) else {
        return vec![format!("{}: module {own} stands in no row", place(1))];
    };
    arrows(source)
        .into_iter()
        .filter(|(used, _)| used != own)
        .filter_map(|(used, line)| match row(&used) {
            Some(used_row) if used_row < own_row => None,
            Some(_) => Some(format!("{}: {own} uses {used}, not an earlier row", place(line))),
            None => Some(format!("{}: crate::{used} is no module of a row", place(line))),
        })
        .collect()
}

/// Words of I/O in a file that must have none; tests inside it may read files.
fn impure(source: &Source) -> Vec<String> {
    let modules = source.modules();
    let pure = modules.first().is_some_and(|own| PURE.contains(&own.as_str()));
    if !pure || source.is_test() {
        return Vec::new();
    }
    let tokens = without_tests(&source.tokens());
    let mut found = Vec::new();
    let mut std_group = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text.as_str();
        let after_std =
            text(&tokens, at.wrapping_sub(3)) == "std" && text(&tokens, at.wrapping_sub(1)) == ":";
        std_group = match word {
            "{" if after_std => 1,
            "{" if std_group > 0 => std_group + 1,
            "}" => std_group.saturating_sub(1),
            _ => std_group,
        };
        let from_std = after_std || std_group == 1 && [",", "{"].contains(&text(&tokens, at - 1));
        let file_or_socket = from_std && ["fs", "net", "process", "thread", "env"].contains(&word);
        let clock = word == "now" && text(&tokens, at.wrapping_sub(1)) == ":";
        if file_or_socket || clock || IMPURE.contains(&word) {
            found.push(format!("{}:{}: {word}", source.path.display(), token.line));
        }
    }
    found
}

/// Libraries that speak to a database, and the one room that knows each.
const DATABASES: &[(&str, &str)] = &[("rusqlite", "src/store/sql/")];

/// Where such a library is named outside of its room.
fn databases(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let outside = |word: &str| {
        let row = DATABASES.iter().find(|(name, _)| *name == word);
        row.is_some_and(|(_, room)| !source.path.to_string_lossy().contains(room))
    };
    let tokens = without_tests(&source.tokens());
    let found = tokens.iter().filter(|token| outside(&token.text));
    found.map(|token| format!("{}:{}", source.path.display(), token.line)).collect()
}

/// The tokens without what stands in `#[cfg(test)] mod … { … }`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
        let begins = marked.iter().enumerate().all(|(i, word)| text(tokens, at + i) == *word);
        if begins && text(tokens, at + marked.len() + 1) == "{" {
            let mut depth = 1;
            at += marked.len() + 2;
            while at < tokens.len() && depth > 0 {
                depth += match text(tokens, at) {
                    "{" => 1,
                    "}" => -1,
                    _ => 0,
                };
                at += 1;
            }
        } else {
            kept.extend(tokens.get(at).cloned());
            at += 1;
        }
    }
    kept
}

#[test]
fn no_module_knows_a_later_row_or_its_own() {
    let faults: Vec<_> = below("src", "rs").iter().flat_map(check).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_decides_does_no_io() {
    let faults: Vec<_> = below("src", "rs").iter().flat_map(impure).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn one_room_speaks_to_the_database() {
    let faults: Vec<_> = below("src", "rs").iter().flat_map(databases).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let outside = Source::invent("src/store/a.rs", "use rusqlite::Connection;");
    assert_eq!(databases(&outside).len(), 1);
    let inside = Source::invent("src/store/sql/a.rs", "use rusqlite::Connection;");
    assert_eq!(databases(&inside), [""; 0]);
}

#[test]
fn an_arrow_in_the_wrong_direction_is_found() {
    for (path, text, faults) in [
        ("src/wire/a.rs", "use crate::vocabulary::Fault;", 0),
        ("src/wire/a.rs", "use crate::wire::Message;", 0),
        ("src/wire/a.rs", "use crate::policy::Release;", 1),
        ("src/policy/a.rs", "use crate::identity::Keys;", 0),
        ("src/policy/a.rs", "use crate::translate::Pack;", 1),
        ("src/policy/a.rs", "#[cfg(test)] mod tests { use crate::command::certs; }", 0),
        ("src/policy/tests.rs", "use crate::command::certs;", 0),
        ("src/policy/a.rs", "use crate::{vocabulary::{Tier, store}, audit::Entry};", 1),
        ("src/policy/a.rs", "fn f() { crate::flow::push() }", 1),
        ("src/policy/a.rs", "// crate::flow\nconst A: &str = \"crate::flow\";", 0),
        ("src/policy/mod.rs", "use super::flow::push;", 1),
        ("src/policy/a.rs", "use super::b::C;", 0),
        ("src/policy/a.rs", "use super::super::flow;", 1),
        ("src/policy/a.rs", "mod t { use super::super::b; }", 0),
        ("src/policy/mod.rs", "mod t { use super::*; } use super::audit;", 1),
        ("src/policy/a.rs", "#[cfg(test)] mod tests { } use crate::audit::Entry;", 1),
        ("src/policy/a.rs", "pub(crate) fn f() {}", 0),
        ("src/policy/a.rs", "use crate::Odd;", 1),
        ("src/newroom.rs", "", 1),
        ("src/main.rs", "use crate::command::Failure;", 0),
    ] {
        let found = check(&Source::invent(path, text));
        assert_eq!(found.len(), faults, "{path}: {text}: {found:?}");
    }
}

#[test]
fn io_in_a_pure_module_is_found() {
    for (path, text, faults) in [
        ("src/policy/a.rs", "use std::fs;", 1),
        ("src/policy/a.rs", "use std::{fmt, net::IpAddr};", 1),
        ("src/policy/a.rs", "use std::{fmt, collections::{BTreeMap, fs}};", 0),
        ("src/policy/a.rs", "fn f() { Utc::now() }", 1),
        ("src/policy/a.rs", "fn f() { std::time::Instant::now(); }", 2),
        ("src/policy/a.rs", "async fn f() {}", 1),
        ("src/policy/a.rs", "fn f(now: i64) {}", 0),
        ("src/policy/a.rs", "#[cfg(test)] mod tests { use std::fs; }", 0),
        ("src/policy/tests.rs", "use std::fs;", 0),
        ("src/wire/a_tests.rs", "use std::fs;", 0),
        ("src/store/a.rs", "use std::fs;", 0),
    ] {
        let found = impure(&Source::invent(path, text));
        assert_eq!(found.len(), faults, "{path}: {text}: {found:?}");
    }
}
