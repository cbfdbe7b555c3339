//! One line of the ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::receipt::Receipt;
use super::reference::Reference;
use super::retention::Span;
use super::tree::Hash;
use crate::identity::Pseudonym;
use crate::vocabulary::{Department, ElementId, Fault, Freshness, Purpose, Role, Source, Tier};

/// The version of the entry's form.
pub const VERSION: u8 = 1;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 账号: somebody was invited to the console, or made the account.
    Account,
    /// 备份: a copy of the store was taken.
    Backup,
    /// 批量查询: a list of elders was brought to be asked about, or was ended.
    Batch,
    /// 紧急调阅: a ticket was opened, seconded, or looked at afterwards.
    BreakGlass,
    /// 知情同意: a person allowed or refused something, or took it back.
    Consent,
    /// 投递: elements left the gateway for a department, unasked, in a notice.
    Delivery,
    /// 披露: elements left the gateway for a department.
    Disclosure,
    /// 订阅登记: a department wishes to be told of events about a person, or no longer.
    Enrolment,
    /// 抹除: a person's key was destroyed.
    Erase,
    /// 导出: a part of the ledger was exported.
    Export,
    /// 保全: entries are kept beyond their time, or no longer.
    Hold,
    /// 认定: somebody said that entries of the index are one person, or are not.
    Identity,
    /// 密钥: keys at rest give way to new ones.
    Keys,
    /// 归并: entries of the index were found to be one person's.
    Link,
    /// 定位: an identifier was sent to an upstream to ask what it has.
    Location,
    /// 合并: two persons of the index became one.
    Merge,
    /// 搬迁: the rows of the store were moved to another place, or taken back.
    Move,
    /// 拆分: what was one person of the index is two.
    Part,
    /// 策略: policies came into force, were proposed, accepted or refused.
    Policy,
    /// 台账查询: somebody asked the ledger, or what became of messages.
    Query,
    /// 拒绝: a question was refused.
    Refusal,
    /// 重新加载: mappings, policies or certificates changed.
    Reload,
    /// 重放: a quarantined message was tried again, or somebody previewed, proposed, approved or
    /// ended that for many.
    Replay,
    /// 恢复: a backup was put in the place of the store.
    Restore,
    /// 到期: the time of entries is over, and what they said is gone.
    Retention,
    /// 身份审核: a reviewer looked at entries that may be one person's.
    Review,
    /// 登录: somebody signed in to the console, or failed to.
    SignIn,
    /// 启动: the gateway started.
    Start,
    /// 撤销合并: a merge was undone.
    Unmerge,
    /// 见证: a witness has signed another ledger than this one.
    Witness,
}

impl Kind {
    /// Every kind with its name and its Chinese heading, alphabetical.
    pub const ALL: [(Self, &'static str, &'static str); 30] = [
        (Self::Account, "account", "账号"),
        (Self::Backup, "backup", "备份"),
        (Self::Batch, "batch", "批量查询"),
        (Self::BreakGlass, "break-glass", "紧急调阅"),
        (Self::Consent, "consent", "知情同意"),
        (Self::Delivery, "delivery", "投递"),
        (Self::Disclosure, "disclosure", "披露"),
        (Self::Enrolment, "enrolment", "订阅登记"),
        (Self::Erase, "erase", "抹除"),
        (Self::Export, "export", "导出"),
        (Self::Hold, "hold", "保全"),
        (Self::Identity, "identity", "认定"),
        (Self::Keys, "keys", "密钥"),
        (Self::Link, "link", "归并"),
        (Self::Location, "location", "定位"),
        (Self::Merge, "merge", "合并"),
        (Self::Move, "move", "搬迁"),
        (Self::Part, "part", "拆分"),
        (Self::Policy, "policy", "策略"),
        (Self::Query, "query", "台账查询"),
        (Self::Refusal, "refusal", "拒绝"),
        (Self::Reload, "reload", "重新加载"),
        (Self::Replay, "replay", "重放"),
        (Self::Restore, "restore", "恢复"),
        (Self::Retention, "retention", "到期"),
        (Self::Review, "review", "身份审核"),
        (Self::SignIn, "sign-in", "登录"),
        (Self::Start, "start", "启动"),
        (Self::Unmerge, "unmerge", "撤销合并"),
        (Self::Witness, "witness", "见证"),
    ];

