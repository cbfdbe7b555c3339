//! 关口, what every way out has whatever it speaks: limits, time, and a circuit that opens.

use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::circuit::{Circuit, Reading, Refused};
use crate::vocabulary::Fault;

/// The limits of one way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long one exchange may take in all, in milliseconds.
    pub timeout_ms: u64,
    /// How long connecting may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How many bytes an answer may have.
    pub reply_bytes_max: usize,
    /// How many exchanges may be on their way at once; more wait.
    pub in_flight_max: usize,
    /// After how many failures in a row the other side is left alone.
    pub failures_max: u32,
    /// For how long, in milliseconds.
    pub open_ms: i64,
}

/// Why a way out cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// The address names no host and port.
    #[error("address must be of the form host:port")]
    Address,
    /// The HTTP client refused its settings.
    #[error("the client cannot be built")]
    Client,
    /// A limit of nothing would let nothing through.
    #[error("{0} must be above zero")]
    Limit(&'static str),
    /// Without TLS only this machine is connected to.
    #[error("without tls only a loopback address is connected to")]
    Plain,
    /// The url is none, or not `https`.
    #[error("url must be of the form https://host:port and hold no user or query")]
    Url,
}

/// Why the other side did not answer. Nothing of what was sent or came back is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// What it answered is about another message.
    #[error("the answer is to another message")]
    Astray,
    /// The connection broke, or what came is no answer.
    #[error("the connection broke")]
    Broken,
    /// Too many exchanges are on their way, and none ended in time.
    #[error("too many exchanges are on their way")]
    Busy,
    /// The release was decided for another department; nothing was sent.
    #[error("the release is not for this department")]
    Misdirected,
    /// It failed repeatedly; nothing was sent.
    #[error(transparent)]
    Open(#[from] Refused),
    /// It answered with a status of no success.
    #[error("the other side answered with status {0}")]
    Status(u16),
    /// It took longer than it may.
    #[error("the other side did not answer in time")]
    Timeout,
    /// One side does not accept the other's certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// The answer is longer than it may be.
    #[error("the answer is too long")]
    TooLarge,
    /// No connection could be made.
    #[error("the other side cannot be reached")]
    Unreachable,
}

impl LineError {
    /// What the asker is told, where the purpose allows no older answer.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Misdirected => Fault::Internal,
            _ => Fault::UpstreamUnavailable,
        }
    }

    /// Whether it says that the other side is down; a refusal says that it is up.
    pub(super) const fn is_down(self) -> bool {
        match self {
            Self::Astray | Self::Broken | Self::Timeout | Self::Tls | Self::Unreachable => true,
            Self::Status(code) => code >= 500,
            Self::Busy | Self::Misdirected | Self::Open(_) | Self::TooLarge => false,
        }
    }
}

/// What every exchange of one way out passes.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    pub(super) in_flight: Semaphore,
    pub(super) circuit: Circuit,
}

impl Gate {
    /// A gate nothing has passed yet.
    ///
    /// # Errors
    /// [`SetUpError::Limit`] if nothing ever could.
    pub fn new(limits: Limits) -> Result<Self, SetUpError> {
        let zeros = [
            ("timeout_ms", limits.timeout_ms == 0),
            ("connect_timeout_ms", limits.connect_timeout_ms == 0),
            ("reply_bytes_max", limits.reply_bytes_max == 0),
            ("in_flight_max", limits.in_flight_max == 0),
            ("failures_max", limits.failures_max == 0),
        ];
        if let Some((key, _)) = zeros.into_iter().find(|(_, zero)| *zero) {
            return Err(SetUpError::Limit(key));
        }
        let in_flight = Semaphore::new(limits.in_flight_max.min(Semaphore::MAX_PERMITS));
        let circuit = Circuit::new(limits.failures_max, limits.open_ms);
        Ok(Self { limits, in_flight, circuit })
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Its state now, for the overview.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Reading {
        self.circuit.reading(now_ms)
    }

    /// Whether nothing can pass now.
    #[must_use]
    pub fn rests(&self, now_ms: i64) -> bool {
        self.circuit.rests(now_ms)
    }

    /// Lets one exchange pass. One that takes too long is dropped, and its connection with it.
    /// `is_down` tells an answer by which the other side says that it is down; `now_ms` is the
    /// clock when the question began.
    ///
    /// # Errors
    /// [`LineError`] of the exchange, or because it did not begin or end.
    pub async fn pass<T>(
        &self,
        exchange: impl Future<Output = Result<T, LineError>>,
        (is_down, now_ms): (impl Fn(&T) -> bool, i64),
    ) -> Result<T, LineError> {
        let began = Instant::now();
        let permit = self.circuit.enter(now_ms)?;
        let limit = Duration::from_millis(self.limits.timeout_ms);
        let answered = match tokio::time::timeout(limit, self.in_flight.acquire()).await {
            Ok(Ok(_place)) => {
                let rest = limit.saturating_sub(began.elapsed());
                tokio::time::timeout(rest, exchange).await.unwrap_or(Err(LineError::Timeout))
            }
            // Nothing was sent, so the permit is given back and nothing counted.
            _ => return Err(LineError::Busy),
        };
        let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ended_ms = now_ms.saturating_add(took);
        let down = match &answered {
            Ok(answer) => is_down(answer),
            Err(error) => error.is_down(),
        };
        if down {
            permit.failed(ended_ms)
        } else {
            permit.succeeded(ended_ms)
        }
        answered
    }
}
