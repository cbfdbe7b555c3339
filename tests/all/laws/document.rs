//! Shared documents made from the tables: what is written of a record is read as that record.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use kangqiao::translate::Pack;
use kangqiao::vocabulary::{Group, Record, Source};
use kangqiao::wire::tree::Tree;
use kangqiao::wire::xml;

use super::message::Random;
use crate::rig::{ROOT, loudly};

/// Beside the messages of the other law.
const DOCUMENTS: u64 = 20_000;
const THREADS: u64 = 2;

const WORDS: &[&str] =
    &["好转", "右侧", "a < b & c", "规律服药三年余", "头晕。无恶心", "P-7", "0.9%氯化钠"];
const CODES: &[&str] = &["1", "2", "01", "9", "99", "I10.x02", "BNP050", "Ⅱ"];
const UNITS: &[&str] = &["", "mmHg", "℃", "次/min", "g", "Kg"];
const DATES: &[&str] = &["20261121", "20261121093000", "2026", "202611", "202611210930"];

/// One row of `entries.csv`.
struct Row {
    section: String,
    title: String,
    element: String,
    name: String,
    kind: String,
    system: String,
}

/// The documents and what stands in each.
struct Tables {
    /// Code, template, roots of the numbers.
    documents: Vec<(String, String, Vec<String>)>,
    entries: BTreeMap<String, Vec<Row>>,
}

impl Tables {
    fn read(folder: &Path) -> Self {
        let rows = |name: &str| {
            let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
            reader.records().map(Result::unwrap).collect::<Vec<_>>()
        };
        let text = |row: &csv::StringRecord, at: usize| row.get(at).unwrap_or_default().to_owned();
        let documents = rows("documents.csv");
        let documents = documents.iter().map(|row| {
            let roots = text(row, 5).split_whitespace().map(str::to_owned).collect();
            (text(row, 0), text(row, 2), roots)
        });
        let mut entries: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for row in rows("entries.csv") {
            entries.entry(text(&row, 0)).or_default().push(Row {
                section: text(&row, 1),
                title: text(&row, 2),
                element: text(&row, 3),
                name: text(&row, 4),
                kind: text(&row, 6),
                system: text(&row, 7),
            });
        }
        Self { documents: documents.collect(), entries }
    }

    /// One document: a header and up to ten entries of its own table.
    fn document(&self, random: &mut Random) -> String {
        let (code, template, roots) = random.pick(&self.documents);
        let mut out = head(random, (code, template), roots);
        let none = Vec::new();
        let rows = self.entries.get(code).unwrap_or(&none);
        out.push_str("<component><structuredBody>");
        let mut open: Option<(&str, &str)> = None;
        for _ in 0..random.below(10) {
            if rows.is_empty() {
                break;
            }
            let row = random.pick(rows);
            let place = (row.section.as_str(), row.title.as_str());
            if open != Some(place) {
                if open.is_some() {
                    out.push_str("</section></component>");
                }
                open = Some(place);
                section(&mut out, row);
            }
            write!(out, "<entry>{}</entry>", statement(random, (row, rows))).unwrap();
        }
        if open.is_some() {
            out.push_str("</section></component>");
        }
        out.push_str("</structuredBody></component></ClinicalDocument>");
        out
    }
}

fn section(out: &mut String, row: &Row) {
    out.push_str("<component><section>");
    if !row.section.is_empty() {
        let loinc = "codeSystem=\"2.16.840.1.113883.6.1\" displayName=\"X\"";
        write!(out, "<code code=\"{}\" {loinc}/>", row.section).unwrap();
    }
    if !row.title.is_empty() {
        write!(out, "<title>{}</title>", row.title).unwrap();
    }
    out.push_str("<text>nobody believes this</text>");
}

