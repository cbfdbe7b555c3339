//! Starting: keys, ledger, store, rules, doors, in that order.

use std::borrow::Cow;
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
use super::neighbours::{fetch, neighbours};
use super::policies::{self, keep};
use super::reload::{Reloader, Served, takers};
use super::sealer::sealer;
use crate::command::Failure;
use crate::command::check::complain;
use crate::command::compile::compile;
use crate::config::Config;
use crate::flow::batches::Batches;
use crate::flow::doubts::Watching;
use crate::flow::load::Load;
use crate::flow::trace::Looker;
use crate::flow::{Enforce, Gateway, Neighbours, Sights, Watch, proof};
use crate::identity::Keys;
use crate::inbound::console::access::{Role, Voice};
use crate::inbound::console::invite::{self, Spoken};
use crate::inbound::console::{self, Console};
use crate::inbound::http::{self, Bounds};
use crate::inbound::operator::{self, Notices, Order, Policies};
use crate::inbound::tls::ReloadableTls;
use crate::inbound::{exchange, mllp, operation, tls};
use crate::sandbox;
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

/// Starts everything a configuration names, in a process that is not confined.
///
/// # Errors
/// [`Failure`] naming what cannot be used; nothing is left running.
pub async fn start(config: &Config, echo: bool) -> Result<Running, Failure> {
    start_within(config, None, echo).await
}

/// Starts everything a configuration names; a reload stays within these bounds.
///
/// # Errors
/// As [`start`].
pub async fn start_within(
    config: &Config,
    bounds: Option<sandbox::Bounds>,
    echo: bool,
) -> Result<Running, Failure> {
    tls::install_provider();
    let mutual = ReloadableTls::mutual(config.tls.clone(), config.clients.clone());
    let mutual = mutual.map_err(|error| Failure::caused("certificates", &error))?;
    let (gateway, missing) = gateway(config, &mutual)?;
    let gateway = Arc::new(gateway);
    gateway.hear();
    for tiles in missing.chunks(TILES_AT_ONCE) {
        let kept = gateway.store.keep_tiles(tiles.to_vec()).await;
        kept.map_err(|error| Failure::during("ledger", error))?;
    }
    let began = policies::begin(config, &gateway).await?;
    keep(&Packs::policies(&config.store.folder), &[&gateway.rules.load().policy_files])?;
    gateway.enter_owed().await.map_err(|error| Failure::during("ledger", error))?;
    gateway
        .enter_start(env!("CARGO_PKG_VERSION"))
        .await
        .map_err(|error| Failure::during("ledger", error))?;
    if began.changed {
        let begun = gateway.begin(began.before.as_deref(), began.widened).await;
        begun.map_err(|error| Failure::during("ledger", error))?;
    }
    let reloader = reloader(config, (&gateway, mutual), bounds)?;
    let mut running = Running {
        reloader: Arc::new(reloader),
        gateway,
        ready: Arc::new(AtomicBool::new(false)),
        stopping: CancellationToken::new(),
        listeners: Vec::new(),
        servers: Vec::new(),
    };
    running.open_operation(config)?;
    let console = running.console(config)?;
    if let Some(console) = &console {
        console.enter_all().await;
    }
    running.open_operator(config, console.clone())?;
    running.open_mllp(config)?;
    running.open_https(config, echo)?;
    running.open_console(config, console)?;
    running.open_exchanges(config);
    running.keep(Gateway::keep_leases);
    running.keep(Gateway::keep_verifying);
    running.keep_alone("witnesses", Gateway::keep_witnessed);
    running.keep_alone("sinks", Gateway::keep_sending);
    running.keep(Gateway::keep_counting);
    running.keep(Gateway::keep_tallying);
    running.keep(Gateway::keep_delivering);
    running.keep_alone("batches", Gateway::keep_checking);
    running.keep_alone("rotation", Gateway::keep_rotating);
    running.keep_alone("retention", Gateway::keep_retiring);
    running.keep_alone("words", Gateway::keep_words);
    running.keep_alone("rerun", Gateway::keep_rerunning);
    running.keep_alone("rekeying", Gateway::keep_rekeying);
    running.keep(Gateway::keep_pulse);
    let alike = Arc::clone(&running.reloader).keep_alike(running.stopping.clone());
    running.listeners.push(tokio::spawn(alike));
    running.ready.store(true, Ordering::SeqCst);
    Ok(running)
}

