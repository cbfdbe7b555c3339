//! `make bench-privacy`: what a decision costs, and whether the time of an answer tells whether
//! anybody is known.
//!
//! The decision is measured in this process, on one core; the look-ups go over one TLS connection
//! to the real gateway. Figures of time belong to the machine, ratios less so.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot measure stops"
)]

#[allow(dead_code, reason = "a benchmark needs less of it than the tests do")]
#[path = "../tests/all/rig/mod.rs"]
mod rig;

use std::path::Path;
use std::time::Instant;

use kangqiao::config::files::read_folder;
use kangqiao::identity::Keys;
use kangqiao::policy::{Admission, Evidence, Gathered, PolicySet, decide};
use kangqiao::vocabulary::record::{Field, Group};
use kangqiao::vocabulary::value::{Composite, Quantity};
use kangqiao::vocabulary::{
    Catalogue, CodeTables, Coding, Dataset, Date, Department, Element, ElementId, Files, GroupName,
    Record, Role, Source, Value, ValueType,
};
use kangqiao_conformance::https::Link;
use rig::message::{Message, Resident};
use rig::{CLERK, DOCTOR, Rig};
use serde_json::{Value as Json, json};

/// Rules in force, and elements of a record.
const RULES: usize = 200;
const ELEMENTS: usize = 64;
/// People of each kind who are looked up.
const PEOPLE: usize = 2_000;
/// Decisions of one measurement.
const DECISIONS: u32 = 20_000;

fn main() {
    let decision = decision();
    println!("decision and treatment of {ELEMENTS} elements under {RULES} rules: {decision:.1} us");
    let rig = Rig::start();
    let cached = cached(&rig);
    // The same answer without the decision: what is left once its time is taken away.
    let ratio = cached / (cached - decision);
    println!("cached inquiry: {cached:.0} us, {ratio:.2} times the same without a decision");
    let told = [
        ("no consent, first look-up", (DOCTOR, "institution-admission"), 1),
        ("no consent, cached", (DOCTOR, "institution-admission"), 2),
        ("nothing to tell, first look-up", (CLERK, "living-check"), 1),
        ("nothing to tell, cached", (CLERK, "living-check"), 2),
    ];
    let told = told.map(|(what, asked, times)| {
        let (auc, [withheld, absent]) = look_ups(&rig, asked, times);
        println!("{what:<32} AUC {auc:.3}   p50 us: withheld {withheld:.0}, absent {absent:.0}");
        (what, (auc, [withheld, absent]))
    });
    let rows = told.iter().map(|(what, (auc, [withheld, absent]))| {
        json!({ "what": what, "auc": auc, "withheld_p50_us": withheld, "absent_p50_us": absent,
                "aim": 0.55, "met": *auc <= 0.55 })
    });
    write(&json!({
        "decision": { "elements": ELEMENTS, "rules": RULES, "us": decision, "aim_us": 100,
            "met": decision < 100.0 },
        "cached_inquiry": { "us": cached, "ratio": ratio, "aim": 2, "met": ratio <= 2.0 },
        "timing": { "people_of_each": PEOPLE, "rows": rows.collect::<Vec<_>>() },
    }));
}

/// Microseconds of one decision.
fn decision() -> f64 {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mappings = read_folder(&root.join("mappings")).unwrap();
    let tables = CodeTables::load(&mappings).unwrap();
    let catalogue = Catalogue::load(&mappings, &tables).unwrap();
    let open = catalogue.iter().filter(|one| one.level < 5 && value(one).is_some());
    let open: Vec<_> = open.take(ELEMENTS * 3).collect();
    let policies = read_folder(&root.join("policies")).unwrap();
    let set = PolicySet::load(&with_rules(&policies, &open), &catalogue, &tables);
    let set = set.unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert!(format!("{set:?}").contains(&format!(" {RULES} rules")), "{set:?}");
    let asker = (Department::parse("bench").unwrap(), Role::parse("clerk").unwrap());
    let admission = set.admit(asker, "bench", Evidence::default()).unwrap();
    // Those that no rule of everybody's withholds, as many as are measured.
    let whole = record(&open);
    let told = release(&admission, &whole);
    let open = open.into_iter().filter(|one| told.contains(&one.id)).take(ELEMENTS);
    let record = record(&open.collect::<Vec<_>>());
    assert_eq!(release(&admission, &record).len(), ELEMENTS);
    let keys = Keys::derive(&[7; 32]);
    let best = (0..5).map(|_| {
        let begun = Instant::now();
        for _ in 0..DECISIONS {
            let gathered = [Gathered { record: &record, as_of: 1_790_000_000 }];
            let scope = admission.towards(&gathered, 1_790_000_000);
            std::hint::black_box(decide(&scope, None, &gathered, &keys));
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS)
    });
    best.fold(f64::INFINITY, f64::min)
}

