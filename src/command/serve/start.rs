//! Starting: keys, ledger, store, rules, doors, in that order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::doors::doors;
use super::keys::master;
use super::neighbours::neighbours;
use super::policies::{self, keep};
use super::reload::Reloader;
use crate::audit::{Edge, Sealer, SigningKey, Signs};
use crate::command::Failure;
use crate::command::check::complain;
use crate::command::compile::compile;
use crate::config::Config;
use crate::flow::batches::Batches;
use crate::flow::doubts::Watching;
use crate::flow::trace::Looker;
use crate::flow::{Enforce, Gateway, Neighbours, Sights, Watch, proof};
use crate::identity::Keys;
use crate::inbound::console::{self, Console};
use crate::inbound::http::{self, Bounds};
use crate::inbound::operator::{self, Notices, Order, Policies};
use crate::inbound::tls::ReloadableTls;
use crate::inbound::{exchange, mllp, operation, tls};
use crate::store::cache::Cache;
use crate::store::outbox::Verdict;
use crate::store::packs::Packs;
use crate::store::{Guard, LedgerFile, Store, StoreError, Tile};
use crate::telemetry;
use crate::translate::form::Limits;
use crate::vocabulary::Fault;

/// Tiles of a ledger of before they were kept are written so many at a time: 8 MiB.
const TILES_AT_ONCE: usize = 1024;

/// A gateway that serves.
pub struct Running {
    /// What a reload swaps.
    pub reloader: Arc<Reloader>,
    gateway: Arc<Gateway>,
    ready: Arc<AtomicBool>,
    stopping: CancellationToken,
    listeners: Vec<JoinHandle<()>>,
    servers: Vec<ServerHandle>,
}

/// Starts everything a configuration names.
///
/// # Errors
/// [`Failure`] naming what cannot be used; nothing is left running.
pub async fn start(config: &Config, echo: bool) -> Result<Running, Failure> {
    tls::install_provider();
    let mutual = ReloadableTls::mutual(config.tls.clone(), config.clients.clone());
    let mutual = mutual.map_err(|error| Failure::caused("certificates", &error))?;
    let (gateway, missing) = gateway(config, &mutual)?;
    let gateway = Arc::new(gateway);
    for tiles in missing.chunks(TILES_AT_ONCE) {
        let kept = gateway.store.keep_tiles(tiles.to_vec()).await;
        kept.map_err(|error| Failure::during("ledger", error))?;
    }
    let began = policies::begin(config, &gateway).await?;
    keep(&Packs::policies(&config.store.folder), &[&gateway.rules.load().policy_files])?;
    gateway
        .enter_start(env!("CARGO_PKG_VERSION"))
        .await
        .map_err(|error| Failure::during("ledger", error))?;
    if began.changed {
        let begun = gateway.begin(began.before.as_deref(), began.widened).await;
        begun.map_err(|error| Failure::during("ledger", error))?;
    }
    let console_tls = config.console.as_ref().map(|console| {
        let tls = ReloadableTls::without_clients(console.tls.clone());
        tls.map_err(|error| Failure::during("console", error))
    });
    let reloader = Reloader {
        file: config.file.clone(),
        gateway: Arc::clone(&gateway),
        tls: mutual,
        console_tls: console_tls.transpose()?,
        widening: config.policy_widening,
        master_key: config.master_key.clone(),
        turn: Mutex::default(),
    };
    let mut running = Running {
        reloader: Arc::new(reloader),
        gateway,
        ready: Arc::new(AtomicBool::new(false)),
        stopping: CancellationToken::new(),
        listeners: Vec::new(),
        servers: Vec::new(),
    };
    running.open_operation(config)?;
    running.open_operator(config)?;
    running.open_mllp(config)?;
    running.open_https(config, echo)?;
    running.open_console(config)?;
    running.open_exchanges(config);
    let verifying = Arc::clone(&running.gateway).keep_verifying(running.stopping.clone());
    running.listeners.push(tokio::spawn(verifying));
    let witnessing = Arc::clone(&running.gateway).keep_witnessed(running.stopping.clone());
    running.listeners.push(tokio::spawn(witnessing));
    let sending = Arc::clone(&running.gateway).keep_sending(running.stopping.clone());
    running.listeners.push(tokio::spawn(sending));
    let counting = Arc::clone(&running.gateway).keep_counting(running.stopping.clone());
    running.listeners.push(tokio::spawn(counting));
    let delivering = Arc::clone(&running.gateway).keep_delivering(running.stopping.clone());
    running.listeners.push(tokio::spawn(delivering));
    let checking = Arc::clone(&running.gateway).keep_checking(running.stopping.clone());
    running.listeners.push(tokio::spawn(checking));
    let rotating = Arc::clone(&running.gateway).keep_rotating(running.stopping.clone());
    running.listeners.push(tokio::spawn(rotating));
    let retiring = Arc::clone(&running.gateway).keep_retiring(running.stopping.clone());
    running.listeners.push(tokio::spawn(retiring));
    let rekeying = Arc::clone(&running.gateway).keep_rekeying(running.stopping.clone());
    running.listeners.push(tokio::spawn(rekeying));
    running.ready.store(true, Ordering::SeqCst);
    Ok(running)
}

