//! The shipped policies, and a change of them that waits, for the console's tests.

use super::fake::Fake;
use crate::flow::policing::{matrix, sheet, why};
use crate::inbound::console::view::policies::*;
use crate::inbound::console::view::{Asker, Seen};
use crate::policy::tests::shipped;
use crate::policy::{Asking, Change, Difference, Term};

/// The proposal that waits.
pub const PROPOSAL: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

impl Policing for Fake {
    fn matrix(&self) -> Seen<'_, MatrixView> {
        Box::pin(async move { Ok(matrix(shipped(), true)) })
    }

    fn sheet<'a>(&'a self, asked: &'a Asking) -> Seen<'a, Vec<SheetView>> {
        Box::pin(async move { Ok(sheet(shipped(), asked)) })
    }

    fn why<'a>(&'a self, asked: &'a Asking, element: &'a str) -> Seen<'a, WhyView> {
        Box::pin(async move { Ok(why(shipped(), asked, element)) })
    }

    fn proposal(&self) -> Seen<'_, Option<ProposalView>> {
        Box::pin(async move {
            let accepted_by = self.accepted.lock().unwrap().clone();
            Ok(Some(ProposalView {
                digest: PROPOSAL.to_owned(),
                version: "fedcba9876543210".to_owned(),
                before: "0123456789abcdef".to_owned(),
                by: "uid 1000".to_owned(),
                at_ms: super::fake::AT,
                widened: 2,
                differ: 7,
                of: 1_204,
                accepted_by,
                difference: difference(),
            }))
        })
    }

    fn judge_policies<'a>(
        &'a self,
        asker: &'a Asker,
        (proposal, accepts): (&'a str, bool),
    ) -> Seen<'a, PoliciesJudged> {
        Box::pin(async move {
            self.ask(asker, ("policies", proposal, accepts))?;
            if proposal != PROPOSAL {
                return Ok(PoliciesJudged::Settled);
            }
            if !accepts {
                return Ok(PoliciesJudged::Refused);
            }
            let mut accepted = self.accepted.lock().unwrap();
            if accepted.contains(&asker.user) {
                return Ok(PoliciesJudged::Own);
            }
            accepted.push(asker.user.clone());
            Ok(if accepted.len() < 2 { PoliciesJudged::Waits } else { PoliciesJudged::InForce })
        })
    }
}

fn difference() -> Difference {
    let cell = |wider: bool| -> Change {
        let (from, to) = if wider { ("existence", "full") } else { ("full", "existence") };
        let element = if wider { "MZ.check.notice-date" } else { "MZ.check.last-date" };
        serde_json::from_value(serde_json::json!({
            "wider": wider,
            "asking": { "department": "community", "role": "worker", "purpose": "contract-status" },
            "element": element,
            "name": { "zh": "体检日期", "en": "date of the check" },
            "from": { "tier": from, "treatment": "present" },
            "to": { "tier": to, "treatment": "keep" },
            "rules": ["community-check-notice"],
        }))
        .unwrap()
    };
    let text = "special.toml mental HALLUCINATION".to_owned();
    let term = Term { wider: true, added: false, text };
    Difference { cells: vec![cell(true), cell(false)], terms: vec![term] }
}
