//! Words nothing else contains, one for each element a format can carry, and a search for them in
//! every form in which they could leave.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};

use crate::rig::message::{Message, Resident, unique};
use crate::rig::{ROOT, Rig};

/// Digits behind the tag, which tell the words apart.
const WIDTH: usize = 4;

/// The words of one run. Each holds the tag, nine digits that stand nowhere else, and its number.
pub struct Words {
    tag: String,
    /// The tag in every form.
    forms: Vec<(&'static str, Vec<u8>)>,
    /// Of each word the person it is of, and whether it names a protected illness.
    made: Vec<(usize, bool)>,
    /// The elements each was read as, by the gateway's own mappings: of the first person, since
    /// everybody's words are made in the same order.
    elements: HashMap<usize, BTreeSet<String>>,
    /// At which word each person begins.
    starts: Vec<usize>,
    /// Whether they name a protected illness.
    pub special: bool,
}

/// A message as bytes, with its form and its media type.
#[derive(Clone)]
pub struct Unit {
    pub form: &'static str,
    pub media: &'static str,
    pub bytes: Vec<u8>,
}

impl Words {
    pub fn new() -> Self {
        // Scattered, so that no number of a resident looks like it.
        let tag = 700_000_000 + unique().wrapping_mul(2_654_435_761) % 99_000_000;
        let tag = tag.to_string();
        let forms = Self::spelled(&tag);
        let (made, elements, starts) = Default::default();
        Self { tag, forms, made, elements, starts, special: false }
    }

    /// From now on words are those of another person.
    pub fn person(&mut self, special: bool) {
        self.special = special;
        self.starts.push(self.made.len());
    }

    /// As what a word was read.
    fn read(&self, word: usize) -> impl Iterator<Item = &String> {
        let start = self.starts.get(self.made[word].0).copied().unwrap_or_default();
        self.elements.get(&(word - start)).into_iter().flatten()
    }

    /// Thirteen digits: what a number or a telephone can hold.
    pub fn digits(&mut self) -> String {
        self.made.push((self.starts.len().saturating_sub(1), false));
        format!("{}{:0WIDTH$}", self.tag, self.made.len() - 1)
    }

    /// A text, which every character set spells in its own way; it may name an illness.
    pub fn text(&mut self) -> String {
        let digits = self.digits();
        if let (true, Some(made)) = (self.special, self.made.last_mut()) {
            made.1 = true;
            return format!("雀{digits}艾滋病");
        }
        format!("雀{digits}鸣")
    }

    /// Whether a word may stand where these elements stand.
    pub fn may(&self, word: usize, open: impl Fn(&str, bool) -> bool) -> bool {
        let special = self.made[word].1;
        self.read(word).any(|element| open(element, special))
    }

    /// Whose a word is, and as what it was read: for the message of a failed test.
    pub fn tell(&self, word: usize) -> String {
        let read: Vec<_> = self.read(word).collect();
        format!("word {word} of {:?}, read as {read:?}", self.made[word])
    }

    /// How many were read as an element at all.
    pub fn elements(&self) -> usize {
        self.elements.values().flatten().collect::<BTreeSet<_>>().len()
    }