fn release(admission: &Admission, record: &Record) -> Vec<ElementId> {
    let gathered = [Gathered { record, as_of: 1_790_000_000 }];
    let scope = admission.towards(&gathered, 1_790_000_000);
    let release = decide(&scope, None, &gathered, &Keys::derive(&[7; 32]));
    release.released().map(|one| one.element().id).collect()
}

fn record(elements: &[&Element]) -> Record {
    let fields = elements.iter().map(|element| Field {
        element: element.id,
        value: value(element).unwrap(),
        at: None,
    });
    let name = GroupName::parse("record").unwrap();
    Record {
        dataset: Dataset::parse("admission").unwrap(),
        source: Source::parse("hospital-a").unwrap(),
        time: Date::parse("20260908").ok(),
        groups: vec![Group { name, parent: None, fields: fields.collect() }],
        carried: Vec::new(),
        wire: None,
        mappings: String::new(),
    }
}

/// Something of the element's type.
fn value(element: &Element) -> Option<Value> {
    let line = Composite::line;
    Some(match element.value {
        ValueType::Address => Value::Address(line("河南省郑州市金水区测试路17号院3号楼")),
        ValueType::Code => {
            Value::Code(Coding { code: Some("1".to_owned()), display: None, original: None })
        }
        ValueType::Date => Value::Date(Date::parse("20260908").unwrap()),
        ValueType::Name => Value::Name(line("测试甲")),
        ValueType::Quantity => {
            let number = "74".to_owned();
            Value::Quantity(Quantity { number, comparator: None, unit: None })
        }
        ValueType::Telecom => Value::Telecom(line("13900000000")),
        ValueType::Text => Value::Text("血压平稳，低盐饮食，两周后复诊".to_owned()),
        _ => return None,
    })
}

