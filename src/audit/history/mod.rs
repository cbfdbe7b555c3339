//! 个人信息查阅记录, what the ledger says of one person, in sentences for whom it is about.
//!
//! An [`Account`] is made of entries alone, so it holds no value of anybody. What peers wrote in
//! their own words (a case, a reason) is left out: it may hold one. How it is written down, as a
//! page or on paper, is a matter of [`html`] and [`pdf`], which say the same.

pub mod html;
pub mod pdf;
mod telling;
pub mod typeface;

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};

use super::checkpoint::Checkpoint;
use super::entry::{Entry, Kind};
use super::receipt::Receipt;
use super::search::Found;
use crate::identity::Pseudonym;
use crate::policy::PolicySet;
use crate::vocabulary::{Catalogue, Department, ElementId, Purpose, Role};
pub use telling::Told;

/// How a history is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page of its own, to be read and printed by any browser.
    Html,
    /// Paper.
    Pdf,
}

impl Form {
    /// The form by the extension of a file.
    #[must_use]
    pub fn parse(extension: &str) -> Option<Self> {
        match extension {
            "html" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    /// The extension of a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }
}

/// What names are called: by the policies and the catalogue in force.
#[derive(Debug, Clone, Copy)]
pub struct Titles<'a> {
    /// Departments, roles and purposes.
    pub policies: &'a PolicySet,
    /// Elements.
    pub catalogue: &'a Catalogue,
}

/// Whose history, of when, and made when.
#[derive(Debug, Clone)]
pub struct About {
    /// Every pseudonym under which entries may name the person, the one asked about first.
    pub persons: Vec<Pseudonym>,
    /// Whether the index has anybody by the number asked about.
    pub known: bool,
    /// From this moment, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Until just before this moment.
    pub until_ms: Option<i64>,
    /// When it is made.
    pub at_ms: i64,
    /// Of how many entries what they said is gone, their time being over.
    pub retired: u64,
    /// The receipt of the entry that it was made; `None` where it is made of a copy.
    pub entered: Option<Receipt>,
    /// The newest checkpoint over the entries that were looked through.
    pub checkpoint: Option<Checkpoint>,
}

/// What the ledger says of one person.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whom it is about, of when, and by which state of the ledger: a heading and its words.
    pub head: Vec<(&'static str, String)>,
    /// All of it in a few sentences.
    pub lead: Vec<String>,
    /// What happened.
    pub chapters: Vec<Chapter>,
    /// How to see that it is true, and whole.
    pub foot: Vec<String>,
    /// What stands on every page: the beginning of the pseudonym.
    pub reference: String,
    /// When it was made, as people here read it.
    pub made: String,
}

/// What happened of one kind, oldest first.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// What is said if nothing happened.
    pub none: &'static str,
    /// What happened.
    pub told: Vec<Told>,
}

/// What the account is called.
pub const TITLE: &str = "个人信息查阅记录";

/// How many characters of a pseudonym stand on every page.
const REFERENCE_SHOWN: usize = 12;

impl Titles<'_> {
    fn department(&self, name: Department) -> String {
        let row = self.policies.departments().department(name);
        row.map_or_else(|| name.to_string(), |row| row.title.zh.clone())
    }

    fn role(&self, name: Role) -> String {
        let title = self.policies.departments().role(name);
        title.map_or_else(|| name.to_string(), |title| title.zh.clone())
    }

    fn purpose(&self, id: Purpose) -> String {
        let terms = self.policies.purposes().terms(id);
        terms.map_or_else(|| id.to_string(), |terms| terms.title.zh.clone())
    }

    fn element(&self, id: ElementId) -> String {
        let known = self.catalogue.get(id).map(|element| element.zh.clone());
        known.filter(|title| !title.is_empty()).unwrap_or_else(|| id.to_string())
    }
}

impl Account {
    /// Tells entries that are about one person, in their order.
    #[must_use]
    pub fn new(found: &[Found], titles: Titles<'_>, about: &About) -> Self {
        let of = |wanted: fn(&Entry) -> bool| {
            let own = found.iter().filter(move |found| wanted(&found.entry));
            own.map(|one| telling::tell(one, found, (titles, about))).collect()
        };
        let chapter = |title, none, told| Chapter { title, none, told };
        Self {
            head: head(found, about),
            lead: lead(found, titles, about),
            chapters: vec![
                chapter("一、查阅、通知与拒绝", "没有。", of(is_asked)),
                chapter("二、紧急调阅", "没有。", of(is_opened)),
                chapter("三、其他有关登记", "没有。", of(|one| !is_asked(one) && !is_opened(one))),
            ],
            foot: foot(about),
            reference: about.persons.first().map(shown).unwrap_or_default(),
            made: moment(about.at_ms),
        }
    }
}

/// Whether somebody asked about the person, or was told.
const fn is_asked(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Delivery | Kind::Disclosure | Kind::Location | Kind::Refusal)
}

/// Whether it is about an emergency.
const fn is_opened(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::BreakGlass)
}

