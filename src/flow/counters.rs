//! What the flows count. Labels are configured names and faults, never values.

use std::time::Instant;

use metrics::{counter, histogram};

use crate::policy::Admission;
use crate::store::{Kept, StoreError};
use crate::translate::{Bins, Form};
use crate::vocabulary::{Fault, Source};
use crate::wire::hl7v2::Header;

/// Measures how long something takes, until it is dropped.
pub(super) struct Timed {
    name: &'static str,
    began: Instant,
}

impl Timed {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, began: Instant::now() }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        histogram!(self.name).record(self.began.elapsed());
    }
}

/// One message, by what became of it.
pub(super) fn kept((source, form): (Source, Form), kept: &Result<Kept, StoreError>) {
    let state = match kept {
        Ok(kept) if kept.repeat => "repeated",
        Ok(kept) => kept.state.as_str(),
        Err(_) => "unavailable",
    };
    let source = source.to_string();
    counter!(
        "kangqiao_messages_total",
        "source" => source.clone(), "form" => form.name(), "state" => state
    )
    .increment(1);
    if kept.as_ref().is_ok_and(|kept| kept.control_id_reused) {
        counter!("kangqiao_control_id_reused_total", "source" => source.clone()).increment(1);
        tracing::warn!(source.name = %source, "a message number was used again for other bytes");
    }
}

/// A message in another character set than it says.
pub(super) fn charset(source: Source, header: &Header) {
    if header.charset_mismatch {
        counter!("kangqiao_charset_mismatch_total", "source" => source.to_string()).increment(1);
    }
}

/// Leaves of a unit that no table names.
pub(super) fn unmapped(source: Source, bins: &Bins) {
    if bins.unmapped > 0 {
        counter!("kangqiao_unmapped_leaves_total", "source" => source.to_string())
            .increment(u64::from(bins.unmapped));
    }
}

/// Records an upstream system gave about somebody else than was asked about.
pub(super) fn foreign(upstream: Source, records: u64) {
    if records > 0 {
        let name = upstream.to_string();
        counter!("kangqiao_foreign_records_total", "upstream" => name).increment(records);
        tracing::error!(
            upstream.name = %upstream, records.count = records,
            "an upstream system answered with records of another person; they are not used"
        );
    }
}

/// One answered question.
pub(super) fn answered(admission: &Admission) {
    let department = admission.department().to_string();
    let purpose = admission.purpose().to_string();
    counter!(
        "kangqiao_inquiries_total",
        "department" => department, "purpose" => purpose, "outcome" => "answered"
    )
    .increment(1);
}

/// One refused question.
pub(super) fn refused(fault: Fault) {
    counter!("kangqiao_inquiries_total", "outcome" => fault.row().name).increment(1);
}
