//! A file of records, clear or veiled: CSV with a header, read in parts that fit in memory.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use csv::StringRecord;

use crate::command::Failure;
use crate::identity::linkage::{Demographics, Traits, Veil};

/// Rows that are veiled at once.
const PART: usize = 16 * 1024;
/// Signs a veiled record may have: several times what the longest has.
const TOKENS_MAX: usize = 64 * 1024;
/// Columns of a clear record, other than `rec_id`.
const COLUMNS: [&str; 10] = [
    "source",
    "local_id",
    "name",
    "sex",
    "birth_date",
    "id_no",
    "health_card_no",
    "phone",
    "area_code",
    "address",
];

/// What a file holds, in its order.
pub struct Records {
    /// Of each record its `rec_id`.
    pub ids: Vec<String>,
    /// What of it can be compared.
    pub traits: Vec<Traits>,
}

/// How the columns of a file are read.
enum Layout {
    /// Where each of [`COLUMNS`] stands, if it does.
    Clear([Option<usize>; COLUMNS.len()]),
    /// Where the tokens stand.
    Veiled(usize),
}

/// A file with its header read.
pub struct Source {
    name: String,
    rows: csv::Reader<Box<dyn Read>>,
    id: usize,
    layout: Layout,
}

impl Source {
    /// Opens a file, or standard input for `-`.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let bytes: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(|error| Failure::during(&name, error))?)
        };
        Self::read(name, bytes)
    }

    /// Reads the header.
    pub fn read(name: String, bytes: Box<dyn Read>) -> Result<Self, Failure> {
        let bytes: Box<dyn Read> = Box::new(BufReader::with_capacity(1 << 20, bytes));
        let mut rows = csv::Reader::from_reader(bytes);
        let header = rows.headers().map_err(|error| unreadable(&name, &error))?.clone();
        let titles: Vec<String> = header.iter().map(title).collect();
        let place = |wanted: &str| titles.iter().position(|title| title == wanted);
        let twice = titles.iter().enumerate().find(|(at, title)| place(title) != Some(*at));
        if let Some((_, title)) = twice.filter(|(_, title)| !title.is_empty()) {
            return Err(Failure(format!("{name}:1: column {title} stands there twice")));
        }
        let id = place("rec_id").ok_or_else(|| Failure(format!("{name}:1: no column rec_id")))?;
        let columns = COLUMNS.map(place);
        let layout = match place("tokens") {
            Some(at) => Layout::Veiled(at),
            None if columns.iter().skip(2).any(Option::is_some) => Layout::Clear(columns),
            None => {
                let known = COLUMNS[2..].join(", ");
                return Err(Failure(format!("{name}:1: none of the columns {known}")));
            }
        };
        Ok(Self { name, rows, id, layout })
    }

    /// Whether the file holds tokens alone.
    pub const fn is_veiled(&self) -> bool {
        matches!(self.layout, Layout::Veiled(_))
    }

    /// Reads all, part by part, on as many threads as there are processors.
    pub fn records(self, veil: &Veil) -> Result<Records, Failure> {
        let mut records = Records { ids: Vec::new(), traits: Vec::new() };
        self.each_part(veil, |ids, traits| {
            records.ids.extend(ids);
            records.traits.extend(traits);
            Ok(())
        })?;
        Ok(records)
    }

    /// Hands over all, part by part.
    pub fn each_part(
        mut self,
        veil: &Veil,
        mut take: impl FnMut(Vec<String>, Vec<Traits>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        loop {
            let rows = self.part()?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut ids = Vec::with_capacity(rows.len());
            for row in &rows {
                // Of a quotation mark nobody closed, all that follows would be one field.
                if row.iter().any(|field| field.contains(['\n', '\r'])) {
                    return Err(self.refuse(row, "a field that does not end in its line"));
                }
                let id = row.get(self.id).map(str::trim).filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| self.refuse(row, "no rec_id"))?;
                if !seen.insert(id.to_owned()) {
                    return Err(self.refuse(row, "rec_id stands there before"));
                }
                ids.push(id.to_owned());
            }
            take(ids, self.traits(&rows, veil)?)?;
        }
    }

    fn part(&mut self) -> Result<Vec<StringRecord>, Failure> {
        let rows = self.rows.records().take(PART).collect::<Result<Vec<_>, _>>();
        rows.map_err(|error| unreadable(&self.name, &error))
    }

    /// What can be compared of the rows, in their order.
    fn traits<'rows>(
        &self,
        rows: &'rows [StringRecord],
        veil: &Veil,
    ) -> Result<Vec<Traits>, Failure> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = rows.len().div_ceil(threads).max(1);
        let layout = &self.layout;
        let read = |rows: &'rows [StringRecord]| -> Result<Vec<Traits>, &'rows StringRecord> {
            rows.iter().map(|row| traits(layout, row, veil).ok_or(row)).collect()
        };
        let parts: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> =
                rows.chunks(share).map(|rows| scope.spawn(move || read(rows))).collect();
            running.into_iter().filter_map(|part| part.join().ok()).collect()
        });
        let mut all = Vec::with_capacity(rows.len());
        for part in parts {
            all.extend(part.map_err(|row| self.refuse(row, "no tokens of a record"))?);
        }
        match all.len() == rows.len() {
            true => Ok(all),
            false => Err(Failure(format!("{}: a thread did not end well", self.name))),
        }
    }

    /// A fault of one row, by its line.
    fn refuse(&self, row: &StringRecord, why: &str) -> Failure {
        let line = row.position().map_or(0, csv::Position::line);
        Failure(format!("{}:{line}: {why}", self.name))
    }
}

/// A column's title as it is compared: Excel writes a mark before the first.
fn title(text: &str) -> String {
    text.trim_start_matches('\u{feff}').trim().to_ascii_lowercase()
}

fn unreadable(name: &str, error: &csv::Error) -> Failure {
    let line = error.position().map_or(1, csv::Position::line);
    let why = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields, the header {expected_len}")
        }
        csv::ErrorKind::Io(error) => error.to_string(),
        _ => "cannot be read as CSV".to_owned(),
    };
    Failure(format!("{name}:{line}: {why}"))
}

/// What can be compared of a row; `None` if its tokens are none.
fn traits(layout: &Layout, row: &StringRecord, veil: &Veil) -> Option<Traits> {
    match layout {
        Layout::Clear(columns) => Some(veil.traits(&clear(columns, row))),
        Layout::Veiled(at) => {
            let text = row.get(*at).map(str::trim).filter(|text| text.len() <= TOKENS_MAX)?;
            let bytes = STANDARD.decode(text).ok()?;
            Traits::from_bytes(&bytes)
        }
    }
}

fn clear(columns: &[Option<usize>; COLUMNS.len()], row: &StringRecord) -> Demographics {
    let [source, local, name, sex, birth, citizen, card, phone, division, address] =
        columns.map(|at| at.and_then(|at| row.get(at)).unwrap_or_default().trim());
    let list = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
    // A number is one system's own: without its name it is nobody's.
    let assigned = !source.is_empty() && !local.is_empty();
    Demographics {
        names: list(name),
        sex: sex.to_owned(),
        birth_date: birth.to_owned(),
        citizen_id: citizen.to_owned(),
        cards: list(card),
        phones: list(phone),
        division: division.to_owned(),
        addresses: list(address),
        assigned: assigned.then(|| (source.to_owned(), local.to_owned())).into_iter().collect(),
    }
}
