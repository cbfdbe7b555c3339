//! Who may see what of the console: one table.

use serde::{Deserialize, Serialize};

/// What a console user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// 审计员, reads the ledger.
    Auditor,
    /// 运维员, keeps the gateway running.
    Operator,
}

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// 披露台账, the ledger.
    Ledger,
    /// 总览, the state of the gateway.
    Overview,
}

/// What is not in this table is not shown: an operator has no need to know who read whom.
const ACCESS: &[(Area, &[Role])] =
    &[(Area::Ledger, &[Role::Auditor]), (Area::Overview, &[Role::Auditor, Role::Operator])];

impl Role {
    /// The word in the users file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }

    /// Whether this role may see an area.
    #[must_use]
    pub fn may_see(self, area: Area) -> bool {
        ACCESS.iter().any(|(open, roles)| *open == area && roles.contains(&self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_auditor_sees_the_ledger() {
        assert!(Role::Auditor.may_see(Area::Ledger) && Role::Auditor.may_see(Area::Overview));
        assert!(Role::Operator.may_see(Area::Overview));
        assert!(!Role::Operator.may_see(Area::Ledger));
    }
}
