//! The law of two-way rows, tried on examples: what was read is read again of what is written.

use super::{DocumentPlan, DocumentRow, Translation};
use crate::translate::file::Way;
use crate::translate::plan::Read;
use crate::vocabulary::{Field, Position};

/// Why reading what was written does not give what was read first.
pub(in crate::translate) fn lost(
    plan: &DocumentPlan,
    first: &Translation,
    again: &Translation,
) -> Option<String> {
    let mut left = again.record.groups.clone();
    for group in &first.record.groups {
        let rows = plan.body.rows.iter().filter(|row| row.meaning.way == Way::Both);
        let rows: Vec<_> = rows.collect();
        for field in group.fields.iter().filter(|field| rows.iter().any(|row| made(row, field))) {
            let mut own = left.iter_mut().filter(|other| other.name == group.name);
            let found = own.find_map(|other| {
                let same =
                    |other: &Field| (other.element, &other.value) == (field.element, &field.value);
                other.fields.iter().position(same).map(|at| other.fields.remove(at))
            });
            if found.is_none() {
                let at = field.at.as_ref().map_or(String::new(), ToString::to_string);
                return Some(format!("{at} is not written back"));
            }
        }
    }
    if first.record.time.is_some() && again.record.time != first.record.time {
        return Some("the time is not written back".to_owned());
    }
    let bins = &again.bins;
    let more = bins.mapped + bins.dropped != bins.leaves();
    more.then(|| "more is written than a row reads".to_owned())
}

/// Whether a field may be a row's: its element, and the names on the way to it.
fn made(row: &DocumentRow, field: &Field) -> bool {
    let own = match &row.meaning.read {
        Read::Observation(by_type) => by_type.holding(&field.value).map(|(element, _)| element),
        _ => Some(row.meaning.element),
    };
    let Some(Position::Pointer(pointer)) = &field.at else { return false };
    let pointer = pointer.strip_prefix("/records").unwrap_or(pointer);
    let found = pointer.split('/').map(|name| name.split('[').next().unwrap_or_default());
    let found = found.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
    let names: Vec<_> =
        row.pattern.0.iter().map(|step| super::path::escape_name(&step.name)).collect();
    own == Some(field.element) && found.eq(names.iter().map(String::as_str))
}
