//! 批, a batch that came as one body: every message its own journal row, one batch back.

use futures_util::future::join_all;

use super::Gateway;
use crate::inbound::mllp::{Arrival, Received};
use crate::vocabulary::Date;
use crate::wire::hl7v2::batch::{Batch, Part};

impl Gateway {
    /// Takes each message of a batch in order and answers the whole.
    pub(super) async fn push_batch(&self, received: Received) -> Vec<Vec<u8>> {
        let at = Date::from_timestamp((self.clock)() / 1000);
        let mut batch = Batch::new(self.limits.hl7v2.message_bytes_max, at);
        batch.feed(&received.body);
        batch.end();
        let mut answer = Vec::new();
        loop {
            match batch.next_part() {
                Ok(Some(Part::Reply(segments))) => answer.extend(segments),
                Ok(Some(Part::Messages(bodies))) => {
                    let taking = bodies.into_iter().map(|body| {
                        let message = Received { body: body.into(), ..received.clone() };
                        self.push_one(Arrival::Message(message))
                    });
                    let replies = join_all(taking).await.concat();
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
}
