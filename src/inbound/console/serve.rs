//! The console's own listener.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, error};

use super::super::door::{self, Manner};
use super::{Console, configure};

/// How long a stop waits for pages in hand.
const DRAIN_SECONDS_MAX: u64 = 30;

/// Serves the console until the server is stopped.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    tls: rustls::ServerConfig,
    console: Console,
) -> io::Result<Server> {
    let settings = &console.0.settings;
    let within = Duration::from_millis(settings.limits.body_ms_max);
    let manner = Manner {
        name: "console",
        workers: 1,
        connections_max: settings.connections_max,
        drain_seconds_max: DRAIN_SECONDS_MAX,
        limits: settings.limits.clone(),
    };
    let app = move || {
        let console = console.clone();
        // A request with its form: anybody may connect, and who dribbles holds a connection.
        let hurried = from_fn(move |request, next| hurry(request, next, within));
        App::new().wrap(hurried).configure(|config| configure(config, console))
    };
    door::serve(listener, tls, manner, app)
}

async fn hurry(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
    within: Duration,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    in_time(next.call(request), within).await
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
