//! 戏台, where a simulation stands in for clock, commit and the threads that read.
//!
//! In the product each of these is what it says and nothing more. In tests `tests/stage.rs` may
//! play: several gateways on one thread, in an order that follows from a seed. Where nobody plays,
//! tests have the product's.

#[cfg(not(test))]
pub use product::*;

#[cfg(test)]
pub use super::tests::stage::*;

/// What a simulation spoils: an ear hears no commit of its own gateway, whatever came of it.
pub const OWN: &str = "own commits are not heard";

/// What is so where nothing is simulated.
#[cfg_attr(test, allow(dead_code, reason = "tests have their own of some"))]
pub mod product {
    use std::time::Instant;

    use crate::store::sql;

    /// A clock that nobody sets.
    pub fn now() -> Instant {
        Instant::now()
    }

    /// Ready at that time.
    pub async fn sleep_until(at: Instant) {
        tokio::time::sleep_until(at.into()).await;
    }

    /// Does something on a thread that may block; `None` if it panicked.
    pub async fn blocking<T: Send + 'static>(
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        tokio::task::spawn_blocking(what).await.ok()
    }

    /// A statement as it is told.
    pub const fn words(sql: &str) -> &str {
        sql
    }

    /// Makes what was begun durable.
    pub fn commit(commit: impl FnOnce() -> sql::Result<()>) -> sql::Result<()> {
        commit()
    }

    /// The clock of a server that a file stands in for, milliseconds since 1970; `None` where a
    /// file is a file.
    pub const fn server_ms() -> Option<i64> {
        None
    }

    /// Whether a test has spoilt this, to see it found.
    pub const fn is_spoilt(_what: &str) -> bool {
        false
    }
}
