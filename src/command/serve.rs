//! `kangqiao serve`: wires the rooms, opens the doors, and closes them in order.

mod doors;
mod keys;
mod neighbours;
mod policies;
mod reload;
mod sealer;
mod start;

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use super::check::complain;
use crate::config::Config;
use crate::telemetry;
pub use neighbours::neighbours;
pub use reload::Reloader;
pub use start::{Running, start};

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

/// How a process ends whose disk failed to sync: `EX_IOERR` of sysexits.
const DISTRUSTED: i32 = 74;

/// What the system may tell a process that serves.
pub struct Signals {
    end: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// [`Failure`] if the system does not let it.
    pub fn new() -> Result<Self, Failure> {
        let handler = |kind| signal(kind).map_err(|error| Failure::during("signals", error));
        Ok(Self {
            end: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
            hangup: handler(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT; SIGHUP reloads.
    pub async fn until_stopped(mut self, reload: impl AsyncFn()) {
        loop {
            tokio::select! {
                _ = self.end.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload().await,
            }
        }
    }
}

async fn serve(args: Args) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(complain)?;
    let signals = Signals::new()?;
    let running = start(&config, args.echo).await?;
    tracing::info!("ready");
    tokio::select! {
        // The outcome is logged where it is known.
        () = signals.until_stopped(async || drop(running.reloader.reload().await)) => (),
        () = running.distrusted() => {
            tracing::error!(
                "the disk did not take what it was given: this process ends; the next start reads \
                 the log anew and goes on from there"
            );
            // In no order: closing would write what nobody can vouch for.
            std::process::exit(DISTRUSTED);
        }
    }
    tracing::info!("stopping");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}
