//! `kangqiao identity veil`: records as keyed tokens.

use std::io::Write;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key;
use super::records::Source;
use crate::command::{Failure, output};
use crate::identity::linkage::Veil;

/// Writes `rec_id,tokens`: what `match` reads instead of the clear file, with the same result.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV with a header: rec_id, and any of source, local_id, name, sex, birth_date, id_no,
    /// health_card_no, phone, area_code, address; or `-`
    file: PathBuf,
    /// File of the key, 64 hexadecimal digits, for its owner alone; made if there is none.
    /// Files veiled by one key can be matched with each other
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let source = Source::open(&args.file)?;
    if source.is_veiled() {
        return Err(Failure(format!("{}: is veiled already", args.file.display())));
    }
    write(source, &key::veil(&args.key_file)?, &mut output())
}

/// The veiled file.
fn write(source: Source, veil: &Veil, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |error: csv::Error| Failure::during("output", error);
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["rec_id", "tokens"]).map_err(failed)?;
    source.each_part(veil, |ids, traits| {
        for (id, traits) in ids.iter().zip(&traits) {
            let bytes = postcard::to_stdvec(traits);
            let bytes = bytes.map_err(|error| Failure::during("output", error))?;
            out.write_record([id, &STANDARD.encode(bytes)]).map_err(failed)?;
        }
        Ok(())
    })?;
    out.flush().map_err(|error| Failure::during("output", error))
}
