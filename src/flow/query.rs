//! 查询, PDQ and PIX over the door of messages: asked in HL7 v2, answered like any inquiry.

use std::sync::Arc;

use super::{Gateway, Question};
use crate::inbound::mllp::Received;
use crate::registry::civil::InquiryError;
use crate::registry::pdq::Query;
use crate::vocabulary::{Fault, Position};
use crate::wire::charset::Charset;
use crate::wire::hl7v2::Message;

/// How much of a body is looked at for a query's type: MSH-9 stands in it.
const HEAD_BYTES: usize = 512;

impl Gateway {
    /// The response to a query; `None` if the body is something else.
    pub(super) async fn query(&self, received: &Received) -> Option<Vec<Vec<u8>>> {
        let head = received.body.get(..HEAD_BYTES).unwrap_or(&received.body);
        let mut lines = head.split(|byte| matches!(byte, b'\r' | b'\n'));
        // What a message is stands in its first segment.
        if !lines.next().is_some_and(|msh| msh.windows(3).any(|three| three == b"QBP")) {
            return None;
        }
        let rules = self.rules.load_full();
        let at_ms = (self.clock)();
        let message = Message::read(&received.body, Charset::Utf8, &self.limits.hl7v2).ok()?;
        let query = Query::read(message, at_ms / 1000).ok()?;
        let certificate = received.peer.clone();
        // Who asks and what for belong to the connection, never to a claim in the query.
        let asker = rules.asker(certificate.as_ref(), at_ms);
        let granted =
            asker.and_then(|asker| rules.first_purpose(asker).ok_or(Fault::PurposeNotGranted));
        let inquiry = match granted {
            Ok(purpose) => query.inquiry(&rules.pack, purpose.to_string()),
            Err(fault) => Err(InquiryError { fault, at: Position::Pointer(String::new()) }),
        };
        let question = Question { certificate, asker: None, inquiry, writing: Arc::new(query) };
        Some(vec![self.answer(question).await.body])
    }
}