fn head(random: &mut Random, (code, template): (&str, &str), roots: &[String]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><realmCode code=\"CN\"/>\
         <typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_MT000040\"/>\
         <templateId root=\"{template}\"/><id root=\"2.16.156.10011.1.1\" extension=\"N{}\"/>\
         <code code=\"{code}\" codeSystem=\"2.16.156.10011.2.4\"/><title>T</title>\
         <effectiveTime value=\"20261121093000\"/><confidentialityCode code=\"N\" \
         codeSystem=\"2.16.840.1.113883.5.25\"/><languageCode code=\"zh-CN\"/>\
         <recordTarget><patientRole classCode=\"PAT\">",
        random.below(100_000)
    );
    for root in roots {
        let number = 1000 + random.below(9000);
        if !random.once_in(4) {
            write!(out, "<id root=\"{root}\" extension=\"{number}\"/>").unwrap();
        }
    }
    if random.once_in(2) {
        out.push_str(
            "<addr use=\"H\"><county>示例区</county><streetName>a &amp; b</streetName></addr>",
        );
    }
    if random.once_in(2) {
        out.push_str("<telecom value=\"19900000001\"/><telecom value=\"19900000002\"/>");
    }
    write!(
        out,
        "<patient><id root=\"2.16.156.10011.1.3\" extension=\"11010519491231002X\"/><name>{}</name>\
         <administrativeGenderCode code=\"{}\" codeSystem=\"2.16.156.10011.2.3.3.4\"/>\
         <age value=\"{}\" unit=\"岁\"/></patient></patientRole></recordTarget>",
        random.pick(&["张三", "欧阳锋", "Smith"]),
        random.pick(&["1", "2", "9"]),
        random.below(120)
    )
    .unwrap();
    out.push_str("<author>");
    write!(out, "<time value=\"{}\"/>", random.pick(DATES)).unwrap();
    out.push_str("<assignedAuthor><id root=\"2.16.156.10011.1.7\" extension=\"D1\"/>");
    out.push_str("<assignedPerson><name>李四</name></assignedPerson></assignedAuthor></author>");
    out.push_str("<custodian><assignedCustodian><representedCustodianOrganization>");
    out.push_str("<id root=\"2.16.156.10011.1.5\" extension=\"O1\"/><name>示例医院</name>");
    out.push_str("</representedCustodianOrganization></assignedCustodian></custodian>");
    if random.once_in(2) {
        write!(
            out,
            "<componentOf><encompassingEncounter><effectiveTime value=\"{}\"/><location>\
             <healthCareFacility><serviceProviderOrganization><asOrganizationPartOf>\
             <wholeOrganization><id root=\"2.16.156.10011.1.22\" extension=\"7\"/><name>7床</name>\
             </wholeOrganization></asOrganizationPartOf></serviceProviderOrganization>\
             </healthCareFacility></location></encompassingEncounter></componentOf>",
            random.pick(DATES)
        )
        .unwrap();
    }
    out
}

/// A plain observation, one with parts, one with a performer, or an organizer of several.
fn statement(random: &mut Random, (row, rows): (&Row, &[Row])) -> String {
    let inner = |random: &mut Random| {
        let row = random.pick(rows);
        observation(random, row, "")
    };
    match random.below(6) {
        0 => {
            let part = inner(random);
            let part = format!("<entryRelationship typeCode=\"COMP\">{part}</entryRelationship>");
            observation(random, row, &part)
        }
        1 => {
            let who = "<performer><time value=\"20261120\"/><assignedEntity><id \
                       root=\"2.16.156.10011.1.4\" extension=\"P9\"/><assignedPerson>\
                       <name>王五</name></assignedPerson></assignedEntity></performer>";
            observation(random, row, who)
        }
        2 => {
            let mut parts = String::new();
            for _ in 0..=random.below(3) {
                write!(parts, "<component>{}</component>", inner(random)).unwrap();
            }
            format!(
                "<organizer classCode=\"BATTERY\" moodCode=\"EVN\"><statusCode/>{parts}</organizer>"
            )
        }
        _ => observation(random, row, ""),
    }
}

fn observation(random: &mut Random, row: &Row, parts: &str) -> String {
    let name = if random.once_in(5) { random.pick(WORDS) } else { row.name.as_str() };
    let name = escaped(name);
    let time = match random.below(6) {
        0 => format!("<effectiveTime value=\"{}\"/>", random.pick(DATES)),
        1 => "<effectiveTime><low value=\"20261101\"/><high value=\"20261102\"/></effectiveTime>"
            .to_owned(),
        _ => String::new(),
    };
    let system = if row.element.starts_with("HDSD") { "4" } else { "1" };
    format!(
        "<observation classCode=\"OBS\" moodCode=\"EVN\"><code code=\"{}\" \
         codeSystem=\"2.16.156.10011.2.2.{system}\" displayName=\"{name}\"/>\
         {time}{}{parts}</observation>",
        row.element,
        value(random, row)
    )
}

