//! The console's own listener.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpServer, error};

use super::{Console, configure};

/// Connections at once; a console has few readers.
const CONNECTIONS_MAX: usize = 256;
/// How long one request may take, its form included: anybody may connect, and who
/// dribbles holds a connection.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

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
        App::new().wrap(from_fn(hurry)).configure(|config| configure(config, console))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .tcp_nodelay(true)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)?;
    Ok(server.run())
}

async fn hurry(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    in_time(next.call(request), REQUEST_TIME_MAX).await
}

/// An answer, unless it takes too long.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, actix_web::Error>>,
    within: Duration,
) -> Result<T, actix_web::Error> {
    match tokio::time::timeout(within, answer).await {
        Ok(answered) => answered,
        Err(_) => Err(error::ErrorRequestTimeout("")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_request_that_never_ends_is_ended() {
        let soon = Duration::from_millis(5);
        let never = std::future::pending::<Result<(), actix_web::Error>>();
        let status = in_time(never, soon).await.unwrap_err().as_response_error().status_code();
        assert_eq!(status, 408);
        assert!(in_time(std::future::ready(Ok(())), soon).await.is_ok());
    }
}