/// The flows and what they stand on; no door is open yet. Tiles the store has to keep besides.
fn gateway(config: &Config, mutual: &Arc<ReloadableTls>) -> Result<(Gateway, Vec<Tile>), Failure> {
    let there = LedgerFile::exists(&config.store);
    let there = there.map_err(|error| Failure::caused("store", &error))?;
    let master = master(config)?;
    let ledger = |error: &dyn std::fmt::Display| Failure::during("ledger", error);
    // One that was made anew would sign nothing of what is there.
    if there && !config.ledger.key.exists() {
        let why = "there is a ledger and no key file: put back the one it is signed by";
        return Err(Failure::during(&config.ledger.key.display().to_string(), why));
    }
    let signing =
        SigningKey::load_or_create(&config.ledger.key, &config.ledger.name, Signs::Checkpoints);
    let signing = signing.map_err(|error| ledger(&error))?;
    let verifying = signing.public().clone();
    let (sealer, missing) = sealer(config, signing)?;
    let store = Store::open(config.store.clone(), &master, proof::sealing(sealer));
    let store = store.map_err(|error| match error {
        StoreError::MasterKey | StoreError::MasterReplaced => {
            Failure::during(&config.master_key.display().to_string(), error)
        }
        error => Failure::caused("store", &error),
    })?;
    let compiled = compile(config).map_err(complain)?;
    keep(&Packs::mappings(&config.store.folder), &[&compiled.mappings])?;
    let rules = compiled.bind(config, mutual.standing()).map_err(Failure)?;
    let Neighbours { upstreams, subscribers, witnesses, sinks } = neighbours(config)?;
    let gateway = Gateway {
        rules: ArcSwap::from_pointee(rules),
        upstreams: ArcSwap::from_pointee(upstreams),
        subscribers: ArcSwap::from_pointee(subscribers),
        witnesses: ArcSwap::from_pointee(witnesses),
        sinks: ArcSwap::from_pointee(sinks),
        keys: Keys::derive(store.root()),
        store,
        cache: Cache::new(config.cache.clone()),
        limits: Limits { hl7v2: config.hl7v2.clone(), ..Limits::default() },
        retention_days: config.ledger.retention_days,
        empty_answer: Duration::from_millis(config.empty_answer_ms.into()),
        watch: Watch::new(verifying, now_ms(), Arc::clone(mutual)),
        batches: Batches::new(config.batch.clone()),
        background: tokio::runtime::Handle::current(),
        doubts: Watching::new(config.store.folder.clone(), config.ledger.people.clone())
            .map_err(|error| Failure::during("ledger.people", error))?,
        making: Default::default(),
        font: config.ledger.font.clone(),
        clock: now_ms,
    };
    Ok((gateway, missing))
}

/// Continues the ledger where its last checkpoint left it; tiles that are to be kept besides.
fn sealer(config: &Config, key: SigningKey) -> Result<(Sealer, Vec<Tile>), Failure> {
    let refuse = |error: &dyn std::error::Error| Failure::caused("ledger", error);
    if !LedgerFile::exists(&config.store).map_err(|error| refuse(&error))? {
        let sealer = Sealer::restore(key, Edge::default(), None);
        return sealer.map(|sealer| (sealer, Vec::new())).map_err(|error| refuse(&error));
    }
    let file = LedgerFile::open(&config.store).map_err(|error| refuse(&error))?;
    let sealer = file.look(|view| proof::sealer(view, key)).map_err(|error| refuse(&error))?;
    sealer.map_err(|error| refuse(&error))
}

