//! A reason to look, with its figures and the entries it is about.

use serde::{Deserialize, Serialize};

use crate::audit::entry::Entry;
use crate::audit::receipt::Receipt;
use crate::identity::Pseudonym;
use crate::policy::Change;
use crate::vocabulary::{Dataset, Department, Fault, Purpose, Role};

/// Entries that a doubt names; it counts the others.
pub const CITED_MAX: usize = 20;

/// What is asked of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inquiry {
    /// 拒后改问
    AskedAgain,
    /// 批量查看
    Bulk,
    /// 非工作时间
    OffHours,
    /// 策略放宽
    Opened,
    /// 关系人
    Related,
    /// 未见服务
    Unfollowed,
}

impl Inquiry {
    /// Every inquiry with its name and its Chinese name.
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::AskedAgain, "asked-again", "拒后改问"),
        (Self::Bulk, "bulk", "批量查看"),
        (Self::OffHours, "off-hours", "非工作时间"),
        (Self::Opened, "opened", "策略变更"),
        (Self::Related, "related", "关系人"),
        (Self::Unfollowed, "unfollowed", "未见服务"),
    ];

    /// The name in options and addresses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// The Chinese name.
    #[must_use]
    pub fn zh(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    /// The inquiry with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// Who asked: a department's role, and whoever it says asked inside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Who {
    /// The department.
    pub department: Department,
    /// Its role.
    pub role: Role,
    /// As the department says; the pseudonym of the human for whom its system asked, if it says
    /// nothing else; `None` is the role as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asker: Option<String>,
}

impl Who {
    /// Who asked for an entry, if a department did.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        let asker = entry.asker.as_ref().map(|asker| asker.as_str());
        let asker = asker.or(entry.asked_by.as_ref().map(|human| human.0.as_str()));
        let asker = asker.map(str::to_owned);
        Some(Self { department: entry.department?, role: entry.role?, asker })
    }
}

/// One entry that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cited {
    /// Its number in the ledger.
    pub number: u64,
    /// Its receipt.
    pub receipt: Receipt,
}

/// In which role, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The role.
    pub role: Option<Role>,
    /// The purpose; none if it is no purpose of the list.
    pub purpose: Option<Purpose>,
}

/// What ties whoever asked to whom he asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tie {
    /// 同事
    Colleague,
    /// 同户
    Household,
    /// 本人
    Own,
    /// 重点保护人员, whoever asks.
    Protected,
}

/// Why entries stand out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "question", rename_all = "kebab-case")]
pub enum Reason {
    /// Refused, and then told something otherwise.
    AskedAgain {
        /// What was refused.
        refused: Asked,
        /// Why.
        fault: Fault,
        /// What was asked then.
        then: Asked,
        /// How long after.
        minutes: i64,
    },
    /// Many more persons on a day than usual.
    Bulk {
        /// So many persons.
        persons: u64,
        /// The median of the days before.
        median: u64,
        /// Of so many days.
        days: usize,
        /// Beyond how many it is too many.
        limit: u64,
    },
    /// Outside working hours.
    OffHours {
        /// The first of the day, hours and minutes in China.
        first: String,
        /// The last.
        last: String,
    },
    /// Policies came into force.
    Opened {
        /// What was in force before.
        before: String,
        /// What is now.
        now: String,
        /// How many cells and terms are wider, as the entry says.
        wider: u64,
        /// The cells; none if either version is kept no more.
        cells: Option<Vec<Change>>,
        /// How many disclosures since rest on them.
        disclosures: u64,
    },
    /// Somebody looked at whom he belongs to, or at a protected person.
    Related {
        /// What ties them.
        tie: Tie,
        /// His row on the auditor's list, if he has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        asker: Option<String>,
        /// The row of whom he looked at.
        looked_at: String,
    },
    /// No record came of what it was told for.
    Unfollowed {
        /// What for.
        purpose: Purpose,
        /// Which records would have been one.
        by: Vec<Dataset>,
        /// Within how many days.
        days: u32,
    },
}

impl Reason {
    /// Which inquiry found it.
    #[must_use]
    pub const fn inquiry(&self) -> Inquiry {
        match self {
            Self::AskedAgain { .. } => Inquiry::AskedAgain,
            Self::Bulk { .. } => Inquiry::Bulk,
            Self::OffHours { .. } => Inquiry::OffHours,
            Self::Opened { .. } => Inquiry::Opened,
            Self::Related { .. } => Inquiry::Related,
            Self::Unfollowed { .. } => Inquiry::Unfollowed,
        }
    }
}

/// A reason to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// When it last happened, milliseconds since 1970.
    pub at_ms: i64,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// About whom, if about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Pseudonym>,
    /// How many entries there are.
    pub count: u64,
    /// The first of them.
    pub entries: Vec<Cited>,
}

impl Doubt {
    /// About nothing yet.
    pub(super) fn new(reason: Reason, entry: &Entry) -> Self {
        let (who, person) = (Who::of(entry), entry.person.clone());
        Self { reason, at_ms: entry.at_ms, who, person, count: 0, entries: Vec::new() }
    }

    /// Names one more entry.
    pub(super) fn cite(&mut self, number: u64, entry: &Entry) {
        self.at_ms = self.at_ms.max(entry.at_ms);
        self.count += 1;
        if self.entries.len() < CITED_MAX {
            self.entries.push(Cited { number, receipt: entry.receipt });
        }
    }

    /// The number of the last entry it names.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.entries.last().map_or(0, |cited| cited.number)
    }
}
