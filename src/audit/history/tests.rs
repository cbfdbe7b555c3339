//! The account of one invented person, as it is told, as a page and on paper.

use std::path::Path;
use std::sync::LazyLock;

use super::typeface::{Typeface, TypefaceError};
use super::*;
use crate::audit::Reference;
use crate::config::files::read_folder;
use crate::policy::PolicySet;
use crate::translate::Pack;
use crate::vocabulary::{CodeTables, Fault, Files, Tier};

const DAY: i64 = 86_400_000;
/// 2026-11-30 09:00, China Standard Time.
const AT: i64 = 1_796_000_400_000;

fn files(folder: &str) -> Files {
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap()
}

fn person(number: u8) -> Pseudonym {
    Pseudonym(format!("{number:032x}"))
}

/// The shipped rules, read once.
static RULES: LazyLock<(Pack, PolicySet)> = LazyLock::new(|| {
    let mappings = files("mappings");
    let pack = Pack::load(&mappings).unwrap();
    let tables = CodeTables::load(&mappings).unwrap();
    let policies = PolicySet::load(&files("policies"), pack.catalogue(), &tables).unwrap();
    (pack, policies)
});

/// Tells entries by the shipped policies, as a person of two pseudonyms gets them.
fn account(entries: Vec<Entry>) -> Account {
    let found: Vec<_> = (0..).zip(entries).map(|(number, entry)| Found { number, entry }).collect();
    let about = About {
        persons: vec![person(1), person(2)],
        since_ms: None,
        until_ms: Some(AT + DAY),
        at_ms: AT + DAY,
        known: true,
        retired: 256,
        entered: Some(Receipt::new(AT + DAY, [5; 16])),
        checkpoint: Checkpoint::unproven(
            b"ledger.example\n9\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        ),
    };
    Account::new(&found, Titles { policies: &RULES.1, catalogue: RULES.0.catalogue() }, &about)
}

fn entry(kind: Kind, by: (&str, &str, &str)) -> Entry {
    let mut entry = Entry::new(kind, AT, [3; 16]);
    entry.person = Some(person(1));
    entry.department = Department::parse(by.0).ok();
    entry.role = Role::parse(by.1).ok();
    entry.purpose = Purpose::parse(by.2).ok();
    entry
}

fn disclosure() -> Entry {
    let mut entry = entry(Kind::Disclosure, ("civil-affairs", "clerk", "living-check"));
    for (tier, id) in [(Tier::Full, "DE02.01.039.00"), (Tier::Generalised, "DE02.01.005.01")] {
        entry.elements.insert(tier, ElementId::parse(id).unwrap());
    }
    entry.withheld.insert(ElementId::parse("DE05.01.024.00").unwrap());
    entry
}

fn opened(call: &str) -> Entry {
    let call = Some(Reference::new(call));
    Entry { call, ..entry(Kind::BreakGlass, ("hotline-12349", "agent", "emergency-card")) }
}

fn looked_at(word: &str) -> Entry {
    let mut entry = Entry::new(Kind::BreakGlass, AT + DAY, [4; 16]);
    entry.person = Some(person(1));
    entry.subject = Some(Reference::new(word));
    entry
}

/// Everything that is said in a chapter.
fn said(account: &Account, chapter: usize) -> String {
    let told = account.chapters.get(chapter).map(|chapter| &chapter.told);
    told.into_iter().flatten().flat_map(|told| told.sentences.clone()).collect()
}

#[test]
fn an_answer_is_told_by_titles_and_tiers_and_holds_no_word_of_a_peer() {
    let mut entry = disclosure();
    entry.asker = Some(Reference::new("Wang of the third desk"));
    entry.reason = Some(Reference::new("fell down"));
    let account = account(vec![entry]);
    assert_eq!(
        said(&account, 0),
        "民政局的经办人为“生存状态核验”查阅了本人的信息。\
         看到了完整内容：本人姓名。只看到概略内容：出生日期。没有给出：疾病诊断编码。"
    );
    let all = format!("{account:?}");
    assert!(!all.contains("Wang") && !all.contains("fell down"));
    let one = account.chapters[0].told.first().unwrap();
    assert_eq!((one.at.as_str(), one.number), ("2026年11月30日 09:00:00", 0));
    assert_eq!(one.receipt, Receipt::new(AT, [3; 16]).to_string());
}

#[test]
fn each_kind_has_its_own_sentence() {
    let clerk = ("civil-affairs", "clerk", "living-check");
    for (entry, chapter, words) in [
        (
            Entry { fault: Some(Fault::PurposeNotGranted), ..entry(Kind::Refusal, clerk) },
            0,
            "被拒绝",
        ),
        (entry(Kind::Refusal, ("", "", "")), 0, "未能识别的系统要求查阅"),
        (entry(Kind::Delivery, clerk), 0, "通知了民政局的经办人"),
        (entry(Kind::Location, ("record-platform", "", "record-location")), 0, "说明了查找的是谁"),
        (Entry { asked_by: Some(person(2)), ..disclosure() }, 0, "这次查阅由本人提出"),
        (Entry { asked_by: Some(person(7)), ..disclosure() }, 0, "由另一名办事的人提出"),
        (entry(Kind::Disclosure, clerk), 0, "没有得到任何项目"),
        (entry(Kind::Enrolment, clerk), 2, "订阅"),
        (entry(Kind::Merge, ("", "", "")), 2, "合并为同一人"),
        (entry(Kind::Query, ("", "", "")), 2, "审计员或运维员查阅了有关本人的台账条目"),
        (entry(Kind::Export, ("", "", "")), 2, "制作了本人的查阅记录"),
        (entry(Kind::Disclosure, ("gone", "unheard-of", "past")), 0, "gone的unheard-of为“past”"),
    ] {
        let kind = entry.kind;
        let account = account(vec![entry]);
        assert!(said(&account, chapter).contains(words), "{kind:?}: {}", said(&account, chapter));
    }
}

#[test]
fn an_emergency_says_whether_it_was_looked_at_and_never_of_another() {
    let other = || Entry { department: Department::parse("civil-affairs").ok(), ..opened("C-1") };
    for (entries, words) in [
        (vec![opened("C-1")], "尚待事后复核"),
        (vec![opened("C-1"), looked_at("justified: C-1")], "认定属于应急"),
        (vec![opened("C-1"), looked_at("not justified: C-1")], "认定不应调阅"),
        (vec![opened("C-1"), looked_at("justified: C-2")], "尚待事后复核"),
        (vec![opened("C-1"), other(), looked_at("justified: C-1")], "尚待事后复核"),
    ] {
        let waits = usize::from(words.starts_with("尚待"));
        let account = account(entries);
        let first = account.chapters[1].told.first().unwrap().sentences.concat();
        assert!(first.contains(words), "{first}");
        assert!(first.contains("12349 居家养老信息服务平台的话务员以紧急情况为由"), "{first}");
        assert_eq!(account.lead.concat().contains("尚待"), waits == 1);
        assert!(!format!("{:?}", account.chapters).contains("C-1"), "no number of a call");
    }
}

#[test]
fn a_page_is_whole_and_whatever_stands_in_a_title_is_text() {
    let mut account = account(vec![disclosure()]);
    account.lead.push("<script>alert(1)</script> & \"x\"".to_owned());
    let page = String::from_utf8(html::write(&account).unwrap()).unwrap();
    for word in ["<script", "src=", "href=", "http", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
    for words in [
        "个人信息查阅记录",
        "ledger.example，共 9 条",
        "@media print",
        "看到了完整内容",
        "另有 256 条条目",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains(&person(1).0) && !page.contains(&person(2).0), "{page}");
}

#[test]
fn without_a_chinese_font_the_packages_are_named() {
    let told = TypefaceError::Missing.to_string();
    assert!(told.contains("fonts-noto-cjk") && told.contains("fonts-wqy-zenhei"), "{told}");
    let here = Path::new(file!());
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(here);
    let refused = Typeface::find(Some(&here));
    assert!(matches!(refused, Err(TypefaceError::NotChinese(_))));
    let refused = Typeface::find(Some(Path::new("no such font")));
    assert!(matches!(refused, Err(TypefaceError::Unreadable(..))));
}
