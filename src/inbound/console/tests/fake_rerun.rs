//! Messages tried again many at a time, of the gateway that exists only for the console's tests.

use super::fake::{AT, Fake};
use crate::inbound::console::view::rerun::*;
use crate::inbound::console::view::{Asker, Seen};
use crate::vocabulary::Fault;

/// The number of the only one.
const NUMBER: u64 = 471;

impl Rerunning for Fake {
    fn rehearse<'a>(&'a self, asker: &'a Asker, wanted: &'a Wanted) -> Seen<'a, Preview> {
        Box::pin(async move {
            self.ask(asker, ("rehearse", wanted))?;
            Ok(preview())
        })
    }

    fn propose_rerun<'a>(&'a self, asker: &'a Asker, wanted: &'a Wanted) -> Seen<'a, Option<u64>> {
        Box::pin(async move {
            self.ask(asker, ("propose", wanted))?;
            if wanted.form.is_some() {
                return Ok(None);
            }
            *self.rerun.lock().unwrap() = Some(RerunView {
                number: NUMBER,
                wanted: wanted.clone(),
                preview: preview(),
                stage: Stage::Waits,
                by: asker.user.clone(),
                at_ms: AT,
                approved_by: None,
                ended_by: None,
                ended_ms: None,
                tried: Tried { kept: 40, held: 2, refused: 1, failed: 1 },
            });
            Ok(Some(NUMBER))
        })
    }

    fn reruns(&self) -> Seen<'_, Vec<RerunView>> {
        Box::pin(async move { Ok(self.rerun.lock().unwrap().iter().cloned().collect()) })
    }

    fn rerun(&self, number: u64) -> Seen<'_, Option<RerunView>> {
        let found = self.rerun.lock().unwrap().clone();
        Box::pin(async move { Ok(found.filter(|rerun| rerun.number == number)) })
    }

    fn judge_rerun<'a>(
        &'a self,
        asker: &'a Asker,
        (number, word): (u64, Word),
    ) -> Seen<'a, RerunJudged> {
        Box::pin(async move {
            self.ask(asker, (number, word))?;
            let mut found = self.rerun.lock().unwrap();
            let Some(rerun) = found.as_mut() else { return Ok(RerunJudged::Settled) };
            rerun.stage = match (rerun.stage, word) {
                (Stage::Waits, Word::Approve) if rerun.by == asker.user => {
                    return Ok(RerunJudged::Own);
                }
                (Stage::Waits, Word::Approve) => Stage::Runs,
                (Stage::Waits, Word::Decline) => Stage::Declined,
                (Stage::Runs, Word::Stop) => Stage::Stopped,
                _ => return Ok(RerunJudged::Settled),
            };
            Ok(RerunJudged::Noted)
        })
    }
}

fn preview() -> Preview {
    let place = Some("PID-8".to_owned());
    Preview {
        mappings: "0b7ac31e55d28c90".to_owned(),
        quarantined: 1_234,
        more: false,
        last: 214_002,
        looked: 500,
        kept: 480,
        held: vec![Expected { fault: Fault::TableValue, place, count: 19 }],
        refused: vec![Expected { fault: Fault::Malformed, place: None, count: 1 }],
        notices: vec![Leaving {
            subscription: "civil-discharge".to_owned(),
            event: "discharge".to_owned(),
            count: 61,
        }],
        settled: Settled { kept: 3, refused: 7, more: true },
    }
}