    /// The name in entries, options and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// The Chinese name.
    #[must_use]
    pub fn zh(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    /// What happened by an entry as it is kept; what else it says is not looked at.
    #[must_use]
    pub fn of(entry: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Happened {
            kind: Kind,
        }
        serde_json::from_slice(entry).ok().map(|Happened { kind }| kind)
    }

    /// The kind with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// The elements that left, by tier; in the order of the keys in the entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// That there is a value.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub existence: BTreeSet<ElementId>,
    /// As recorded.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub full: BTreeSet<ElementId>,
    /// Coarser.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub generalised: BTreeSet<ElementId>,
    /// A stand-in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pseudonym: BTreeSet<ElementId>,
}

impl Disclosed {
    /// Adds an element at its tier; a withheld one did not leave and is not added.
    pub fn insert(&mut self, tier: Tier, element: ElementId) {
        match tier {
            Tier::Existence => self.existence.insert(element),
            Tier::Full => self.full.insert(element),
            Tier::Generalised => self.generalised.insert(element),
            Tier::Pseudonym => self.pseudonym.insert(element),
            Tier::Withheld => false,
        };
    }

    /// Every tier with its elements, least protective first.
    #[must_use]
    pub fn tiers(&self) -> [(Tier, &BTreeSet<ElementId>); 4] {
        [
            (Tier::Full, &self.full),
            (Tier::Generalised, &self.generalised),
            (Tier::Pseudonym, &self.pseudonym),
            (Tier::Existence, &self.existence),
        ]
    }

    /// Whether nothing left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tiers().iter().all(|(_, elements)| elements.is_empty())
    }
}

/// One entry of the ledger.
///
/// Shape: JSON on one line, keys sorted at every depth, sets sorted, empty fields
/// absent, no floating point. The fields stand here in the order of their keys,
/// which is what makes the encoding canonical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// SHA-256 of the answer's bytes, so that a printed answer can be matched with its entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_sha256: Option<Hash>,
    /// The human for whom it was asked, as the asking system knows him: who he is in the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Pseudonym>,
    /// Who asked inside the department, as the department says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<Reference>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The emergency call the question belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Reference>,
    /// The case the question belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Reference>,
    /// Who learned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<Department>,
    /// What left, by tier.
    #[serde(default, skip_serializing_if = "Disclosed::is_empty")]
    pub elements: Disclosed,
    /// Why nothing left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What happened.
    pub kind: Kind,
    /// The legal basis of the purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// Version of the mappings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mappings: Option<String>,
    /// Who became `person` by a merge, or stopped being so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Pseudonym>,
    /// About whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Pseudonym>,
    /// Version of the policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The reason the asker gave, where the purpose demands one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reference>,
    /// The receipt number that leads here.
    pub receipt: Receipt,
    /// Entries whose time is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Span>,
    /// In which role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The rules that decided.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
    /// The systems whose records were drawn on, and how current each was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<Source, Freshness>,
    /// What it is about where that is no person: a journal number, a user, a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Reference>,
    /// Version of this form.
    pub v: u8,
    /// What was asked for, or could have been, and did not leave.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub withheld: BTreeSet<ElementId>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The same content has one other spelling, and this is not it.
    #[error("entry is not in canonical form")]
    NotCanonical,
    /// Not an entry at all.
    #[error("not a ledger entry")]
    Shape,
    /// Written by a gateway of another age.
    #[error("ledger entry of an unknown version")]
    Version,
}

impl Entry {
    /// An entry with nothing but what every entry has; the receipt is made of the random bytes.
    #[must_use]
    pub fn new(kind: Kind, at_ms: i64, random: [u8; 16]) -> Self {
        Self {
            answer_sha256: None,
            asked_by: None,
            asker: None,
            at_ms,
            call: None,
            case: None,
            department: None,
            elements: Disclosed::default(),
            fault: None,
            kind,
            legal_basis: None,
            mappings: None,
            merged: None,
            person: None,
            policy: None,
            purpose: None,
            reason: None,
            receipt: Receipt::new(at_ms, random),
            retired: None,
            role: None,
            rules: BTreeSet::new(),
            sources: BTreeMap::new(),
            subject: None,
            v: VERSION,
            withheld: BTreeSet::new(),
        }
    }

    /// The canonical bytes, without a line end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing fails only for a map whose keys are no strings; `Source` is one.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads an entry, and proves that it is the one spelling of its content.
    ///
    /// # Errors
    /// [`EntryError`] if it is anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(bytes).map_err(|_| EntryError::Shape)?;
        if entry.v != VERSION {
            return Err(EntryError::Version);
        }
        let pseudonyms = [&entry.asked_by, &entry.person, &entry.merged].into_iter().flatten();
        if !pseudonyms.into_iter().all(|known| Pseudonym::parse(&known.0).is_some()) {
            return Err(EntryError::Shape);
        }
        if entry.to_bytes() == bytes { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
