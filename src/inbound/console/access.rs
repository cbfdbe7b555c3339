//! Who may see what of the console: one table.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Error, SeqAccess, Visitor, value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a console user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 审计员, reads the ledger.
    Auditor,
    /// 运维员, keeps the gateway running.
    Operator,
    /// 策略管理员, reads the policies and accepts what widens them.
    PolicyAdministrator,
    /// 身份审核员, decides which entries of the index are one person.
    Reviewer,
}

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// 披露台账, the ledger.
    Ledger,
    /// 总览, the state of the gateway.
    Overview,
    /// 策略, who sees what, and what waits to be accepted.
    Policies,
    /// 批量重放, messages tried again: to order it, for it may be watched by whoever traces.
    Replay,
    /// 身份审核, who may be one person.
    Review,
    /// 报文追踪, what became of messages.
    Trace,
}

/// What is not in this table is not shown: an operator has no need to know who read whom,
/// whoever looks at residents does not also judge who looked, and whoever opens something to a
/// department reads neither.
const ACCESS: &[(Area, &[Role])] = &[
    (Area::Ledger, &[Role::Auditor]),
    (Area::Overview, &Role::ALL),
    (Area::Policies, &[Role::PolicyAdministrator]),
    (Area::Replay, &[Role::Operator]),
    (Area::Review, &[Role::Reviewer]),
    (Area::Trace, &[Role::Auditor, Role::Operator]),
];

impl Role {
    /// Every role, in the order of their names.
    pub const ALL: [Self; 4] =
        [Self::Auditor, Self::Operator, Self::PolicyAdministrator, Self::Reviewer];

    /// The word in the users file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::PolicyAdministrator => "policy-administrator",
            Self::Reviewer => "reviewer",
        }
    }

    /// Whether this role may see an area.
    #[must_use]
    pub fn may_see(self, area: Area) -> bool {
        ACCESS.iter().any(|(open, roles)| *open == area && roles.contains(&self))
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Auditor => 1,
            Self::Operator => 2,
            Self::Reviewer => 4,
            Self::PolicyAdministrator => 8,
        }
    }
}

/// Who speaks for an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// Whoever may give orders to the gateway on its machine, all of them as one.
    Machine,
    /// An auditor of the console, by name.
    Auditor(String),
}

impl Role {
    /// Whether these voices are enough for an account of this role, `held` by others already or
    /// not.
    ///
    /// In every role two decide together: auditors lift holds, operators try messages again, policy
    /// administrators open cells, reviewers join persons. So the first of a role is the machine's
    /// alone, for there is nobody else; every further one takes two, and none of them is whoever
    /// would decide together with him, but among auditors: nobody makes his own second alone.
    #[must_use]
    pub fn is_spoken_for(self, voices: &BTreeSet<Voice>, held: bool) -> bool {
        voices.len() > 1 || (!held && voices.contains(&Voice::Machine))
    }
}

/// What one user is: a role, or several that somebody gave on purpose.
///
/// Shape in the users file: `role = "auditor"`, or `role = ["auditor", "reviewer"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// These roles; `None` if there is none.
    #[must_use]
    pub fn of(roles: &[Role]) -> Option<Self> {
        let bits = roles.iter().fold(0, |bits, role| bits | role.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Each of them, in the order of their names.
    pub fn each(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether any of them may see an area.
    #[must_use]
    pub fn may_see(self, area: Area) -> bool {
        self.each().any(|role| role.may_see(area))
    }
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        Self(role.bit())
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.each().map(Role::as_str).collect();
        f.pad(&words.join("+"))
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let roles: Vec<_> = self.each().collect();
        match roles.as_slice() {
            [role] => role.serialize(serializer),
            roles => roles.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Roles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role or a list of roles")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Roles, E> {
        let deserializer: value::StrDeserializer<'_, E> =
            serde::de::IntoDeserializer::into_deserializer(word);
        Role::deserialize(deserializer).map(Roles::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Roles, A::Error> {
        let mut roles = Vec::new();
        while let Some(role) = list.next_element()? {
            roles.push(role);
        }
        Roles::of(&roles).ok_or_else(|| Error::invalid_length(0, &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_sees_its_own_and_nothing_else() {
        use Area::{Ledger, Overview, Policies, Replay, Review, Trace};
        for (roles, seen) in [
            (&[Role::Auditor][..], &[Ledger, Overview, Trace][..]),
            (&[Role::Operator], &[Overview, Replay, Trace]),
            (&[Role::PolicyAdministrator], &[Overview, Policies]),
            (&[Role::Reviewer], &[Overview, Review]),
            (&[Role::Auditor, Role::Reviewer], &[Ledger, Overview, Review, Trace]),
        ] {
            let roles = Roles::of(roles).unwrap();
            for area in [Ledger, Overview, Policies, Replay, Review, Trace] {
                assert_eq!(roles.may_see(area), seen.contains(&area), "{roles}: {area:?}");
            }
        }
    }

    #[test]
    fn the_first_of_a_role_takes_the_machine_and_each_other_one_two() {
        let [lin, wu] = ["lin", "wu"].map(|name| Voice::Auditor(name.to_owned()));
        for (voices, first, further) in [
            (&[][..], false, false),
            (&[Voice::Machine], true, false),
            (&[Voice::Machine, Voice::Machine], true, false),
            (&[lin.clone(), lin.clone()], false, false),
            (&[lin.clone(), Voice::Machine], true, true),
            (&[lin, wu], true, true),
        ] {
            let voices = voices.iter().cloned().collect();
            for role in Role::ALL {
                assert_eq!(role.is_spoken_for(&voices, false), first, "{role:?} {voices:?}");
                assert_eq!(role.is_spoken_for(&voices, true), further, "{role:?} {voices:?}");
            }
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line {
        role: Roles,
    }

    #[test]
    fn several_roles_are_a_list_and_none_is_none() {
        for (text, words) in [
            ("role = \"auditor\"\n", Some("auditor")),
            ("role = [\"auditor\", \"reviewer\"]\n", Some("auditor+reviewer")),
            ("role = []\n", None),
            ("role = \"auditor+reviewer\"\n", None),
            ("role = [\"root\"]\n", None),
            ("role = 7\n", None),
        ] {
            let line = toml::from_str::<Line>(text).ok();
            assert_eq!(line.as_ref().map(|line| line.role.to_string()).as_deref(), words);
            if let Some(line) = line {
                assert_eq!(toml::to_string(&line).unwrap(), text);
            }
        }
    }
}