    /// The words that stand somewhere as they are.
    pub fn plain(&self, bytes: &[u8]) -> Vec<usize> {
        let mut found: Vec<_> = places(bytes, self.tag.as_bytes())
            .filter_map(|at| {
                let start = at + self.tag.len();
                let digits = std::str::from_utf8(bytes.get(start..start + WIDTH)?).ok()?;
                digits.parse().ok().filter(|number| *number < self.made.len())
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// In which forms any word stands somewhere. GB 18030, UTF-8 and an escape of JSON or of a
    /// URL spell the digits alike; the others do not.
    pub fn forms(&self, bytes: &[u8]) -> Vec<&'static str> {
        let forms = &self.forms;
        let mut begins = [false; 256];
        forms.iter().for_each(|(_, form)| begins[usize::from(form[0])] = true);
        let mut found = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            if begins[usize::from(*byte)] {
                let here = forms.iter().filter(|(_, form)| bytes[at..].starts_with(form));
                found.extend(here.map(|(name, _)| *name));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The tag in every form.
    fn spelled(tag: &str) -> Vec<(&'static str, Vec<u8>)> {
        let tag = tag.as_bytes();
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = tag.iter().map(|byte| format!("%{byte:02X}")).collect();
        let wide = |order: [usize; 2]| -> Vec<u8> {
            let both = tag.iter().flat_map(|byte| order.map(|zero| [*byte, 0][zero]));
            both.collect()
        };
        let escaped: String = tag.iter().map(|byte| format!("\\u{byte:04x}")).collect();
        let mut forms = vec![
            ("plain", tag.to_vec()),
            ("hex", hex.into_bytes()),
            ("percent", percent.into_bytes()),
            ("json escapes", escaped.into_bytes()),
            ("utf-16le", wide([0, 1])),
            ("utf-16be", wide([1, 0])),
        ];
        // Where the tag begins within three bytes is not known; what depends on its neighbours
        // is left out.
        for start in [0, 1, 2] {
            let whole = tag[start..].chunks_exact(3).flatten().copied().collect::<Vec<_>>();
            forms.push(("base64", STANDARD.encode(whole).into_bytes()));
        }
        // Digits have no letters in hex, so capitals are the same.
        forms
    }

    /// Bytes with every long run of base64 in them as what it stands for.
    pub fn opened(bytes: &[u8]) -> Vec<u8> {
        let is = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let mut out = Vec::new();
        for run in bytes.chunk_by(|one, other| is(one) == is(other)) {
            let whole = run.len() / 4 * 4;
            let decoded = STANDARD_NO_PAD.decode(&run[..whole]);
            match decoded.ok().filter(|_| is(&run[0]) && run.len() >= 40) {
                Some(decoded) => out.extend(decoded),
                None => out.extend(run),
            }
        }
        out
    }

    /// Learns as which elements the words of a message are read.
    pub fn learn(&mut self, rig: &Rig, unit: &Unit) {
        let path = rig.path().join("unit");
        std::fs::write(&path, &unit.bytes).unwrap();
        let path = path.display().to_string();
        let output = rig.run(&["translate", "--from", unit.form, "--to", "elements", &path]);
        std::fs::remove_file(path).unwrap();
        let Ok(told) = serde_json::from_slice::<Value>(&output.stdout) else { return };
        let mut within = vec![&told];
        while let Some(one) = within.pop() {
            if let (Some(element), Some(value)) = (one["element"].as_str(), one.get("value")) {
                for word in self.plain(&Self::opened(value.to_string().as_bytes())) {
                    self.elements.entry(word).or_default().insert(element.to_owned());
                }
            }
            within.extend(one.as_array().into_iter().flatten());
            within.extend(one.as_object().into_iter().flat_map(|members| members.values()));
        }
    }

    /// Every document of `mappings/platform` and `mappings/civil` with every row filled: what a
    /// row holds is a word wherever its type takes one.
    pub fn documents(&mut self, citizen: &str) -> Vec<Unit> {
        let platform = ("platform", "platform-json", "application/vnd.kangqiao.platform+json");
        let civil = ("civil", "civil-json", "application/vnd.kangqiao.civil+json");
        let mut units = Vec::new();
        for (folder, form, media) in [platform, civil] {
            let folder = Path::new(ROOT).join("mappings").join(folder);
            let mut paths: Vec<_> =
                folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            let files =
                paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "toml"));
            for path in files {
                let file: toml::Table =
                    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
                let record = file["record"].as_str().unwrap();
                // What a person allows has its own words, and somebody else's meaning.
                if file["dialect"].as_str() == Some(form) && record != "privacy-consent" {
                    let bytes = self.document(&file, citizen).to_string().into_bytes();
                    units.push(Unit { form, media, bytes });
                }
            }
        }
        units
    }

    fn document(&mut self, file: &toml::Table, citizen: &str) -> Value {
        let mut document = json!({ "dataset": file["record"].as_str().unwrap() });
        for row in file["rows"].as_array().unwrap() {
            let text = |key: &str| row.get(key).and_then(toml::Value::as_str);
            let (wire, unit) = (text("wire").unwrap(), text("unit"));
            let value = match (text("as").unwrap(), text("kind")) {
                ("identifier", Some("citizen-id")) => json!(citizen),
                // Each proves itself, and no word could.
                ("identifier", Some("health-card" | "record-number")) => continue,
                // A code of a closed list is what the list says.
                ("code", _) if row.get("unknown").is_some() => continue,
                ("boolean", _) => json!(true),
                ("date", _) => json!("2026-09-08"),
                ("quantity", _) => json!(self.digits().parse::<u64>().unwrap()),
                ("telecom", _) => json!(self.digits()),
                _ => json!(self.text()),
            };
            put(&mut document, wire, value);
            if let Some(unit) = unit {
                put(&mut document, unit, json!("mg"));
            }
        }
        if let Some(time) = file.get("time").and_then(toml::Value::as_str) {
            put(&mut document, time, json!("2026-09-08"));
        }
        document
    }

    /// What a hospital says: an admission, a report, a document, and two that go wrong.
    pub fn messages(&mut self, resident: &mut Resident) -> Vec<Unit> {
        let mut next = || self.text();
        resident.name = format!("{}^{}", next(), next());
        let mut admission = Message::new("A01", resident);
        admission.segments[1] += &format!(
            "|{}||{}^^{}^{}^450003^CHN^H|{}|{}|{}||||{}|{}",
            next(),
            next(),
            next(),
            next(),
            next(),
            next(),
            next(),
            next(),
            next()
        );
        let [ward, room, bed, doctor, name, visit] = [(); 6].map(|()| next());
        admission.segments[2] = format!(
            "PV1|1|I|{ward}^{room}^{bed}|E|||{doctor}^{name}|||||||||||{visit}\
             |||||||||||||||||||||||||20261001080000"
        );
        let [family, given, address, phone] = [(); 4].map(|()| next());
        admission.segments.insert(2, format!("NK1|1|{family}^{given}|CHD|{address}|{phone}"));
        let [allergen, what, reaction, code, text] = [(); 5].map(|()| next());
        admission.segments.push(format!("AL1|1|DA|{allergen}^{what}^L|SV|{reaction}"));
        admission.segments.push(format!("DG1|1||{code}^{text}^L||20261001|A"));
        admission.segments.push(format!("ZZZ|{}|{}", next(), next()));
        let mut report = Message::report(resident);
        let [order, code, text, kind, named] = [(); 5].map(|()| next());
        report.segments[1] = format!("OBR|1||{order}|{code}^{text}^L|||20261001080000");
        report.segments[2] =
            format!("OBX|1|ST|{kind}^{named}^L||{}|{}|{}|N|||F", next(), next(), next());
        let mut document = Message::new("T02", resident);
        document.kind = "MDM^T02^MDM_T02".to_owned();
        let [title, number, about, content] = [(); 4].map(|()| next());
        document
            .segments
            .push(format!("TXA|1|DS^{title}|TX|20261103160000||||||||{number}^EMR|||||LA"));
        document.segments.push(format!("OBX|1|TX|11490-0^{about}^LN||{content}||||||F"));
        let mut refused = Message::new("A01", resident);
        refused.segments[1] = refused.segments[1].replace("|M", &format!("|{}", next()));
        let mut quarantined = Message::new("A01", resident);
        quarantined.kind = "ADT^Z99".to_owned();
        quarantined.segments.push(format!("NTE|1||{}", next()));
        let all = [admission, report, document, refused, quarantined];
        let unit = |message: Message| Unit {
            form: "hl7v2",
            media: "application/hl7-v2",
            bytes: message.bytes(),
        };
        all.into_iter().map(unit).collect()
    }
}

/// Puts a value at a path; of a list the first.
fn put(document: &mut Value, path: &str, value: Value) {
    let mut at = document;
    for step in path.split('/').skip(1) {
        at = match step {
            "*" => {
                if !at.is_array() {
                    *at = json!([null]);
                }
                &mut at[0]
            }
            name => &mut at[name],
        };
    }
    *at = value;
}

/// Where a needle stands.
fn places<'b>(bytes: &'b [u8], needle: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    let first = needle[0];
    let starts = bytes.iter().enumerate().filter(move |(_, byte)| **byte == first);
    starts.map(|(at, _)| at).filter(move |at| bytes[*at..].starts_with(needle))
}

#[test]
fn a_search_finds_a_word_in_every_form_it_could_leave_in() {
    let mut words = Words::new();
    let word = words.text();
    let check = |what: &str, bytes: &[u8]| {
        assert!(words.forms(bytes).contains(&what), "{what}: {:?}", words.forms(bytes));
    };
    check("plain", format!("a{word}b").as_bytes());
    check("plain", &encoding_rs::GB18030.encode(&word).0);
    let hex: String = word.bytes().map(|byte| format!("{byte:02X}")).collect();
    check("hex", hex.as_bytes());
    let percent: String = word.bytes().map(|byte| format!("%{byte:02X}")).collect();
    check("percent", percent.as_bytes());
    let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check("utf-16le", &wide);
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}{word} and more that makes it a long run of base64");
        let sealed = STANDARD.encode(text);
        check("base64", sealed.as_bytes());
        assert_eq!(words.plain(&Words::opened(format!("\"{sealed}\"").as_bytes())), [0]);
    }
    assert_eq!(words.plain(word.as_bytes()), [0]);
    assert!(words.forms(b"nothing of it").is_empty());
}
