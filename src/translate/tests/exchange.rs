//! The shipped mapping files of the exchange services: writing inverts reading, for values
//! nobody thought of.

use std::path::Path;

use crate::translate::{Pack, document};
use crate::vocabulary::{Files, Source};
use crate::wire::Tree;
use crate::wire::xml::{self, Document};

/// Messages made of all examples together.
const MESSAGES: usize = 20_000;
/// Characters of a generated text, markup and rare ones among them.
const SIGNS: &[char] =
    &['a', 'Z', '0', ' ', '<', '>', '&', '"', '\'', '甲', '𠮷', '-', '^', '~', '|'];

/// Numbers that look random and are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    /// A text that neither begins nor ends with white space.
    fn text(&mut self) -> String {
        let inner: String = (0..self.roll(8)).map(|_| SIGNS[self.roll(SIGNS.len())]).collect();
        format!("x{inner}y")
    }

    fn date(&mut self, like: &str) -> String {
        let (year, month, day) = (1900 + self.roll(140), 1 + self.roll(12), 1 + self.roll(28));
        let hours = format!("{:02}{:02}{:02}", self.roll(24), self.roll(60), self.roll(60));
        let time = if like.len() == 14 { hours } else { String::new() };
        format!("{year:04}{month:02}{day:02}{time}")
    }
}

/// The same document with other texts and dates, and some of its leaves left out.
fn shaken(tree: &Tree, dice: &mut Dice) -> Tree {
    match tree {
        Tree::Text(text) => Tree::Text(match text.as_str() {
            date if date.starts_with("20261001") || date == "19490101" => dice.date(date),
            text if text.starts_with("文本") || text == "李测试" => dice.text(),
            "P0001" | "N0001" | "名称" | "0592-1234567" => dice.text(),
            other => other.to_owned(),
        }),
        Tree::List(items) => Tree::List(items.iter().map(|item| shaken(item, dice)).collect()),
        Tree::Map(members) => {
            // Half a postal address, or a person without a telephone.
            let optional = ["telecom", "addr", "asEmployee", "personalRelationship"];
            let mut kept = Vec::new();
            for (name, value) in members {
                if !(optional.contains(&name.as_str()) && dice.roll(4) == 0) {
                    kept.push((name.clone(), shaken(value, dice)));
                }
            }
            Tree::Map(kept)
        }
        other => other.clone(),
    }
}

/// The files of some folders, and what they speak of.
pub(super) fn shipped(folder: &str) -> Files {
    fn walk(root: &Path, folder: &Path, needed: &[&str], files: &mut Files) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(root, &path, needed, files),
                false => {
                    let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    if needed.iter().any(|folder| key.starts_with(folder)) {
                        files.insert(key, std::fs::read(&path).unwrap());
                    }
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut files = Files::default();
    walk(&root, &root, &["codes/", "elements/", folder], &mut files);
    files
}

fn check(pack: &Pack, dialect: &str, message: &Document) {
    let source = Source::fixed("law");
    let first = document::read_xml(pack, (dialect, source), message, None).unwrap();
    assert_eq!(first.bins.unmapped, 0, "{:?}", first.bins.first_unmapped);
    let written = document::write_xml(pack, dialect, &first.record).unwrap();
    let bytes = xml::write(&written);
    let again = xml::read(&bytes, &xml::Limits::default()).unwrap();
    assert_eq!(again, written, "what is written is read as it was meant");
    let again = document::read_xml(pack, (dialect, source), &again, None).unwrap();
    let plan = document::plan_for(pack, dialect, &first.record).unwrap();
    assert_eq!(document::lost(plan, &first, &again), None);
}

#[test]
fn what_is_read_of_a_message_is_written_back_for_any_value() {
    let files = shipped("v3-");
    let pack = Pack::load(&files).unwrap();
    let mut examples = Vec::new();
    for dialect in ["v3-regional", "v3-hospital"] {
        for path in files.under(dialect, "xml") {
            let read = xml::read(files.bytes(path).unwrap(), &xml::Limits::default());
            examples.push((dialect, read.unwrap()));
        }
    }
    assert!(examples.len() >= 15);
    let mut dice = Dice(0x4b61_6e67_7169_616f);
    for number in 0..MESSAGES {
        let (dialect, example) = &examples[number % examples.len()];
        let tree = shaken(&example.tree, &mut dice);
        check(&pack, dialect, &Document { tree, ..example.clone() });
    }
}
