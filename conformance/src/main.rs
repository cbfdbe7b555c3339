//! `conformance`: plays the cases against a gateway and prints one line a case.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kangqiao_conformance::{Outcome, Target, case, run, stream};

/// Plays the conformance cases against a gateway, through its sockets alone.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// MLLP port of the gateway.
    #[arg(long, value_name = "HOST:PORT")]
    mllp: String,
    /// HTTPS port of the gateway.
    #[arg(long, value_name = "URL")]
    https: String,
    /// Certificate of the authority that vouches for the gateway.
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Certificate to use where a case names none.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Certificate for cases that name one, as often as needed.
    #[arg(long = "as", value_name = "NAME=CERT,KEY")]
    identities: Vec<String>,
    /// Speaks TLS on the MLLP port too, with the default certificate.
    #[arg(long)]
    mllp_tls: bool,
    /// Folder of the cases.
    #[arg(long, default_value = "conformance/cases")]
    cases: PathBuf,
}

fn main() -> ExitCode {
    match play(&Arguments::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} cases failed");
            ExitCode::FAILURE
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments) -> Result<usize, String> {
    let target = target(arguments)?;
    let mut failed = 0;
    for case in case::load(&arguments.cases)? {
        let name = case.path.with_extension("").display().to_string();
        match run(&target, &case) {
            Outcome::Passed => println!("passed   {name}"),
            Outcome::Skipped(why) => println!("SKIPPED  {name}: {why}"),
            Outcome::Failed(why) => {
                failed += 1;
                println!("FAILED   {name}: {}\n         {why}", case.title);
                println!("         {} {}: {}", case.standard, case.clause, case.demands.trim());
            }
        }
    }
    Ok(failed)
}

fn target(arguments: &Arguments) -> Result<Target, String> {
    let read = |cert: &str, key: &str| {
        stream::tls(&arguments.ca, Some((cert.as_ref(), key.as_ref())))
            .map_err(|error| format!("{cert}: {error}"))
    };
    let mut identities = BTreeMap::new();
    if let (Some(cert), Some(key)) = (&arguments.cert, &arguments.key) {
        let tls = read(&cert.display().to_string(), &key.display().to_string())?;
        identities.insert(String::new(), tls);
    }
    for identity in &arguments.identities {
        let parts = identity
            .split_once('=')
            .and_then(|(name, files)| files.split_once(',').map(|(cert, key)| (name, cert, key)));
        let (name, cert, key) = parts.ok_or(format!("{identity}: not NAME=CERT,KEY"))?;
        identities.insert(name.to_owned(), read(cert, key)?);
    }
    let url = arguments.https.strip_prefix("https://").unwrap_or(&arguments.https);
    Ok(Target {
        mllp: arguments.mllp.clone(),
        mllp_tls: identities.get("").filter(|_| arguments.mllp_tls).cloned(),
        https: url.trim_end_matches('/').to_owned(),
        identities,
    })
}