fn head(found: &[Found], about: &About) -> Vec<(&'static str, String)> {
    let named = |person: &&Pseudonym| {
        let about = |one: &Found| {
            [&one.entry.person, &one.entry.merged].contains(&&Some((*person).clone()))
        };
        found.iter().any(about)
    };
    let first = about.persons.first().into_iter();
    let further = about.persons.iter().skip(1).filter(named);
    let known: Vec<_> = first.chain(further).map(|person| person.0.clone()).collect();
    let since = about.since_ms.map_or_else(|| "台账开始记录".to_owned(), moment);
    let until = about.until_ms.map_or_else(|| "制作之时".to_owned(), moment);
    let mut head = vec![
        ("本人代号", known.join("、")),
        ("记录期间", format!("自{since}起，至{until}止（北京时间）")),
        ("制作时间", moment(about.at_ms)),
        ("条目数", format!("{} 条", found.len())),
    ];
    match &about.checkpoint {
        Some(Checkpoint { origin, size, root }) => {
            head.push(("台账", format!("{origin}，共 {size} 条")));
            head.push(("台账根哈希", root.to_string()));
        }
        None => head.push(("台账", "尚无签名的检查点".to_owned())),
    }
    head.push(match about.entered {
        Some(receipt) => ("本记录的回执号", receipt.to_string()),
        None => ("本记录的登记", "由台账副本制作，其制作未登记".to_owned()),
    });
    head
}

fn lead(found: &[Found], titles: Titles<'_>, about: &About) -> Vec<String> {
    let of = |kind| found.iter().filter(move |found| found.entry.kind == kind);
    let (seen, told, refused) = (Kind::Disclosure, Kind::Delivery, Kind::Refusal);
    let [seen, told, refused] = [seen, told, refused].map(|kind| of(kind).count());
    let mut lead = Vec::new();
    if !about.known {
        lead.push("按所给的号码，本网关没有登记此人；号码若有误，请核对后重新制作。".to_owned());
    }
    lead.push(format!(
        "在上述期间，本人的信息被查阅 {seen} 次，按登记主动通知有关部门 {told} 次；\
         另有 {refused} 次查阅要求被拒绝。"
    ));
    let mut departments = BTreeMap::<_, usize>::new();
    for one in of(Kind::Disclosure).chain(of(Kind::Delivery)) {
        *departments.entry(one.entry.department).or_default() += 1;
    }
    let counted: Vec<_> = departments
        .into_iter()
        .filter_map(|(name, count)| Some(format!("{}（{count} 次）", titles.department(name?))))
        .collect();
    if !counted.is_empty() {
        lead.push(format!("得到过信息的部门：{}。", counted.join("、")));
    }
    let opened = of(Kind::BreakGlass).filter(|one| one.entry.department.is_some());
    let (opened, waiting) = opened.fold((0, 0), |(opened, waiting), one| {
        let looked_at = telling::verdict(&one.entry, found).is_some();
        (opened + 1, waiting + usize::from(!looked_at))
    });
    lead.push(match (opened, waiting) {
        (0, _) => "没有发生过紧急调阅。".to_owned(),
        (opened, 0) => format!("发生过 {opened} 次紧急调阅，均已事后复核。"),
        (opened, waiting) => {
            format!("发生过 {opened} 次紧急调阅，其中 {waiting} 次尚待事后复核。")
        }
    });
    lead.push("本记录只写明查阅了哪些项目，不含项目的内容。".to_owned());
    lead
}

fn foot(about: &About) -> Vec<String> {
    let mut foot = vec![
        "每一条后面的回执号，是该条在披露台账中的凭据。凭回执号可以请审计部门出具一份证明文件；\
         在任何一台计算机上，不经过网关，即可用命令 kangqiao ledger check-proof 或脚本 \
         scripts/check-proof 核验该条确实在台账之中、未被改动。"
            .to_owned(),
        "上面的条目数与根哈希代表制作之时整本台账的状态，由网关签名。此后台账若被改动、删减或退回，\
         审计部门用 kangqiao ledger verify 核验时即会发现，见证方也不再签名。"
            .to_owned(),
        "部门、角色、用途和项目按现行策略与数据元目录的名称书写；没有名称的，写其代码。".to_owned(),
    ];
    if about.retired > 0 {
        foot.push(format!(
            "台账中另有 {} 条条目保存期已满、内容已清除，其中是否有关本人已无从查起。",
            about.retired
        ));
    }
    if about.entered.is_some() {
        foot.push("本记录的制作也已记入台账，回执号见首页。".to_owned());
    }
    foot
}

fn shown(person: &Pseudonym) -> String {
    person.0.chars().take(REFERENCE_SHOWN).collect()
}

/// A moment as people here read it: China Standard Time.
fn moment(at_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    let here = FixedOffset::east_opt(8 * 3600).map(|offset| time.with_timezone(&offset));
    here.map(|here| here.format("%Y年%m月%d日 %H:%M:%S").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