/// What a reload swaps, and where it reads.
fn reloader(
    config: &Config,
    (gateway, tls): (&Arc<Gateway>, Arc<ReloadableTls>),
    bounds: Option<sandbox::Bounds>,
) -> Result<Reloader, Failure> {
    let console_tls = config.console.as_ref().map(|console| {
        let tls = ReloadableTls::without_clients(console.tls.clone());
        tls.map_err(|error| Failure::during("console", error))
    });
    Ok(Reloader {
        file: config.file.clone(),
        gateway: Arc::clone(gateway),
        tls,
        console_tls: console_tls.transpose()?,
        widening: config.policy_widening,
        master_key: config.master_key.clone(),
        served: Served::of(config),
        takers: takers(config),
        bounds,
        turn: Mutex::default(),
    })
}

/// The flows and what they stand on; no door is open yet. Tiles the store has to keep besides.
fn gateway(config: &Config, mutual: &Arc<ReloadableTls>) -> Result<(Gateway, Vec<Tile>), Failure> {
    // Asked first: while a server cannot be reached no key is made.
    let there = LedgerFile::exists(&config.store);
    let there = there.map_err(|error| Failure::caused("store", &error))?;
    let master = master(config)?;
    let (sealer, missing) = sealer(config, there)?;
    let verifying = sealer.public().clone();
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
        cache: Arc::new(Cache::new(config.cache.clone())),
        limits: Limits {
            hl7v2: config.hl7v2.clone(),
            json: config.json.clone(),
            xml: config.xml.clone(),
        },
        retention_days: config.ledger.retention_days,
        empty_answer: Duration::from_millis(config.empty_answer_ms.into()),
        watch: Watch::new(verifying, now_ms(), Arc::clone(mutual)),
        batches: Batches::new(config.batch.clone()),
        background: tokio::runtime::Handle::current(),
        doubts: Watching::new(config.store.folder.clone(), config.ledger.people.clone())
            .map_err(|error| Failure::during("ledger.people", error))?,
        load: Load::new(&config.load),
        making: Default::default(),
        pulse: Default::default(),
        font: config.ledger.font.clone(),
        clock: now_ms,
    };
    Ok((gateway, missing))
}