impl Running {
    /// Closes the doors, lets what is in hand finish, then closes the store.
    pub async fn stop(self) {
        self.ready.store(false, Ordering::SeqCst);
        self.stopping.cancel();
        for server in &self.servers {
            server.stop(true).await;
        }
        for listener in self.listeners {
            // A listener that panicked has been reported; there is nothing left to wait for.
            let _ = listener.await;
        }
    }

    fn open_mllp(&mut self, config: &Config) -> Result<(), Failure> {
        for listener in &config.mllp {
            let tls = Arc::clone(&self.reloader.tls);
            let acceptor = move || tls.acceptor().map_err(std::io::Error::other);
            let tls = listener
                .tls
                .then(|| mllp::Tls { acceptor: Arc::new(acceptor), certificate: tls::certificate });
            let socket = bind(listener.address)?;
            let during = |error| Failure::during(&listener.address.to_string(), error);
            socket.set_nonblocking(true).map_err(during)?;
            let socket = tokio::net::TcpListener::from_std(socket).map_err(during)?;
            let (sender, settings) = (listener.sender, listener.limits.clone());
            let gateway = Arc::clone(&self.gateway);
            let answer = move |arrival| {
                let gateway = Arc::clone(&gateway);
                async move { gateway.push(arrival).await }
            };
            let door = mllp::Listener { socket, sender, tls, settings };
            self.listeners.push(tokio::spawn(mllp::serve(door, answer, self.stopping.clone())));
        }
        Ok(())
    }

    fn open_https(&mut self, config: &Config, echo: bool) -> Result<(), Failure> {
        let bounds = Bounds {
            body_bytes_max: config.https.body_bytes_max,
            batch_bytes_max: config.batch.body_bytes_max,
            connections_max: config.https.connections_max,
            drain_seconds_max: config.drain_seconds_max,
        };
        let tls =
            self.reloader.tls.server_config().map_err(|e| Failure::during("certificates", e))?;
        let server =
            http::serve(bind(config.https.address)?, tls, bounds, doors(&self.gateway, echo));
        self.run(server.map_err(|error| Failure::during("https", error))?);
        Ok(())
    }

    fn open_operator(&mut self, config: &Config) -> Result<(), Failure> {
        let (gateway, reloader) = (Arc::clone(&self.gateway), Arc::clone(&self.reloader));
        let door: operator::Door = Arc::new(move |order, user| {
            Box::pin(carry(Arc::clone(&gateway), Arc::clone(&reloader), (order, user)))
        });
        let server = operator::serve(&config.socket(), door);
        self.run(server.map_err(|error| Failure::during("operator", error))?);
        Ok(())
    }

    fn open_operation(&mut self, config: &Config) -> Result<(), Failure> {
        let Some(operation) = &config.operation else { return Ok(()) };
        let handle = telemetry::metrics().map_err(|error| Failure::during("metrics", error))?;
        let (ready, gateway) = (Arc::clone(&self.ready), Arc::clone(&self.gateway));
        let gauges = operation::Gauges {
            metrics: Arc::new(move || handle.render()),
            ready: Arc::new(move || ready.load(Ordering::SeqCst) && gateway.store.is_ready()),
        };
        let server = operation::serve(bind(operation.address)?, gauges);
        self.run(server.map_err(|error| Failure::during("operation", error))?);
        Ok(())
    }

    fn open_console(&mut self, config: &Config) -> Result<(), Failure> {
        let Some(tls) = &self.reloader.console_tls else { return Ok(()) };
        let Some(settings) = &config.console else { return Ok(()) };
        let during = |error: &dyn std::fmt::Display| Failure::during("console", error);
        let reloader = Arc::clone(&self.reloader);
        let enforce: Enforce = Arc::new(move |by: String| {
            let reloader = Arc::clone(&reloader);
            let enforced = async move { reloader.enforce(&by).await.map_err(|error| error.0) };
            enforced.boxed()
        });
        let (gateway, past) = (Arc::clone(&self.gateway), self.reloader.of_past());
        let sight = Arc::new(Sights { gateway, enforce, past });
        let console = Console::new(settings.clone(), sight).map_err(|e| during(&e))?;
        let shown = tls.server_config().map_err(|error| during(&error))?;
        let server = console::serve(bind(settings.listen)?, shown, console);
        self.run(server.map_err(|error| during(&error))?);
        Ok(())
    }

