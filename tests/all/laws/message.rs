//! Generated messages: the shape of an event, values that fit its rows, and habits of senders.

use std::collections::BTreeMap;
use std::path::Path;

use kangqiao::wire::Charset;

/// SplitMix64: the same number gives the same message on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// Whether something happens that happens once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// A row of a segment table: where, and as what.
struct Row {
    field: usize,
    component: usize,
    form: String,
}

/// Each segment's rows and each event's segments, as the shipped tables have them.
pub struct Grammar {
    rows: BTreeMap<String, Vec<Row>>,
    events: Vec<(String, Vec<String>)>,
    codes: Vec<String>,
}

const TEXTS: &[&str] = &[
    "A1",
    "张三",
    "欧阳锋",
    "Smith",
    "O'Brien",
    "0371-63912345",
    "MR",
    "NI",
    "M",
    "F",
    "2",
    "I",
    "2106-3",
    "洛阳市第一医院",
    "7.10",
    "-3",
    "<0.5",
    "mmol/L",
    "20261121",
    "20261121083059+0800",
    "2026-11-21 08:30",
    " 01 ",
    "\"\"",
    "Y",
    "N",
    "億東",
    "8302-2",
    "LN",
    "\u{7f}",
    "a\u{7f}b",
    "\\F\\",
    "\\T\\",
    "\\E\\T\\E\\",
    "\\X41\\",
    "\\.br\\",
    "\\H\\x\\N\\",
    "\\",
    "a#b",
    "男",
    "\u{3447}",
    "410105194803120420",
    "1.2.840.1",
    "ISO",
    "NM",
    "SN",
    "CE",
    "CWE",
    "ED",
    "FT",
    "DT",
    "Base64",
    "JVBERg==",
    "𠂇",
];

