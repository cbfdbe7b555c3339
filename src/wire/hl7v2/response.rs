//! 应答, the response to a query: header, acknowledgement, error and the query's segments.
//!
//! Standard: HL7 v2.5 section 5.4 (QBP, RSP), 5.5.2 (QAK); IHE ITI TF-2 3.9, 3.21.

use super::ack::{self, Outcome, Stamp};
use super::err;
use super::message::Message;

/// What a response says beside its header.
#[derive(Debug, Clone)]
pub struct Response<'a> {
    /// MSH-9, its three components.
    pub kind: [&'a str; 3],
    /// MSA-1 and ERR.
    pub outcome: &'a Outcome,
    /// QAK-2: OK, NF, AE or AR.
    pub status: &'a str,
    /// QAK-4 to QAK-6, where they are known.
    pub hits: Option<Hits>,
    /// What was found: whole segments with the query's separators, CR behind each.
    pub segments: &'a [String],
}

/// How many were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hits {
    /// In all.
    pub total: usize,
    /// In this response.
    pub here: usize,
    /// Behind it.
    pub left: usize,
}

/// Writes the response to a query, in its separators and its character set.
#[must_use]
pub fn respond(query: &Message, response: &Response<'_>, stamp: Stamp<'_>) -> Vec<u8> {
    let header = query.header();
    let mut text = String::with_capacity(512);
    let component = char::from(header.separators.component).to_string();
    let kind = response.kind.join(&component);
    ack::segment(&mut text, &header.separators, &ack::msh(header, stamp, kind));
    let msa = ack::msa(header, ack::Kind::Application, response.outcome);
    ack::segment(&mut text, &header.separators, &msa);
    if let Outcome::Error(fault, at) | Outcome::Rejected(fault, at) = response.outcome {
        let fields = err::fields(header, *fault, at.as_ref());
        ack::segment(&mut text, &header.separators, &fields);
    }
    ack::segment(&mut text, &header.separators, &qak(query, response));
    if let Some(qpd) = query.segment(*b"QPD") {
        text.push_str(qpd.raw());
        text.push('\r');
    }
    for segment in response.segments {
        text.push_str(segment);
    }
    ack::encoded(header, &text)
}

/// QAK, HL7 v2.5 section 5.5.2: tag and name of the query, and how many were found.
fn qak(query: &Message, response: &Response<'_>) -> Vec<String> {
    let qpd = query.segment(*b"QPD");
    let raw = |number| {
        let field = qpd.and_then(|qpd| qpd.field(number));
        field.map(|field| field.raw().to_owned()).unwrap_or_default()
    };
    let mut fields = vec!["QAK".to_owned(), raw(2), response.status.to_owned(), raw(1)];
    if let Some(hits) = response.hits {
        fields.extend([hits.total, hits.here, hits.left].map(|count| count.to_string()));
    }
    fields
}