    fn open_exchanges(&mut self, config: &Config) {
        for settings in &config.exchange {
            let doors = super::doors::folder(&self.gateway, settings);
            let serving = exchange::serve(settings.clone(), doors, self.stopping.clone());
            self.listeners.push(tokio::spawn(serving));
        }
        for settings in &config.table {
            let gateway = Arc::clone(&self.gateway);
            let serving = gateway.serve_table(settings.clone(), self.stopping.clone());
            self.listeners.push(tokio::spawn(serving));
        }
        for settings in &config.inquiry_table {
            let gateway = Arc::clone(&self.gateway);
            let serving = gateway.serve_inquiries(settings.clone(), self.stopping.clone());
            self.listeners.push(tokio::spawn(serving));
        }
    }

    fn run(&mut self, server: actix_web::dev::Server) {
        self.servers.push(server.handle());
        self.listeners.push(tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(error = %error, "a door closed by itself");
            }
        }));
    }
}

/// Carries out what an operator orders.
async fn carry(
    gateway: Arc<Gateway>,
    reloader: Arc<Reloader>,
    (order, user): (Order, u32),
) -> operator::Outcome {
    let done = match order {
        Order::Backup => gateway.enter_backup(user).await,
        Order::Erase { identifier } => gateway.erase(&identifier, user).await,
        Order::History { person } => gateway.note_history(person, user).await,
        Order::Policy { about } => {
            let told = match about {
                Policies::Apply { back } => reloader.apply(back, user).await,
                Policies::Compare => reloader.compare().await,
                Policies::Versions => reloader.versions().await,
            };
            return told.map_err(|failure| failure.0);
        }
        Order::Reload => {
            let reloaded = reloader.reload().await;
            return reloaded.map(serde_json::Value::String).map_err(|failure| failure.0);
        }
        Order::Preview { number, mappings } => {
            let past = reloader.past(mappings).await.map_err(|failure| failure.0)?;
            gateway.preview(number, past, user).await
        }
        Order::Keys { about } => {
            let told = match about {
                operator::Keys::RotateMaster => reloader.rotate_master(user).await,
                operator::Keys::RotatePersons => reloader.rotate_persons(user).await,
                operator::Keys::Status => reloader.rekeying().await,
            };
            return told.map_err(|failure| failure.0);
        }
        Order::Hold { about } => gateway.holds(about, user).await,
        Order::Identity { about } => match serde_json::from_value(about) {
            Ok(order) => gateway.identity(order, user).await,
            Err(error) => return Err(error.to_string()),
        },
        Order::Notices { about } => match about {
            Notices::List => gateway.notices().await,
            Notices::Retry { number } => gateway.decide_notices(Verdict::Retry(number), user).await,
            Notices::Skip { number } => {
                gateway.decide_notices(Verdict::Skip(number, now_ms()), user).await
            }
            Notices::Rewind { subscription, since_ms } => {
                gateway.decide_notices(Verdict::Rewind(subscription, since_ms), user).await
            }
        },
        Order::Replay { numbers, mappings, accept_overlay } => {
            let past = reloader.past(mappings).await.map_err(|failure| failure.0)?;
            let guard = if accept_overlay { Guard::Pass } else { Guard::Hold };
            gateway.replay(numbers, (past, guard), user).await
        }
        Order::Trace { about } => {
            let told = trace(&gateway, &reloader, (about, user)).await;
            return told.map_err(|fault| format!("{}: {}", fault.row().name, fault.row().en));
        }
        Order::Unmerge { identifier } => gateway.unmerge(&identifier, user).await,
    };
    done.map_err(|fault| format!("{}: {}", fault.row().name, fault.row().en))
}

/// What an operator asks of messages. Whoever opens the socket reads the ledger's file besides.
async fn trace(
    gateway: &Gateway,
    reloader: &Arc<Reloader>,
    (about, user): (operator::Trace, u32),
) -> Result<serde_json::Value, Fault> {
    let name = format!("uid {user}");
    let told = match about {
        operator::Trace::Find { query } => {
            serde_json::to_value(gateway.messages(&name, *query).await?)
        }
        operator::Trace::Message { number } => {
            let looker = Looker { name: &name, audits: false };
            let journey = gateway.journey(looker, number, &reloader.of_past()).await?;
            serde_json::to_value(journey.ok_or(Fault::NumberUnknown)?)
        }
        operator::Trace::Quarantine => serde_json::to_value(gateway.piles(&name).await?),
    };
    told.map_err(|_| Fault::Internal)
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::during(&address.to_string(), error))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
