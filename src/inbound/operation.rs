//! The loopback door of operation: metrics, liveness and readiness.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::{App, HttpResponse, HttpServer, web};

/// What this door shows.
#[derive(Clone)]
pub struct Gauges {
    /// Renders the metrics in the Prometheus text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether messages can be kept and answers given now, in words.
    pub ready: Arc<dyn Fn() -> (bool, String) + Send + Sync>,
}

/// Serves `/metrics`, `/health/live` and `/health/ready` until the server is stopped.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(listener: TcpListener, gauges: Gauges) -> io::Result<Server> {
    let app = move || {
        let (metrics, ready) = (Arc::clone(&gauges.metrics), Arc::clone(&gauges.ready));
        App::new()
            .route("/health/live", web::get().to(|| async { HttpResponse::Ok().body("live\n") }))
            .route(
                "/health/ready",
                web::get().to(move || {
                    let (ready, told) = ready();
                    async move {
                        if ready {
                            HttpResponse::Ok().body(told)
                        } else {
                            HttpResponse::ServiceUnavailable().body(told)
                        }
                    }
                }),
            )
            .route(
                "/metrics",
                web::get().to(move || {
                    let text = metrics();
                    async move {
                        HttpResponse::Ok()
                            .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4"))
                            .body(text)
                    }
                }),
            )
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener)?;
    Ok(server.run())
}