impl Grammar {
    pub fn read(folder: &Path) -> Self {
        let mut grammar = Self { rows: BTreeMap::new(), events: Vec::new(), codes: Vec::new() };
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "toml")) {
            let table: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
            if let Some(segment) = table.get("segment").and_then(toml::Value::as_str) {
                let rows = table.get("rows").and_then(toml::Value::as_array);
                let rows = rows.into_iter().flatten().filter_map(|row| grammar.row(row));
                let rows = rows.collect();
                grammar.rows.insert(segment.to_owned(), rows);
            }
            let list = |key: &str| table.get(key).and_then(toml::Value::as_array).cloned();
            let one = table.get("event").cloned();
            for event in list("events").into_iter().flatten().chain(one) {
                let segments = list("segments").unwrap_or_default();
                let segments = segments.iter().map(|name| name.as_str().unwrap().to_owned());
                grammar.events.push((event.as_str().unwrap().to_owned(), segments.collect()));
            }
        }
        grammar.codes.sort();
        grammar
    }

    fn row(&mut self, row: &toml::Value) -> Option<Row> {
        let (_, place) = row.get("wire")?.as_str()?.split_once('-')?;
        let mut numbers = place.split('.').map(|number| number.parse().unwrap());
        let (field, component) = (numbers.next()?, numbers.next().unwrap_or(0));
        let refuses = row.get("unknown").and_then(toml::Value::as_str) == Some("refuse");
        let form = row.get("as").and_then(toml::Value::as_str).filter(|_| !refuses);
        let form = form.unwrap_or(if refuses { "sex" } else { "text" }).to_owned();
        let wanted = row.get("when").and_then(|when| when.get("is"));
        let wanted = wanted.and_then(toml::Value::as_array).into_iter().flatten();
        self.codes.extend(wanted.filter_map(toml::Value::as_str).map(str::to_owned));
        Some(Row { field, component, form })
    }

    /// One message, in a character set and with the line ends of some sender.
    pub fn message(&self, random: &mut Random) -> Vec<u8> {
        let usual = *random.pick(&["|^~\\&", "|^~\\&", "|^~\\&#"]);
        let signs = if random.once_in(20) { "#@%!*" } else { usual };
        let (event, segments) = random.pick(&self.events);
        let charset = *random.pick(&[Charset::Utf8, Charset::Utf8, Charset::Gb18030]);
        let name = match charset {
            Charset::Gb18030 => "GBK",
            _ if random.once_in(2) => "UNICODE UTF-8",
            _ => "UTF-8",
        };
        let mut lines = vec![header(signs, event, name)];
        for listed in segments.iter().filter(|listed| *listed != "MSH") {
            let id = listed.trim_matches(['[', ']', '{', '}']);
            let most = if listed.contains('{') { 2 } else { 1 };
            let least = usize::from(!listed.contains('['));
            let more = if random.once_in(3) { random.below(most) + 1 } else { 0 };
            for _ in 0..least.max(more) {
                lines.push(self.segment(id, signs, random));
            }
        }
        if random.once_in(8) {
            lines.push(self.segment("ZZZ", signs, random));
        }
        let end = *random.pick(&["\r", "\r", "\r", "\r\n", "\n"]);
        let mut text = lines.join(end);
        text.push_str(if random.once_in(3) { "" } else { end });
        let marked = charset == Charset::Utf8 && random.once_in(30);
        let text = if marked { format!("\u{feff}{text}") } else { text };
        charset.encode(&text).unwrap().into_owned()
    }

    fn segment(&self, id: &str, signs: &str, random: &mut Random) -> String {
        let sign = |index: usize| signs.chars().nth(index).unwrap();
        let none = Vec::new();
        let rows = self.rows.get(id).unwrap_or(&none);
        let mut fields: BTreeMap<usize, String> = BTreeMap::new();
        for row in rows {
            let needed = matches!((id, row.field), ("PV1", 2) | ("MRG", 1) | ("PID", 3));
            if !needed && !random.once_in(4) {
                continue;
            }
            let mut value = self.value(&row.form, signs, random);
            if row.component > 1 {
                value.insert_str(0, &sign(1).to_string().repeat(row.component - 1));
            }
            while random.once_in(6) {
                value.push(sign(2));
                value.push_str(&self.value(&row.form, signs, random));
            }
            fields.insert(row.field, value);
        }
        if id == "MRG" {
            fields.insert(1, "B7".to_owned());
        }
        if random.once_in(2) {
            fields.insert(1 + random.below(40), self.value("any", signs, random));
        }
        let mut text = id.to_owned();
        for number in 1..=fields.keys().last().copied().unwrap_or(0) {
            text.push(sign(0));
            text.push_str(fields.get(&number).map(String::as_str).unwrap_or_default());
        }
        for _ in 0..random.below(4).saturating_sub(1) {
            text.push(sign(0));
        }
        text
    }

    fn value(&self, form: &str, signs: &str, random: &mut Random) -> String {
        let fits: &[&str] = match form {
            "date" => &["1949", "194912", "20261121083059", "20261121083059.1234+0800"],
            "quantity" => &["165", "7.10", "+3", "<5", ">=0.5", "< 7"],
            "boolean" => &["Y", "N"],
            // The one row that refuses what its table lacks; now and then it may.
            "sex" if !random.once_in(50) => return (*random.pick(&["M", "F"])).to_owned(),
            "code" if random.once_in(3) => return random.pick(&self.codes).clone(),
            _ => &[],
        };
        if !fits.is_empty() && !random.once_in(5) {
            return (*random.pick(fits)).to_owned();
        }
        let parts = if random.once_in(2) { 1 } else { 1 + random.below(7) };
        let mut text = String::new();
        for part in 0..parts {
            if part > 0 {
                text.push(signs.chars().nth(if random.once_in(5) { 4 } else { 1 }).unwrap());
            }
            if !random.once_in(4) {
                let plain = *random.pick(TEXTS);
                let plain: String = plain.chars().filter(|sign| !"#@%!*".contains(*sign)).collect();
                let escape = signs.chars().nth(3).unwrap();
                text.push_str(&plain.replace('\\', &escape.to_string()));
            }
        }
        text
    }
}

fn header(signs: &str, event: &str, charset: &str) -> String {
    let mut rest = signs.chars();
    let field = rest.next().unwrap();
    let component = rest.clone().next().unwrap();
    let event = event.replace('^', &component.to_string());
    let line = format!(
        "MSH|{}|HIS|H|KQ|G|20261121083000+0800||{event}|C1|P|2.5|||AL|NE|CHN|{charset}",
        rest.as_str()
    );
    line.replace('|', &field.to_string())
}
