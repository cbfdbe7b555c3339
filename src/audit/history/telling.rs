//! One entry in sentences.

use super::{About, Titles, moment};
use crate::audit::entry::{Entry, Kind};
use crate::audit::reference::Reference;
use crate::audit::search::Found;
use crate::vocabulary::{ElementId, Tier};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When, as people here read it.
    pub at: String,
    /// What, in a word.
    pub what: &'static str,
    /// What, in sentences.
    pub sentences: Vec<String>,
    /// Its number in the ledger.
    pub number: u64,
    /// The receipt that leads to it.
    pub receipt: String,
}

/// Tells one entry; the others say whether an emergency was looked at.
pub fn tell(one: &Found, others: &[Found], with: (Titles<'_>, &About)) -> Told {
    let entry = &one.entry;
    Told {
        at: moment(entry.at_ms),
        what: entry.kind.zh(),
        sentences: sentences(entry, others, with),
        number: one.number,
        receipt: entry.receipt.to_string(),
    }
}

fn sentences(
    entry: &Entry,
    others: &[Found],
    (titles, about): (Titles<'_>, &About),
) -> Vec<String> {
    let who = who(entry, titles);
    let purpose = entry.purpose.map(|id| format!("为“{}”", titles.purpose(id)));
    let purpose = purpose.unwrap_or_default();
    match entry.kind {
        Kind::Disclosure => {
            let mut said = vec![format!("{who}{purpose}查阅了本人的信息。")];
            said.extend(asked_by(entry, about));
            said.extend(seen(entry, titles));
            said
        }
        Kind::Delivery => {
            let mut said = vec![format!("按登记的订阅，{purpose}把有关本人的事项通知了{who}。")];
            said.extend(seen(entry, titles));
            said
        }
        Kind::Location => {
            let mut said = vec![format!("为查找本人的记录，向{who}说明了查找的是谁。")];
            said.extend(seen(entry, titles));
            said
        }
        Kind::Refusal => {
            let why = entry.fault.map_or("", |fault| fault.row().zh);
            vec![
                format!("{who}{purpose}要求查阅本人的信息，被拒绝，没有得到任何信息。"),
                format!("拒绝的原因：{why}。"),
            ]
        }
        Kind::BreakGlass if entry.department.is_some() => {
            let looked_at = match verdict(entry, others) {
                Some((at, true)) => format!("已于{at}事后复核，认定属于应急。"),
                Some((at, false)) => format!("已于{at}事后复核，认定不应调阅。"),
                None => "尚待事后复核。".to_owned(),
            };
            vec![format!("{who}以紧急情况为由，{purpose}打开了本人的信息。"), looked_at]
        }
        Kind::BreakGlass => vec!["审计员对一次紧急调阅作了事后复核。".to_owned()],
        Kind::Enrolment => vec![format!("{who}{purpose}登记或取消了对本人有关事项的订阅。")],
        Kind::Batch => vec![format!("{who}{purpose}在批量名单中列出了本人。")],
        Kind::Review => {
            let mut said =
                vec!["身份审核员为核对两份登记是否属于同一人，查看了登记的身份项目。".to_owned()];
            said.extend(seen(entry, titles));
            said
        }
        kind => vec![upkeep(kind).to_owned()],
    }
}

/// What is done about a person's entries in the index, or with this ledger.
const fn upkeep(kind: Kind) -> &'static str {
    match kind {
        Kind::Consent => "登记了对使用本人信息的意见：同意、拒绝或撤回。",
        Kind::Erase => "按要求抹除了本人的信息，抹除后无法恢复。",
        Kind::Export => "导出了有关本人的台账条目，或制作了本人的查阅记录。",
        Kind::Hold => "有关本人的台账条目予以保全，或解除了保全；保全期间到期后继续保存。",
        Kind::Identity => "对本人的身份登记作了认定。",
        Kind::Link => "核对后认定，几份登记属于同一人。",
        Kind::Merge => "几份登记合并为同一人。",
        Kind::Part => "核对后认定，原来合在一起的登记属于不同的人。",
        Kind::Query => "审计员或运维员查阅了有关本人的台账条目或报文去向，其中不含本人信息的内容。",
        Kind::Unmerge => "撤销了对登记的合并。",
        _ => "作了一次与本人有关的登记，没有披露本人的信息。",
    }
}

/// 民政局的经办人
fn who(entry: &Entry, titles: Titles<'_>) -> String {
    let department = entry.department.map(|name| titles.department(name));
    match (department, entry.role.map(|name| titles.role(name))) {
        (Some(department), Some(role)) => format!("{department}的{role}"),
        (Some(department), None) => department,
        (None, _) => "未能识别的系统".to_owned(),
    }
}

/// Whether the human for whom it was asked is the person.
fn asked_by(entry: &Entry, about: &About) -> Option<String> {
    let human = entry.asked_by.as_ref()?;
    let word = if about.persons.contains(human) { "本人" } else { "另一名办事的人" };
    Some(format!("这次查阅由{word}提出。"))
}

/// What was seen, in which way, and what was not.
fn seen(entry: &Entry, titles: Titles<'_>) -> Vec<String> {
    let tiers = entry.elements.tiers().into_iter().filter(|(_, set)| !set.is_empty());
    let mut said: Vec<_> = tiers
        .map(|(tier, set)| {
            let way = match tier {
                Tier::Full => "看到了完整内容",
                Tier::Generalised => "只看到概略内容",
                Tier::Pseudonym => "只看到代替的编号",
                Tier::Existence | Tier::Withheld => "只知道有这一项，没有看到内容",
            };
            format!("{way}：{}。", listed(set, titles))
        })
        .collect();
    if said.is_empty() {
        said.push("没有得到任何项目。".to_owned());
    }
    if !entry.withheld.is_empty() {
        said.push(format!("没有给出：{}。", listed(&entry.withheld, titles)));
    }
    said
}

/// Titles in the order of the catalogue; two elements of one title are named once.
fn listed<'a>(set: impl IntoIterator<Item = &'a ElementId>, titles: Titles<'_>) -> String {
    let mut names = Vec::new();
    for name in set.into_iter().map(|id| titles.element(*id)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join("、")
}

/// When an emergency was looked at, and whether it was due; `None` while it was not, or where
/// two departments had the same number and nobody can tell whose was looked at.
pub fn verdict(opened: &Entry, others: &[Found]) -> Option<(String, bool)> {
    let number = |entry: &Entry| entry.call.clone().or_else(|| entry.case.clone());
    let own = number(opened)?;
    let scope = |entry: &Entry| (entry.department, entry.purpose);
    let mut openings = others.iter().map(|found| &found.entry).filter(|entry| {
        entry.kind == Kind::BreakGlass
            && entry.department.is_some()
            && number(entry).as_ref() == Some(&own)
    });
    if !openings.all(|entry| scope(entry) == scope(opened)) {
        return None;
    }
    let said = |word: &str| Some(Reference::new(&format!("{word}: {}", own.as_str())));
    let (due, undue) = (said("justified"), said("not justified"));
    others.iter().map(|found| &found.entry).find_map(|entry| {
        let looked = entry.kind == Kind::BreakGlass && entry.department.is_none();
        let word = [&due, &undue].contains(&&entry.subject);
        (looked && word && entry.at_ms >= opened.at_ms)
            .then(|| (moment(entry.at_ms), entry.subject == due))
    })
}
