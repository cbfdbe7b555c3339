//! `kangqiao serve`: wires the rooms, opens the doors, and closes them in order.

mod descriptors;
mod doors;
mod keys;
mod neighbours;
mod policies;
mod reload;
mod sandbox;
mod sealer;
mod start;

use std::path::PathBuf;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use super::check::complain;
use crate::config::Config;
use crate::sandbox::Bounds;
use crate::telemetry;
pub use neighbours::neighbours;
pub use reload::Reloader;
pub use start::{Running, start, start_within};

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
    let config = Config::load(&args.config).map_err(complain)?;
    descriptors::raise(&config);
    // Before the runtime: what has threads already cannot be confined as a whole.
    let bounds = sandbox::enter(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::during("runtime", error))?;
    runtime.block_on(serve(&config, bounds, args.echo))
}

/// How a process ends whose store may not be written any more: `EX_IOERR` of sysexits.
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

/// Tells whoever started the process, if it asked to be told (`Type=notify` of systemd).
fn tell_system(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(error = %error, "the service manager cannot be told");
    }
}

async fn serve(config: &Config, bounds: Option<Bounds>, echo: bool) -> Result<(), Failure> {
    let signals = Signals::new()?;
    let running = start_within(config, bounds, echo).await?;
    tracing::info!("ready");
    tell_system(NotifyState::Ready);
    tokio::select! {
        // The outcome is logged where it is known.
        () = signals.until_stopped(async || drop(running.reloader.reload().await)) => (),
        why = running.distrusted() => {
            tracing::error!("{why}");
            // In no order: closing would write what nobody can vouch for.
            std::process::exit(DISTRUSTED);
        }
    }
    tracing::info!("stopping");
    tell_system(NotifyState::Stopping);
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}
