//! The doubts of the gateway that exists only for the console's tests.

use super::fake::{AT, Fake};
use crate::audit::Receipt;
use crate::audit::doubt::{Cited, Doubt, Inquiry, Reason, Tie, Who};
use crate::identity::Pseudonym;
use crate::inbound::console::view::doubt::{DoubtPage, DoubtQuery, ListState, Noticing};
use crate::inbound::console::view::{Asker, Named, Seen};
use crate::policy::tests::names;

impl Noticing for Fake {
    fn doubts<'a>(&'a self, asker: &'a Asker, asked: DoubtQuery) -> Seen<'a, DoubtPage> {
        Box::pin(async move {
            self.ask(asker, ("doubts", asked.of, asked.skip))?;
            let all: Vec<_> = [bulk(), related()].into_iter().collect();
            let wanted = |doubt: &&Doubt| asked.of.is_none_or(|of| doubt.reason.inquiry() == of);
            let named =
                Named { id: "subsidy".into(), zh: "社会救助科".into(), en: "Subsidy".into() };
            let rows = all.iter().filter(wanted).skip(asked.skip).cloned();
            Ok(DoubtPage {
                since_ms: AT - 30 * 86_400_000,
                rows: rows.map(|doubt| (Some(named.clone()), doubt)).collect(),
                counts: vec![(Inquiry::Bulk, 1), (Inquiry::Related, 1)],
                unread: 12,
                let_go: 0,
                list: ListState::Read { digest: "0b7ac31e55d28c90".into(), rows: 5 },
                next: (asked.skip == 0).then_some(2),
            })
        })
    }
}

fn bulk() -> Doubt {
    let (department, role) = names(("subsidy", "clerk"));
    let cited = |number| Cited { number, receipt: Receipt::new(AT, [7; 16]) };
    Doubt {
        reason: Reason::Bulk { persons: 412, median: 21, days: 18, limit: 105 },
        at_ms: AT,
        who: Some(Who { department, role, asker: Some("<li>".to_owned()) }),
        person: None,
        count: 430,
        entries: (40..60).map(cited).collect(),
    }
}

fn related() -> Doubt {
    let (asker, looked_at) = (Some("E17".to_owned()), "E18".to_owned());
    let person = Some(Pseudonym("9f86d081884c7d659a2feaa0c55ad015".to_owned()));
    let reason = Reason::Related { tie: Tie::Household, asker, looked_at };
    let entries = bulk().entries.into_iter().take(1).collect();
    Doubt { reason, person, count: 1, entries, ..bulk() }
}
