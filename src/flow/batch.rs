//! 批, a batch that came as one body: every message its own journal row, one batch back.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Gateway, Unit, acknowledge, turned_away};
use crate::inbound::mllp::Received;
use crate::translate::Form;
use crate::vocabulary::Date;
use crate::wire::hl7v2::batch::{Batch, Part};

impl Gateway {
    /// Takes each message of a batch in order and answers the whole.
    pub(super) async fn push_batch(&self, received: Received) -> Vec<Vec<u8>> {
        let at = Date::from_timestamp((self.clock)() / 1000);
        let mut batch = Batch::new(self.limits.hl7v2.message_bytes_max, at);
        batch.feed(&received.body);
        batch.end();
        let (mut answer, broken) = (Vec::new(), AtomicBool::new(false));
        loop {
            match batch.next_part() {
                Ok(Some(Part::Reply(segments))) => answer.extend(segments),
                Ok(Some(Part::Messages(bodies))) => {
                    let message =
                        |body: Vec<u8>| Received { body: body.into(), ..received.clone() };
                    let group = bodies.into_iter().map(message).collect();
                    let replies = self.push_group(group, &broken).await;
                    batch.answered(replies.len());
                    answer.extend(replies.concat());
                }
                Ok(None) => return vec![answer],
                Err((fault, at)) => {
                    answer.extend(batch.broken(fault, &at));
                    return vec![answer];
                }
            }
        }
    }

    /// Takes messages of a batch that stand next to each other, in one commit. A batch is
    /// `broken` once one of its messages was not kept: from then on none is.
    pub(super) async fn push_group(
        &self,
        group: Vec<Received>,
        broken: &AtomicBool,
    ) -> Vec<Vec<u8>> {
        // A question stands alone in its group.
        if let [one] = group.as_slice()
            && let Some(response) = self.query(one).await
        {
            return response;
        }
        let Some(first) = group.first() else { return Vec::new() };
        if broken.load(Ordering::Relaxed) {
            let passed = group.into_iter().map(|message| self.pass_over(&unit(message)));
            return passed.flat_map(acknowledge).collect();
        }
        // One place for all of them: of those that wait for each other none may wait for a place.
        let who = (first.peer.as_ref(), first.sender);
        let _inside = match self.admit_push(who, first.entrance).await {
            Ok(inside) => inside,
            Err(fault) => {
                broken.store(true, Ordering::Relaxed);
                let at_ms = (self.clock)();
                let away = |message: &Received| turned_away(message, fault, at_ms);
                return group.iter().flat_map(away).collect();
            }
        };
        let taken = self.take_all(group.into_iter().map(unit).collect()).await;
        if taken.iter().any(|one| one.kept.is_err()) {
            broken.store(true, Ordering::Relaxed);
        }
        taken.into_iter().flat_map(acknowledge).collect()
    }
}

/// A message as the intake takes it.
pub(super) fn unit(received: Received) -> Unit {
    Unit {
        certificate: received.peer,
        sender: received.sender,
        form: Form::Hl7v2,
        entrance: received.entrance,
        mark: None,
        number: None,
        bytes: received.body,
    }
}
