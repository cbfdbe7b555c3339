//! The systems beside the gateway: a record platform and an elderly registry that answer
//! look-ups over mutual TLS with what is known of a few invented people.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use super::site::Site;
use crate::command::Failure;
use crate::inbound::tls::{self, ReloadableTls};

type People = HashMap<String, Value>;

/// Starts both systems.
///
/// # Errors
/// [`Failure`] if a port is taken or a certificate cannot be used.
pub fn start(site: &Site) -> Result<Vec<ServerHandle>, Failure> {
    tls::install_provider();
    let systems = [
        ("record-platform", include_str!("systems/record-platform.json"), site.ports.platform),
        ("elder-registry", include_str!("systems/elder-registry.json"), site.ports.registry),
    ];
    systems.into_iter().map(|(name, people, port)| serve(site, (name, people), port)).collect()
}

fn serve(site: &Site, (name, people): (&str, &str), port: u16) -> Result<ServerHandle, Failure> {
    let during = |error: &dyn std::fmt::Display| Failure::during(name, error);
    let people: People = serde_json::from_str(people).map_err(|error| during(&error))?;
    let people = Arc::new(people);
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
        let people = Arc::clone(&people);
        let answer = move |question: web::Json<Value>| {
            let found = look_up(&people, &question);
            async move { HttpResponse::Ok().json(found) }
        };
        App::new().route("/v1/records", web::post().to(answer))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .tcp_nodelay(true)
        .listen_rustls_0_23(listener, tls)
        .map_err(|error| during(&error))?
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

fn look_up(people: &People, question: &Value) -> Value {
    let asked = question.pointer("/identifiers/0/value").and_then(Value::as_str);
    let found = asked.and_then(|asked| people.get(asked));
    found.cloned().unwrap_or_else(|| json!({ "records": [] }))
}