fn value(random: &mut Random, row: &Row) -> String {
    let number = format!("{}.{}", random.below(300), random.below(10));
    let unit = random.pick(UNITS);
    match row.kind.as_str() {
        "CD" => {
            let code = random.pick(CODES);
            let display = if random.once_in(2) { "displayName=\"某项\"" } else { "" };
            let code = if random.once_in(8) { String::new() } else { format!("code=\"{code}\"") };
            format!("<value xsi:type=\"CD\" {code} codeSystem=\"{}\" {display}/>", row.system)
        }
        "BL" => format!("<value xsi:type=\"BL\" value=\"{}\"/>", random.pick(&["true", "false"])),
        "TS" => format!("<value xsi:type=\"TS\" value=\"{}\"/>", random.pick(DATES)),
        "INT" => format!("<value xsi:type=\"INT\" value=\"{}\"/>", random.below(40)),
        "REAL" => format!("<value xsi:type=\"REAL\" value=\"{number}\"/>"),
        "MO" => format!("<value xsi:type=\"MO\" value=\"{number}\" currency=\"元\"/>"),
        "IVL_TS" => format!(
            "<value xsi:type=\"IVL_TS\"><width value=\"{}\" unit=\"min\"/></value>",
            random.below(90)
        ),
        "PQ" if random.once_in(6) => "<value xsi:type=\"PQ\" unit=\"g\"/>".to_owned(),
        "PQ" => format!("<value xsi:type=\"PQ\" value=\"{number}\" unit=\"{unit}\"/>"),
        _ => {
            let text = if random.once_in(8) { "无" } else { random.pick(WORDS) };
            format!("<value xsi:type=\"ST\">{}</value>", escaped(text))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Attributes and texts that say something.
fn leaves(tree: &Tree) -> usize {
    match tree {
        Tree::Text(text) => usize::from(!text.trim().is_empty()),
        Tree::List(items) => items.iter().map(leaves).sum(),
        Tree::Map(members) => members.iter().map(|(_, member)| leaves(member)).sum(),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => 0,
    }
}

fn told(group: &Group, sorted: bool) -> Vec<String> {
    let value = |value| serde_json::to_string(value).unwrap();
    let fields = group.fields.iter();
    let fields = fields.map(|field| format!("{} {}", field.element, value(&field.value)));
    let mut told: Vec<_> = fields.collect();
    if sorted {
        told.sort_unstable();
    }
    told
}

fn same(record: &Record, again: &Record) -> Option<usize> {
    let count = record.groups.len().max(again.groups.len());
    (0..count).find(|number| {
        let (Some(one), Some(other)) = (record.groups.get(*number), again.groups.get(*number))
        else {
            return true;
        };
        let differs = told(one, *number == 0) != told(other, *number == 0);
        differs || one.name != other.name || one.parent != other.parent
    })
}

fn check(pack: &Pack, sender: Source, (number, text): (u64, &str)) {
    let limits = xml::Limits::default();
    let found = pack.read_cda(sender, text.as_bytes(), &limits).unwrap();
    // Parsing takes most of the time, so not every document is parsed once more for it.
    if number.is_multiple_of(8) {
        let tree = xml::read(text.as_bytes(), &limits).unwrap().tree;
        let counted = usize::try_from(found.bins.leaves()).unwrap();
        assert_eq!(counted, leaves(&tree), "{number}\n{text}");
    }
    assert_eq!(found.bins.unmapped, 0, "{number}\n{text}");
    let kept = usize::try_from(found.bins.carried).unwrap();
    assert_eq!(found.record.carried.len(), kept, "{number}");
    let written = pack.write_cda(&found.record);
    let again = pack.read_cda(sender, &written, &limits).unwrap();
    assert_eq!(again.bins.unmapped, 0, "{number}\n{}", String::from_utf8_lossy(&written));
    // Generated, so they may be shown.
    let differs = same(&found.record, &again.record);
    assert_eq!(differs, None, "{number}\n{text}\n{}", String::from_utf8_lossy(&written));
}

#[test]
fn what_is_written_of_a_generated_document_is_read_as_the_same_record() {
    let folder = Path::new(ROOT).join("mappings");
    let pack = crate::documents::pack();
    let tables = Tables::read(&folder.join("cda"));
    let sender = Source::parse("example").unwrap();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pack, tables) = (&pack, &tables);
            scope.spawn(move || {
                for number in (thread..DOCUMENTS).step_by(usize::try_from(THREADS).unwrap()) {
                    let mut random = Random::new(number);
                    let text = tables.document(&mut random);
                    check(pack, sender, (number, &text));
                }
            });
        }
    });
    loudly(&format!("{DOCUMENTS} generated documents in {:?}", began.elapsed()));
}
