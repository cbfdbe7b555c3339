//! Rust source as words and signs: comments and literals are left out.

use std::path::{Path, PathBuf};

/// One word or sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// A word as a whole, a sign as one character; a literal is `"`.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
}

/// One source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path from the folder of the crate: `src/wire/mod.rs`.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A file as if it stood there.
    pub fn invent(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_owned() }
    }

    /// Its words and signs.
    pub fn tokens(&self) -> Vec<Token> {
        tokens(&self.text)
    }

    /// Whether it is compiled for tests alone, as its name says.
    pub fn is_test(&self) -> bool {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        stem == "tests"
            || stem.ends_with("_tests")
            || self.path.iter().any(|folder| folder == "tests")
    }

    /// Its modules from the top: `src/wire/ack.rs` is `wire`, `ack`.
    pub fn modules(&self) -> Vec<String> {
        let below = self.path.strip_prefix("src").unwrap_or(&self.path).with_extension("");
        let mut names: Vec<_> =
            below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if names.len() > 1 && names.last().is_some_and(|last| last == "mod") {
            names.pop();
        }
        names
    }
}

/// Every text file with that extension (`""`: any) below a folder of the repository, in order.
pub fn below(folder: &str, extension: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut |path| {
        // A worktree's `.git` is a file that names where the repository is.
        let wanted = extension.is_empty() && !path.ends_with(".git");
        if (wanted || path.extension().is_some_and(|known| known == extension))
            && let Ok(text) = std::fs::read_to_string(path)
        {
            let path = path.strip_prefix(root).unwrap().to_owned();
            found.push(Source { path, text });
        }
    });
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && name != ".git" && name != "demo-data" {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let bytes: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let start = at;
        let here = bytes[at];
        let next = bytes.get(at + 1).copied().unwrap_or(' ');
        let mut push = |text: String| found.push(Token { text, line });
        match here {
            '/' if next == '/' => at += run(&bytes[at..], |c| c != '\n'),
            '/' if next == '*' => at += comment(&bytes[at..]),
            '"' => {
                at += string(&bytes[at..]);
                push("\"".to_owned());
            }
            'r' | 'b' | 'c' if literal(&bytes[at..]).is_some() => {
                at += literal(&bytes[at..]).unwrap();
                push("\"".to_owned());
            }
            '\'' => at += quote(&bytes[at..]),
            _ if here.is_alphanumeric() || here == '_' => {
                at += run(&bytes[at..], |c| c.is_alphanumeric() || c == '_');
                push(bytes[start..at].iter().collect());
            }
            _ => {
                at += 1;
                if !here.is_whitespace() {
                    push(here.to_string());
                }
            }
        }
        line += bytes[start..at].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn run(text: &[char], inside: impl Fn(char) -> bool) -> usize {
    text.iter().take_while(|c| inside(**c)).count()
}

fn comment(text: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of a string that begins here with its quotation mark.
fn string(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// Length of a literal with a prefix: `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `b'…'`, `c"…"`.
fn literal(text: &[char]) -> Option<usize> {
    let prefix = run(text, |c| c.is_ascii_lowercase());
    let name: String = text[..prefix].iter().collect();
    let rest = &text[prefix..];
    if name == "b" && rest.first() == Some(&'\'') {
        return Some(prefix + quote(rest));
    }
    if !["r", "b", "c", "br", "cr"].contains(&name.as_str()) {
        return None;
    }
    if !name.contains('r') {
        return (rest.first() == Some(&'"')).then(|| prefix + string(rest));
    }
    let hashes = run(rest, |c| c == '#');
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[hashes + 1..];
    let end = body.windows(close.len()).position(|here| here == close)?;
    Some(prefix + hashes + 1 + end + close.len())
}

/// Length of a character literal or of the mark of a lifetime.
fn quote(text: &[char]) -> usize {
    match text.get(1) {
        Some('\\') => {
            let end = text.iter().skip(3).position(|c| *c == '\'');
            end.map_or(text.len(), |end| end + 4)
        }
        Some(_) if text.get(2) == Some(&'\'') => 3,
        _ => 1,
    }
}

#[test]
fn comments_and_literals_hold_no_words() {
    let text = r##"a // b
        /* c /* d */ e */ "f \" g" r#"h " i"# 'j' '\n' '\u{41}' b'k' &'l m b"n" q"##;
    let words: Vec<_> = tokens(text).into_iter().map(|token| token.text).collect();
    assert_eq!(words, ["a", "\"", "\"", "\"", "&", "l", "m", "\"", "q"]);
    let lines: Vec<_> = tokens("a\n\"\n\"\nb").iter().map(|token| token.line).collect();
    assert_eq!(lines, [1, 2, 4]);
}

#[test]
fn a_file_knows_its_modules() {
    for (path, expect) in [
        ("src/flow.rs", vec!["flow"]),
        ("src/wire/mod.rs", vec!["wire"]),
        ("src/wire/hl7v2/ack.rs", vec!["wire", "hl7v2", "ack"]),
        ("src/main.rs", vec!["main"]),
    ] {
        assert_eq!(Source::invent(path, "").modules(), expect);
    }
}
