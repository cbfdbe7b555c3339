//! The systems beside the gateway, over mutual TLS: a record platform and an elderly registry
//! that answer look-ups with what is known of a few invented people, and a payment system that
//! is told of events.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, web};
use serde_json::{Value, json};

use super::site::Site;
use crate::command::Failure;
use crate::inbound::door::{self, Limits, Manner};
use crate::inbound::tls::{self, ReloadableTls};

type People = HashMap<String, Value>;

/// What the systems heard.
#[derive(Default)]
pub struct Heard {
    /// How many look-ups.
    pub look_ups: AtomicUsize,
    /// What the payment system was told, in order.
    pub notices: Mutex<Vec<Value>>,
}

/// The systems while they run.
pub struct Systems {
    /// What they heard.
    pub heard: Arc<Heard>,
    servers: Vec<ServerHandle>,
}

impl Systems {
    /// Stops them.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop(false).await;
        }
    }
}

/// Starts all systems.
///
/// # Errors
/// [`Failure`] if a port is taken or a certificate cannot be used.
pub fn start(site: &Site) -> Result<Systems, Failure> {
    tls::install_provider();
    let sources = [
        ("record-platform", include_str!("systems/record-platform.json"), site.ports.platform),
        ("elder-registry", include_str!("systems/elder-registry.json"), site.ports.registry),
    ];
    let heard = Arc::new(Heard::default());
    let mut servers = Vec::new();
    for (name, people, port) in sources {
        let people: Result<People, _> = serde_json::from_str(people);
        let people = Arc::new(people.map_err(|error| Failure::during(name, error))?);
        let hears = Arc::clone(&heard);
        let answer: Answer = Arc::new(move |question| {
            hears.look_ups.fetch_add(1, Ordering::Relaxed);
            look_up(&people, question)
        });
        servers.push(serve(site, (name, "/v1/records", answer), port)?);
    }
    let hears = Arc::clone(&heard);
    let answer: Answer = Arc::new(move |notice| {
        hears.notices.lock().unwrap_or_else(PoisonError::into_inner).push(notice.clone());
        json!({})
    });
    servers.push(serve(site, ("payments", "/notices", answer), site.ports.payments)?);
    Ok(Systems { heard, servers })
}

/// What a system says to what it is sent.
type Answer = Arc<dyn Fn(&Value) -> Value + Send + Sync>;

fn serve(
    site: &Site,
    (name, path, answer): (&str, &'static str, Answer),
    port: u16,
) -> Result<ServerHandle, Failure> {
    let during = |error: &dyn std::fmt::Display| Failure::during(name, error);
    let certificate = tls::Settings {
        certificate: site.path(&format!("certs/{name}.pem")),
        key: site.path(&format!("certs/{name}.key")),
    };
    let clients = tls::ClientSettings {
        authorities: site.path("certs/ca.pem"),
        revocations: site.path("certs/crl.pem"),
        ..tls::ClientSettings::default()
    };
    let mutual = ReloadableTls::mutual(certificate, clients).map_err(|error| during(&error))?;
    let tls = mutual.server_config().map_err(|error| during(&error))?;
    let listener = TcpListener::bind(Site::address(port)).map_err(|error| during(&error))?;
    let app = move || {
        let answer = Arc::clone(&answer);
        let answered = move |sent: web::Json<Value>| {
            let said = answer(&sent);
            async move { HttpResponse::Ok().json(said) }
        };
        App::new().route(path, web::post().to(answered))
    };
    let manner = Manner {
        name: "demo",
        workers: 1,
        connections_max: 256,
        drain_seconds_max: 1,
        limits: Limits::default(),
    };
    let server = door::serve(listener, tls, manner, app).map_err(|error| during(&error))?;
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

fn look_up(people: &People, question: &Value) -> Value {
    let asked = question.pointer("/identifiers/0/value").and_then(Value::as_str);
    let found = asked.and_then(|asked| people.get(asked));
    found.cloned().unwrap_or_else(|| json!({ "records": [] }))
}
