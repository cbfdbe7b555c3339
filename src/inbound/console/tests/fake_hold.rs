//! The holds of the gateway that exists only for the console's tests.

use super::fake::{AT, Fake, PERSON};
use crate::inbound::console::view::hold::*;
use crate::inbound::console::view::{Asker, Seen};
use crate::vocabulary::Fault;

impl Holding for Fake {
    fn holds<'a>(&'a self, asker: &'a Asker) -> Seen<'a, Vec<HoldRow>> {
        Box::pin(async move {
            self.ask(asker, "holds")?;
            let lifting = self.lifting.lock().unwrap().clone();
            let row = |number, whose, lifting| HoldRow {
                number,
                at_ms: AT,
                whose,
                reason: format!("JC-2026-{number}"),
                lifting,
            };
            let lifting = lifting.map(|by| (by, AT, "结案".to_owned()));
            let person = HeldWhose::Person(PERSON.to_owned());
            Ok(vec![row(7, person, lifting), row(8, HeldWhose::Everything, None)])
        })
    }

    fn place_hold<'a>(&'a self, asker: &'a Asker, wish: HoldWish) -> Seen<'a, Placed> {
        Box::pin(async move {
            match wish.whose {
                HoldWhom::Person(_) => self.ask(asker, ("hold person", wish.reason))?,
                HoldWhom::Department(name) if name == "subsidy" => {
                    self.ask(asker, ("hold", name, wish.reason))?;
                }
                HoldWhom::Department(name) if name == "desk-12349" => {
                    return Err(Fault::IdentityMissing);
                }
                HoldWhom::Department(_) => return Ok(Placed::Unknown),
                HoldWhom::Everything => return Ok(Placed::Stands(8)),
            }
            Ok(Placed::Placed(9))
        })
    }

    fn judge_hold<'a>(
        &'a self,
        asker: &'a Asker,
        (number, word): (u64, HoldWord),
    ) -> Seen<'a, HoldJudged> {
        Box::pin(async move {
            self.ask(asker, (number, &word))?;
            let mut lifting = self.lifting.lock().unwrap();
            Ok(match (word, lifting.clone()) {
                _ if number != 7 => HoldJudged::Settled,
                (HoldWord::Keep, _) => {
                    *lifting = None;
                    HoldJudged::Kept
                }
                (HoldWord::Lift(reason), None) if reason.is_empty() => HoldJudged::NoReason,
                (HoldWord::Lift(_), None) => {
                    *lifting = Some(asker.user.clone());
                    HoldJudged::Waits
                }
                (HoldWord::Lift(_), Some(by)) if by == asker.user => HoldJudged::Own,
                (HoldWord::Lift(_), Some(_)) => HoldJudged::Lifted,
            })
        })
    }
}
