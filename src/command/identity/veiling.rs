//! `kangqiao identity veil`: records as keyed tokens.

use std::io::Write;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::key;
use super::records::Source;
use crate::command::{Failure, output};
use crate::identity::linkage::Veil;

/// Writes `rec_id,tokens`: what `match` reads instead of the clear file, with the same result.
/// With a key of its own for numbers, what a gateway takes instead of clear entries.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV with a header: rec_id, and any of source, local_id, name, sex, birth_date, id_no,
    /// health_card_no, phone, area_code, address; or `-`
    file: PathBuf,
    /// File of the key, 64 hexadecimal digits, for its owner alone; made if there is none.
    /// Files veiled by one key can be matched with each other
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// File of a second key, made if there is none, that never leaves this system. With it a
    /// line of JSON is written for each record, to be pushed to a gateway; rec_id becomes a
    /// token under this key
    #[arg(long, value_name = "FILE")]
    own_key_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let source = Source::open(&args.file)?;
    if source.is_veiled() {
        return Err(Failure(format!("{}: is veiled already", args.file.display())));
    }
    let veil = key::veil(&args.key_file)?;
    match &args.own_key_file {
        Some(own) => push(source, (&veil, &key::veil(own)?), &mut output()),
        None => write(source, &veil, &mut output()),
    }
}

/// What a gateway takes: tokens, and no number but as a token of its source's own.
fn push(source: Source, (veil, own): (&Veil, &Veil), out: &mut dyn Write) -> Result<(), Failure> {
    let by = veil.fingerprint().to_string();
    source.each_part(veil, |ids, traits| {
        for (id, traits) in ids.iter().zip(&traits) {
            let tokens = STANDARD.encode(traits.to_bytes());
            let line = json!({ "veil": by, "number": own.number(id), "tokens": tokens });
            writeln!(out, "{line}").map_err(|error| Failure::during("output", error))?;
        }
        Ok(())
    })?;
    out.flush().map_err(|error| Failure::during("output", error))
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
