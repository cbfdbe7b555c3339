//! The four CSV files, in the forms of the sample set.

use std::collections::BTreeMap;
use std::fs::{File, create_dir_all};
use std::io::{BufWriter, Result, Write};
use std::path::Path;

use super::{Population, Record};

/// Writes `records.csv`, `truth.csv`, `truth_pairs.csv` and `must_not_link.csv`.
///
/// No field can hold a comma, a quotation mark or a line break, so none is quoted.
///
/// # Errors
///
/// What the file system says.
pub fn write_csv(population: &Population, folder: &Path) -> Result<()> {
    create_dir_all(folder)?;
    let begin = |name: &str, columns: &str| -> Result<_> {
        let mut file = BufWriter::new(File::create(folder.join(name))?);
        writeln!(file, "{columns}").map(|()| file)
    };
    let records = &population.records;
    let id = |at: usize| &records[at].rec_id;

    let mut file = begin("records.csv", &Record::COLUMNS.join(","))?;
    for record in records {
        writeln!(file, "{}", record.fields().join(","))?;
    }
    file.flush()?;

    let mut file = begin("truth.csv", "rec_id,person_id,corruptions")?;
    for ((record, person), faults) in records.iter().zip(&population.person).zip(&population.faults)
    {
        let faults: Vec<_> = faults.iter().map(super::Fault::name).collect();
        writeln!(file, "{},P{:06},{}", record.rec_id, person + 1, faults.join(";"))?;
    }
    file.flush()?;

    let mut file = begin("truth_pairs.csv", "rec_id_1,rec_id_2,kind")?;
    for (one, other) in pairs(population) {
        let within = records[one].source == records[other].source;
        let kind = if within { "within" } else { "cross" };
        writeln!(file, "{},{},{kind}", id(one), id(other))?;
    }
    file.flush()?;

    let mut file = begin("must_not_link.csv", "rec_id_1,rec_id_2,why")?;
    for (one, other, why) in &population.unlike {
        writeln!(file, "{},{},{}", id(*one), id(*other), why.name())?;
    }
    file.flush()
}

/// Every pair of records of one person, the earlier first.
fn pairs(population: &Population) -> impl Iterator<Item = (usize, usize)> {
    let mut known: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, person) in population.person.iter().enumerate() {
        known.entry(*person).or_default().push(at);
    }
    known.into_values().flat_map(|all| {
        let later = |at| all[at + 1..].to_vec();
        let each = |at: usize| later(at).into_iter().map(move |other| (at, other));
        let found: Vec<_> = (0..all.len()).flat_map(each).collect();
        found.into_iter().map(move |(at, other)| (all[at], other))
    })
}