impl Running {
    /// Ready, with the reason, once the store may not be written any more.
    pub async fn distrusted(&self) -> Cow<'static, str> {
        self.gateway.store.distrusted().await
    }

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

    /// What goes on in the background until the gateway stops.
    fn keep<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        going: impl FnOnce(Arc<Gateway>, CancellationToken) -> F,
    ) {
        let going = going(Arc::clone(&self.gateway), self.stopping.clone());
        self.listeners.push(tokio::spawn(going));
    }

    /// The same of what one gateway alone does, where several share a server.
    fn keep_alone<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        job: &str,
        going: impl Fn(Arc<Gateway>, CancellationToken) -> F + Send + Sync + 'static,
    ) {
        let (gateway, job, stop) = (Arc::clone(&self.gateway), job.to_owned(), &self.stopping);
        self.listeners.push(tokio::spawn(gateway.alone(job, stop.clone(), going)));
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
            buffered_bytes_max: config.https.buffered_bytes_max,
            connections_max: config.https.connections_max,
            limits: config.https.limits.clone(),
            drain_seconds_max: config.drain_seconds_max,
        };
        let tls =
            self.reloader.tls.server_config().map_err(|e| Failure::during("certificates", e))?;
        let server =
            http::serve(bind(config.https.address)?, tls, bounds, doors(&self.gateway, echo));
        self.run(server.map_err(|error| Failure::during("https", error))?);
        Ok(())
    }

    fn open_operator(&mut self, config: &Config, console: Option<Console>) -> Result<(), Failure> {
        let (gateway, reloader) = (Arc::clone(&self.gateway), Arc::clone(&self.reloader));
        let door: operator::Door = Arc::new(move |order, user| {
            let rooms = (Arc::clone(&gateway), Arc::clone(&reloader), console.clone());
            Box::pin(carry(rooms, (order, user)))
        });
        let server = operator::serve(&config.socket(), door);
        self.run(server.map_err(|error| Failure::during("operator", error))?);
        Ok(())
    }

    fn open_operation(&mut self, config: &Config) -> Result<(), Failure> {
        let Some(operation) = &config.operation else { return Ok(()) };
        let handle = telemetry::metrics().map_err(|error| Failure::during("metrics", error))?;
        let summing = telemetry::keep_summing(handle.clone(), self.stopping.clone());
        self.listeners.push(tokio::spawn(summing));
        let (ready, gateway) = (Arc::clone(&self.ready), Arc::clone(&self.gateway));
        let gauges = operation::Gauges {
            metrics: Arc::new(move || handle.render()),
            ready: Arc::new(move || match ready.load(Ordering::SeqCst) {
                true => gateway.store.readiness(),
                false => (false, "not ready\n".to_owned()),
            }),
        };
        super::sandbox::show();
        let server = operation::serve(bind(operation.address)?, gauges);
        self.run(server.map_err(|error| Failure::during("operation", error))?);
        Ok(())
    }

    fn console(&self, config: &Config) -> Result<Option<Console>, Failure> {
        let Some(settings) = &config.console else { return Ok(None) };
        let during = |error: &dyn std::fmt::Display| Failure::during("console", error);
        let reloader = Arc::clone(&self.reloader);
        let enforce: Enforce = Arc::new(move |by: String| {
            let reloader = Arc::clone(&reloader);
            let enforced = async move { reloader.enforce(&by).await.map_err(|error| error.0) };
            enforced.boxed()
        });
        let (gateway, past) = (Arc::clone(&self.gateway), self.reloader.of_past());
        let sight = Arc::new(Sights { gateway, enforce, past });
        let fetch = settings.openid.as_ref().map(|openid| fetch(openid)).transpose()?;
        let console = Console::new(settings.clone(), sight, fetch).map_err(|e| during(&e))?;
        if console.is_empty() {
            tracing::warn!("the console has no user: kangqiao user invite makes a link for one");
        }
        Ok(Some(console))
    }

    fn open_console(&mut self, config: &Config, console: Option<Console>) -> Result<(), Failure> {
        let Some((console, tls)) = console.zip(self.reloader.console_tls.as_ref()) else {
            return Ok(());
        };
        let Some(settings) = &config.console else { return Ok(()) };
        let during = |error: &dyn std::fmt::Display| Failure::during("console", error);
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
            let (job, settings) = (format!("table {}", settings.table), settings.clone());
            self.keep_alone(&job, move |gateway, stop| gateway.serve_table(settings.clone(), stop));
        }
        for settings in &config.inquiry_table {
            let (job, settings) = (format!("inquiries {}", settings.table), settings.clone());
            let serving =
                move |gateway: Arc<Gateway>, stop| gateway.serve_inquiries(settings.clone(), stop);
            self.keep_alone(&job, serving);
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

/// Makes the link by which somebody makes his own account.
async fn invite(
    console: Option<Console>,
    (name, role): (String, Role),
    user: u32,
) -> operator::Outcome {
    let console = console.ok_or("there is no [console]")?;
    let spoken = console.invite_by((&name, role), Voice::Machine, &format!("uid {user}")).await;
    Ok(match spoken.map_err(|error| error.to_string())? {
        Spoken::Invited(invited) => {
            serde_json::json!({ "link": invited.link, "until": invited.until() })
        }
        Spoken::Waits { ends } => serde_json::json!({ "waits_until": invite::moment(ends) }),
    })
}

/// Carries out what an operator orders.
async fn carry(
    (gateway, reloader, console): (Arc<Gateway>, Arc<Reloader>, Option<Console>),
    (order, user): (Order, u32),
) -> operator::Outcome {
    let done = match order {
        Order::Backup => gateway.enter_backup(user).await,
        Order::Erase { identifier } => gateway.erase(&identifier, user).await,
        Order::Export { words, person } => gateway.note_export(&words, person, user).await,
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
        Order::Invite { name, role } => return invite(console, (name, role), user).await,
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
        Order::Rehearse { like } => {
            let found = gateway.rehearse(&format!("uid {user}"), *like).await;
            found.and_then(|found| serde_json::to_value(found).map_err(|_| Fault::Internal))
        }
        Order::Replay { numbers, like, mappings, accept_overlay } => {
            let past = reloader.past(mappings).await.map_err(|failure| failure.0)?;
            let guard = if accept_overlay { Guard::Pass } else { Guard::Hold };
            gateway.replay((numbers, *like), (past, guard), user).await
        }
        Order::Trace { about } => {
            let told = trace(&gateway, &reloader, (about, user)).await;
            return told.map_err(|fault| format!("{}: {}", fault.row().name, fault.row().en));
        }
        Order::Unmerge { identifier } => gateway.unmerge(&identifier, user).await,
        Order::Walls => return Ok(crate::sandbox::standing().missing().into()),
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
