//! Who may see what of the console: one table.

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

/// Who makes an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Whoever may give orders to the gateway on its machine.
    Machine,
    /// A user of the console.
    User(Roles),
}

impl Role {
    /// Whether a host may invite somebody as this, `held` already by others or not.
    ///
    /// Whoever judges is not chosen by whom he judges: the first auditor is invited from the
    /// machine, the next ones by an auditor. Policy administrators and reviewers invite nobody, so
    /// none of them makes his own second. An auditor who lifts a hold can, and the ledger says so.
    #[must_use]
    pub fn may_be_invited(self, by: Host, held: bool) -> bool {
        match by {
            Host::Machine => self != Self::Auditor || !held,
            Host::User(roles) => self == Self::Auditor && roles.has(Self::Auditor),
        }
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
    fn nobody_makes_his_own_judge_or_his_own_second() {
        let user = |role: Role| Host::User(role.into());
        for invited in Role::ALL {
            assert!(invited.may_be_invited(Host::Machine, false), "the first {invited:?}");
            let next = invited != Role::Auditor;
            assert_eq!(invited.may_be_invited(Host::Machine, true), next, "{invited:?}");
            for host in Role::ALL {
                let may = (host, invited) == (Role::Auditor, Role::Auditor);
                assert_eq!(invited.may_be_invited(user(host), true), may, "{host:?} {invited:?}");
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
