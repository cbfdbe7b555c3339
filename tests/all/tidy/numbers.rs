//! Style by the numbers: sizes, names, and words that have no place in the tree.

use super::source::{Source, Token, below};

const FILE_LINES_MAX: usize = 500;
const HALF_LINES_MAX: usize = 200;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Names that say nothing, as a module or as the last word of a type.
const HOLLOW: &[&str] = &[
    "manager",
    "helper",
    "helpers",
    "util",
    "utils",
    "common",
    "service",
    "handler",
    "processor",
    "data",
    "info",
];

/// Written in halves, or this file would find itself.
const MACHINES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
const LEFTOVERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

fn sizes(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        faults.push(format!("{path}: {lines} lines"));
    }
    if !source.text.starts_with("//! ") {
        faults.push(format!("{path}:1: does not begin with //!"));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let columns = line.chars().count();
        if columns > LINE_COLUMNS_MAX {
            faults.push(format!("{path}:{number}: {columns} columns"));
        }
    }
    for (name, line, length) in functions(&source.tokens()) {
        if length > FUNCTION_LINES_MAX {
            faults.push(format!("{path}:{line}: fn {name} has {length} lines"));
        }
    }
    faults
}

/// Name, first line and length of every function with a body.
fn functions(tokens: &[Token]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        let Some(name) = tokens.get(at + 1).filter(|name| name.text != "(") else { continue };
        let (mut depth, mut round) = (0, 0);
        for here in &tokens[at..] {
            match here.text.as_str() {
                "(" | "[" => round += 1,
                ")" | "]" => round -= 1,
                ";" if depth == 0 && round == 0 => break,
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => continue,
            }
            if here.text == "}" && depth == 0 {
                found.push((name.text.clone(), token.line, here.line - token.line + 1));
                break;
            }
        }
    }
    found
}

fn names(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let mut faults = Vec::new();
    for module in source.modules() {
        if HOLLOW.contains(&module.as_str()) {
            faults.push(format!("{path}: a module named {module}"));
        }
    }
    let tokens = source.tokens();
    for pair in tokens.windows(2) {
        let (word, name) = (pair[0].text.as_str(), pair[1].text.as_str());
        let hollow = match word {
            "struct" | "enum" | "trait" | "type" | "mod" => {
                HOLLOW.contains(&last_word(name).as_str())
            }
            "fn" => name.starts_with("get_") || name.starts_with("do_") || name == "process",
            _ => false,
        };
        if hollow {
            faults.push(format!("{path}:{}: {word} {name}", pair[1].line));
        }
    }
    faults
}

/// `RecordManager` → `manager`, `key_info` → `info`.
fn last_word(name: &str) -> String {
    let tail = name.rsplit('_').next().unwrap_or(name);
    let start = tail.rfind(char::is_uppercase).unwrap_or(0);
    tail[start..].to_lowercase()
}

fn words(source: &Source) -> Vec<String> {
    let path = source.path.display();
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        for word in MACHINES.iter().chain(LEFTOVERS).filter(|word| line.contains(**word)) {
            faults.push(format!("{path}:{number}: {word}"));
        }
    }
    faults
}

/// Whether half of the files are short.
fn half_is_short(lines: &mut [usize]) -> Result<(), String> {
    lines.sort_unstable();
    match lines.get(lines.len() / 2) {
        Some(median) if *median >= HALF_LINES_MAX => Err(format!("the median is {median} lines")),
        _ => Ok(()),
    }
}

fn ours() -> Vec<Source> {
    ["src", "tests", "benches", "conformance"].iter().flat_map(|top| below(top, "rs")).collect()
}

#[test]
fn files_functions_and_lines_fit_a_screen() {
    let faults: Vec<_> = ours().iter().flat_map(sizes).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let mut lines: Vec<_> =
        below("src", "rs").iter().map(|source| source.text.lines().count()).collect();
    assert_eq!(half_is_short(&mut lines), Ok(()));
}

#[test]
fn names_say_what_a_thing_is() {
    let faults: Vec<_> = ours().iter().flat_map(names).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_tree_names_no_machine_and_leaves_nothing_for_later() {
    let faults: Vec<_> = below("", "").iter().flat_map(words).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_is_too_large_is_found() {
    let long = "x".repeat(101);
    for (text, faults) in [
        ("//! A file.\nfn f() {}".to_owned(), 0),
        ("fn f() {}".to_owned(), 1),
        (format!("//! A file.\n// {long}"), 1),
        (format!("//! A file.{}", "\n".repeat(500)), 0),
        (format!("//! A file.{}", "\n".repeat(501)), 1),
        (format!("//! A file.\nfn f(a: [u8; 2]) {{{}}}", "\n".repeat(69)), 0),
        (format!("//! A file.\nfn f(a: [u8; 2]) {{{}}}", "\n".repeat(70)), 1),
        (format!("//! A file.\ntrait T {{ fn f();{}}}", "\n".repeat(80)), 0),
    ] {
        let found = sizes(&Source::invent("src/a.rs", &text));
        assert_eq!(found.len(), faults, "{found:?}");
    }
    assert!(half_is_short(&mut [1, 2, 300]).is_ok());
    assert!(half_is_short(&mut [1, 200, 300]).is_err());
}

#[test]
fn a_hollow_name_or_a_leftover_is_found() {
    for (path, text, faults) in [
        ("src/store/seal.rs", "struct DataKey; fn data() {} enum Tier {}", 0),
        ("src/util.rs", "", 1),
        ("src/a.rs", "struct RecordManager; enum PersonInfo {} mod helpers {}", 3),
        ("src/a.rs", "fn get_name() {} fn do_it() {} fn process() {} fn processed() {}", 3),
        ("src/a.rs", "let common = service.handler;", 0),
    ] {
        let found = names(&Source::invent(path, text));
        assert_eq!(found.len(), faults, "{path}: {text}: {found:?}");
    }
    for (text, faults) in [
        (concat!("see /ho", "me/me"), 1),
        (concat!("// TO", "DO later"), 1),
        ("a/work and its home", 0),
    ] {
        assert_eq!(words(&Source::invent("a.md", text)).len(), faults, "{text}");
    }
}
