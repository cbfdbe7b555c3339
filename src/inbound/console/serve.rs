//! The console's own listener.

use std::io;
use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::{App, HttpServer};

use super::{Console, configure};

/// Connections at once; a console has few readers.
const CONNECTIONS_MAX: usize = 256;

/// Serves the console until the server is stopped.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    tls: rustls::ServerConfig,
    console: Console,
) -> io::Result<Server> {
    let app = move || {
        let console = console.clone();
        App::new().configure(|config| configure(config, console))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .tcp_nodelay(true)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?;
    Ok(server.run())
}