/// The shipped policies with a department of its own, and rules up to the number measured.
fn with_rules(shipped: &Files, elements: &[&Element]) -> Files {
    let mut files = shipped.clone();
    let text = |name: &str| {
        let (_, bytes) = shipped.iter().find(|(path, _)| *path == name).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let ids: Vec<_> = elements.iter().map(|one| format!("\"{}\"", one.id)).collect();
    let department = "\n[[department]]\nname = \"bench\"\nkind = \"bench\"\nzh = \"测\"\nen = \
        \"x\"\ncertificates = \
        [{ subject = \"bench\", role = \"clerk\" }]\n\
        grants = [{ purpose = \"bench\", roles = [\"clerk\"] }]\n";
    let both = "{ zh = \"测\", en = \"x\" }";
    let purpose = format!(
        "\n[[purpose]]\nid = \"bench\"\ncode = \"B\"\nzh = \"测\"\nen = \"x\"\nupstreams = []\n\
         legal_basis = {{ zh = \"测\", en = \"x\", wording = \"unconfirmed\" }}\n\
         stale = \"answer\"\nconsent = \"may-refuse\"\nnaming = \"all\"\nremedy = {both}\n\
         elements = [{}]\n",
        ids.join(", ")
    );
    files.insert("departments.toml".to_owned(), text("departments.toml") + department);
    files.insert("purposes.toml".to_owned(), text("purposes.toml") + &purpose);
    let shipped = shipped.iter().filter(|(name, _)| name.ends_with(".cedar"));
    let rules = shipped.map(|(_, bytes)| String::from_utf8_lossy(bytes).matches("@id(").count());
    let more = RULES - rules.sum::<usize>();
    let rule = |(number, element): (usize, &String)| {
        let action = if number % 2 == 0 { "full" } else { "generalised" };
        format!(
            "@id(\"bench-{number}\")\npermit (principal in Kind::\"bench\", \
             action == Action::\"{action}\", resource == Element::{element})\n\
             when {{ context.role == Role::\"clerk\" && context.purpose == Purpose::\"bench\" }};\n"
        )
    };
    let rules: String = ids.iter().cycle().take(more).enumerate().map(rule).collect();
    files.insert("bench.cedar".to_owned(), rules);
    let example = "title = \"x\"\n[[example]]\ntitle = \"x\"\ndepartment = \"bench\"\n\
                   role = \"clerk\"\npurpose = \"bench\"\nnever_classes = [\"mental\"]\n";
    files.insert("bench.examples.toml".to_owned(), example);
    files
}

/// Half of the time of an inquiry whose records are in the cache is under this, microseconds.
fn cached(rig: &Rig) -> f64 {
    let resident = Resident::new();
    rig.mllp().exchange(&Message::new("A01", &resident).bytes()).unwrap();
    let mut link = rig.https(CLERK);
    let took = (0..2_000).map(|_| ask(&mut link, "subsidy-eligibility", &resident.citizen));
    middle(&took.skip(200).collect::<Vec<_>>())
}

/// People of whom something is withheld and people nobody knows, one after the other over one
/// connection; what is measured is the last of so many times each is asked about.
fn look_ups(rig: &Rig, (who, purpose): (&str, &str), times: usize) -> (f64, [f64; 2]) {
    let mut sender = rig.mllp();
    let people: Vec<_> = (0..PEOPLE).map(|_| [Resident::new(), Resident::new()]).collect();
    for [known, _] in &people {
        let mut message = Message::new("A01", known);
        message.segments.push("DG1|1||J44.100^慢性阻塞性肺病^I10||20261001|A".to_owned());
        sender.exchange(&message.bytes()).unwrap();
    }
    let mut link = rig.https(who);
    let mut took: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for (number, pair) in people.iter().enumerate() {
        // Neither kind always follows the other.
        let order = if number % 2 == 0 { [0, 1] } else { [1, 0] };
        for kind in order {
            let last = (0..times).map(|_| ask(&mut link, purpose, &pair[kind].citizen)).last();
            took[kind].push(last.unwrap());
        }
    }
    (area(&took[0], &took[1]), [middle(&took[0]), middle(&took[1])])
}

fn ask(link: &mut Link, purpose: &str, citizen: &str) -> f64 {
    let identifier = json!({ "kind": "citizen-id", "value": citizen });
    let body = json!({ "identifier": identifier, "purpose": purpose }).to_string();
    let begun = Instant::now();
    let reply = link.post("/v1/inquiries", "application/json", body.as_bytes()).unwrap();
    let took = begun.elapsed().as_secs_f64() * 1e6;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    took
}

fn middle(took: &[f64]) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// How often whoever guesses by a threshold of time is right about two people, one of each kind:
/// a half is a guess.
fn area(one: &[f64], other: &[f64]) -> f64 {
    let mut other = other.to_vec();
    other.sort_by(f64::total_cmp);
    let slower: usize = one.iter().map(|took| other.partition_point(|less| less < took)).sum();
    let area = slower as f64 / (one.len() * other.len()) as f64;
    area.max(1.0 - area)
}

/// Beside the build, as `target/privacy.json`.
fn write(report: &Json) {
    let binary = Path::new(env!("CARGO_BIN_EXE_kangqiao"));
    let path = binary.parent().and_then(Path::parent).unwrap().join("privacy.json");
    std::fs::write(&path, format!("{report:#}\n")).unwrap();
    println!("written to {}", path.display());
}
