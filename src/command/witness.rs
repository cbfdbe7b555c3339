//! `kangqiao witness`: signs what the ledgers of others show, and never two histories of one.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::check::complain;
use super::serve::Signals;
use super::{Failure, say};
use crate::audit::{SigningKey, Signs, VerifyingKey};
use crate::config::witness::WitnessConfig;
use crate::flow::witnessing::Witnessing;
use crate::inbound::tls::{self, ReloadableTls};
use crate::inbound::witness::{Doors, serve};
use crate::store::held::Held;
use crate::telemetry;

/// `kangqiao witness --config witness.toml`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, default_value = "witness.toml")]
    config: PathBuf,
    /// Make the key if there is none, print the public key and end
    #[arg(long)]
    public_key: bool,
}

/// Serves until it is told to stop (SIGTERM, SIGINT); SIGHUP reads its certificates again.
///
/// # Errors
/// [`Failure`] if it cannot start.
pub fn run(args: Args) -> Result<(), Failure> {
    let config = WitnessConfig::load(&args.config).map_err(complain)?;
    let key = SigningKey::load_or_create(&config.key, &config.name, Signs::Cosignatures);
    let key = key.map_err(|error| Failure::caused("key", &error))?;
    if args.public_key {
        return say(key.public().to_string());
    }
    telemetry::log();
    telemetry::mask_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::during("runtime", error))?;
    runtime.block_on(witness(&config, key))
}

async fn witness(config: &WitnessConfig, key: SigningKey) -> Result<(), Failure> {
    tls::install_provider();
    let signals = Signals::new()?;
    let mutual = ReloadableTls::mutual(config.tls.clone(), config.clients.clone());
    let mutual = mutual.map_err(|error| Failure::caused("certificates", &error))?;
    let held = Held::open(config.folder.clone());
    let held = held.map_err(|error| Failure::caused("folder", &error))?;
    let witnessing = Arc::new(Witnessing {
        key,
        ledgers: ledgers(&config.ledgers)?,
        held: Mutex::new(held),
        clock: || chrono::Utc::now().timestamp().unsigned_abs(),
    });
    let (adding, showing) = (Arc::clone(&witnessing), witnessing);
    let doors = Doors {
        add: Arc::new(move |body| adding.add(&body)),
        show: Arc::new(move |_| showing.show()),
    };
    let listener = TcpListener::bind(config.address);
    let listener = listener.map_err(|error| Failure::during("address", error))?;
    let server = mutual.server_config().map_err(|error| Failure::caused("certificates", &error))?;
    let server = serve(listener, server, doors);
    let server = server.map_err(|error| Failure::during("address", error))?;
    let handle = server.handle();
    tokio::spawn(server);
    tracing::info!("ready");
    let reload = async || match mutual.read() {
        Ok(fresh) => mutual.serve(fresh),
        Err(error) => tracing::error!(reason = %error, "certificates are not read again"),
    };
    signals.until_stopped(reload).await;
    handle.stop(true).await;
    Ok(())
}

/// The keys of the ledgers it signs for.
fn ledgers(files: &[PathBuf]) -> Result<Vec<VerifyingKey>, Failure> {
    let read = |file: &PathBuf| {
        let during =
            |error: &dyn std::error::Error| Failure::caused(&file.display().to_string(), error);
        let text = fs::read_to_string(file).map_err(|error| during(&error))?;
        VerifyingKey::parse_for(&text, Signs::Checkpoints).map_err(|error| during(&error))
    };
    let mut keys = Vec::new();
    for file in files {
        let key = read(file)?;
        if keys.iter().any(|known: &VerifyingKey| known.name() == key.name()) {
            return Err(Failure(format!("ledgers: two keys of the name {}", key.name())));
        }
        keys.push(key);
    }
    Ok(keys)
}
