//! `kangqiao serve`: wires the rooms, opens the doors, and closes them in order.

mod doors;
mod policies;
mod reload;
mod start;

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::check::complain;
use crate::config::Config;
use crate::telemetry;
pub use reload::Reloader;
pub use start::{Running, start, upstreams};

/// `kangqiao serve --config kangqiao.toml`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, default_value = "kangqiao.toml")]
    config: PathBuf,
    /// Serve `/v1/echo` too, a trivial answer that benchmarks compare with
    #[arg(long, hide = true)]
    echo: bool,
}

/// Serves until it is told to stop (SIGTERM, SIGINT); SIGHUP reloads.
///
/// # Errors
/// [`Failure`] if it cannot start.
pub fn run(args: Args) -> Result<(), Failure> {
    telemetry::log();
    telemetry::mask_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::during("runtime", error))?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(complain)?;
    let handler = |kind| signal(kind).map_err(|error| Failure::during("signals", error));
    let (mut end, mut interrupt) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let mut hangup = handler(SignalKind::hangup())?;
    let running = start(&config, args.echo).await?;
    tracing::info!("ready");
    loop {
        tokio::select! {
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
            // The outcome is logged where it is known.
            _ = hangup.recv() => drop(running.reloader.reload().await),
        }
    }
    tracing::info!("stopping");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}
