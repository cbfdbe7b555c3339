//! `kangqiao identity match`: which records of a file are one person's.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::key;
use super::records::{Records, Source};
use crate::command::{Failure, output};
use crate::identity::linkage::population::Persons;
use crate::identity::linkage::{Judged, Population, Traits, Weights};

/// Writes `rec_id,person` for every record, in the order of the file: a person is named by
/// the least rec_id of its records. The order of the rows changes nothing else.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV with a header: rec_id, and any of source, local_id, name, sex, birth_date, id_no,
    /// health_card_no, phone, area_code, address; or a file that `veil` wrote; or `-`
    file: PathBuf,
    /// Write the pairs somebody should look at, with weight, rule and reasons
    #[arg(long, value_name = "FILE")]
    review: Option<PathBuf>,
    /// Take of those pairs what is likely as confirmed; not for records that are served
    #[arg(long)]
    likely: bool,
    /// What agreements are worth, as JSON; learned from the records and written there if
    /// there is no such file
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// File of the key of the tokens, made if there is none; needed with --weights, unless
    /// the file is veiled
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let source = Source::open(&args.file)?;
    let veil = match &args.key_file {
        Some(path) => key::veil(path)?,
        None if args.weights.is_some() && !source.is_veiled() => {
            return Err(Failure("weights hold tokens: give their --key-file too".to_owned()));
        }
        None => key::passing()?,
    };
    let arranged = Arranged::new(source.records(&veil)?);
    let population = weighed(&arranged.traits, args.weights.as_deref())?;
    let persons = population.persons(&arranged.order);
    let groups = if args.likely { persons.likely() } else { persons.automatic.clone() };
    let count = write_persons(&arranged, &groups, &mut output())?;
    if let Some(path) = &args.review {
        let during = |error| Failure::during(&path.display().to_string(), error);
        let file = BufWriter::new(File::create(path).map_err(during)?);
        write_review((&arranged, &population), &persons, file).map_err(during)?;
    }
    eprintln!(
        "记录 records {}  人员 persons {count}  待核 pairs to look at {}",
        arranged.ids.len(),
        persons.review.len()
    );
    Ok(())
}

/// Records in an order that is their own, not the file's, so that whatever is drawn from
/// them or tied between them comes out the same.
struct Arranged {
    ids: Vec<String>,
    traits: Vec<Traits>,
    order: Vec<u64>,
    /// For each row of the file where it stands here.
    rows: Vec<usize>,
}

impl Arranged {
    fn new(records: Records) -> Self {
        let Records { ids, traits } = records;
        let entries = ids.into_iter().zip(traits).enumerate();
        let mut entries: Vec<_> =
            entries.map(|(row, (id, traits))| (mark(&id), id, row, traits)).collect();
        entries.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut arranged = Self {
            ids: Vec::with_capacity(entries.len()),
            traits: Vec::with_capacity(entries.len()),
            order: Vec::with_capacity(entries.len()),
            rows: vec![0; entries.len()],
        };
        for (at, (mark, id, row, traits)) in entries.into_iter().enumerate() {
            arranged.ids.push(id);
            arranged.traits.push(traits);
            arranged.order.push(mark);
            if let Some(slot) = arranged.rows.get_mut(row) {
                *slot = at;
            }
        }
        arranged
    }

    fn id(&self, at: usize) -> &str {
        self.ids.get(at).map_or("", String::as_str)
    }
}

/// A number of a record that is spread evenly and depends on its rec_id alone.
fn mark(id: &str) -> u64 {
    let digest = Sha256::digest(id.as_bytes());
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The population under the weights of a file, or under its own, which go there.
fn weighed<'a>(traits: &'a [Traits], path: Option<&Path>) -> Result<Population<'a>, Failure> {
    let Some(path) = path else { return Ok(Population::learn(traits)) };
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => {
            let weights: Weights = serde_json::from_slice(&bytes)
                .map_err(|_| Failure(format!("{name}: does not hold weights")))?;
            Ok(Population::weighed(traits, weights))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let population = Population::learn(traits);
            let text = serde_json::to_vec(population.weights());
            let text = text.map_err(|error| Failure::during(&name, error))?;
            std::fs::write(path, text).map_err(|error| Failure::during(&name, error))?;
            Ok(population)
        }
        Err(error) => Err(Failure::during(&name, error)),
    }
}

/// Writes each record's person in the order of the file; how many persons there are.
fn write_persons(
    records: &Arranged,
    groups: &[usize],
    out: &mut dyn Write,
) -> Result<usize, Failure> {
    let failed = |error: csv::Error| Failure::during("output", error);
    let mut least: HashMap<usize, &str> = HashMap::new();
    for (group, id) in groups.iter().zip(&records.ids) {
        least.entry(*group).and_modify(|known| *known = id.as_str().min(known)).or_insert(id);
    }
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["rec_id", "person"]).map_err(failed)?;
    for at in &records.rows {
        let person = groups.get(*at).and_then(|group| least.get(group)).copied();
        out.write_record([records.id(*at), person.unwrap_or_default()]).map_err(failed)?;
    }
    out.flush().map_err(|error| Failure::during("output", error))?;
    Ok(least.len())
}

/// Writes the pairs to look at, the surest first.
fn write_review(
    (records, population): (&Arranged, &Population<'_>),
    persons: &Persons,
    out: impl Write,
) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["rec_id_1", "rec_id_2", "weight", "rule", "reasons"])?;
    for ((a, b), found) in &persons.review {
        let (a, b) = (records.id(*a), records.id(*b));
        let weight = format!("{:.2}", found.weight);
        let reasons = reasons(population.weights(), found);
        out.write_record([a.min(b), a.max(b), &weight, found.rule.as_str(), &reasons])?;
    }
    out.flush()
}

/// Each field that says something: how the two agree in it, and what that adds.
fn reasons(weights: &Weights, found: &Judged) -> String {
    let parts = weights.contributions(&found.comparison, &found.shared).into_iter();
    let parts = parts.filter(|part| part.level != "missing");
    let parts: Vec<_> =
        parts.map(|part| format!("{}={} {:+.2}", part.field, part.level, part.weight)).collect();
    parts.join("; ")
}
