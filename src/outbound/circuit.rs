//! Whether an upstream is worth asking: after failures in a row it is left alone for a while.
//!
//! Time is handed in, in milliseconds. A clock that was put back ends a pause: the upstream is
//! asked once, which does no harm, where it might else rest for hours.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the overview shows of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Questions pass.
    Closed,
    /// One question is on its way to find out whether the upstream is back.
    HalfOpen,
    /// Questions fail at once.
    Open,
}

impl CircuitState {
    /// The name on pages and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

/// The state of an upstream at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whether questions pass.
    pub state: CircuitState,
    /// Failures since the last success.
    pub failures_in_row: u32,
    /// How many questions were answered.
    pub succeeded: u64,
    /// How many were sent and not answered.
    pub failed: u64,
    /// How many were not sent because the circuit was open.
    pub refused: u64,
    /// How long ago the last answer came; `None` if there was none.
    pub last_success_age_ms: Option<i64>,
}

/// The breaker of one upstream.
#[derive(Debug)]
pub struct Circuit {
    failures_max: u32,
    open_ms: i64,
    inner: Mutex<Inner>,
}

/// The circuit is open: nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream failed repeatedly and is left alone for a while")]
pub struct Refused;

/// Leave to ask once. Dropped without a result (the asker went away), it counts as nothing.
#[derive(Debug)]
pub struct Permit<'a> {
    circuit: &'a Circuit,
    probe: bool,
    settled: bool,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    failures_in_row: u32,
    succeeded: u64,
    failed: u64,
    refused: u64,
    last_success_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { since_ms: i64 },
    Probing { since_ms: i64 },
}

impl Circuit {
    /// A closed circuit that opens after `failures_max` failures in a row for `open_ms`.
    #[must_use]
    pub const fn new(failures_max: u32, open_ms: i64) -> Self {
        let inner = Inner {
            phase: Phase::Closed,
            failures_in_row: 0,
            succeeded: 0,
            failed: 0,
            refused: 0,
            last_success_ms: None,
        };
        Self { failures_max, open_ms, inner: Mutex::new(inner) }
    }

    /// Asks for leave to send one question.
    ///
    /// # Errors
    /// [`Refused`] while the circuit is open, and while another question probes it.
    pub fn enter(&self, now_ms: i64) -> Result<Permit<'_>, Refused> {
        let mut inner = self.lock();
        let probe = match inner.phase {
            Phase::Closed => false,
            Phase::Open { since_ms } if self.is_over(since_ms, now_ms) => {
                inner.phase = Phase::Probing { since_ms };
                true
            }
            Phase::Open { .. } | Phase::Probing { .. } => {
                inner.refused += 1;
                return Err(Refused);
            }
        };
        Ok(Permit { circuit: self, probe, settled: false })
    }

    /// Its state now.
    #[must_use]
    pub fn reading(&self, now_ms: i64) -> Reading {
        let inner = self.lock();
        Reading {
            state: match inner.phase {
                Phase::Closed => CircuitState::Closed,
                Phase::Open { .. } => CircuitState::Open,
                Phase::Probing { .. } => CircuitState::HalfOpen,
            },
            failures_in_row: inner.failures_in_row,
            succeeded: inner.succeeded,
            failed: inner.failed,
            refused: inner.refused,
            last_success_age_ms: inner.last_success_ms.map(|at| now_ms.saturating_sub(at)),
        }
    }

    /// Whether a question would be refused now.
    #[must_use]
    pub fn rests(&self, now_ms: i64) -> bool {
        match self.lock().phase {
            Phase::Closed => false,
            Phase::Open { since_ms } => !self.is_over(since_ms, now_ms),
            Phase::Probing { .. } => true,
        }
    }

    const fn is_over(&self, since_ms: i64, now_ms: i64) -> bool {
        now_ms < since_ms || now_ms.saturating_sub(since_ms) >= self.open_ms
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change below is complete before the lock is let go.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The upstream answered.
    pub fn succeeded(mut self, now_ms: i64) {
        self.settled = true;
        let mut inner = self.circuit.lock();
        inner.succeeded += 1;
        inner.failures_in_row = 0;
        inner.last_success_ms = Some(now_ms);
        // A late answer to an old question shows that it is back, as a probe does.
        inner.phase = Phase::Closed;
    }

    /// The upstream did not answer.
    pub fn failed(mut self, now_ms: i64) {
        self.settled = true;
        let mut inner = self.circuit.lock();
        inner.failed += 1;
        inner.failures_in_row = inner.failures_in_row.saturating_add(1);
        let enough = inner.failures_in_row >= self.circuit.failures_max;
        // A late failure of an old question does not lengthen the pause.
        if self.probe || (enough && inner.phase == Phase::Closed) {
            inner.phase = Phase::Open { since_ms: now_ms };
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.settled || !self.probe {
            return;
        }
        // The probe was given up: the next question may probe at once.
        let mut inner = self.circuit.lock();
        if let Phase::Probing { since_ms } = inner.phase {
            inner.phase = Phase::Open { since_ms };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CircuitState::{Closed, HalfOpen, Open};
    use super::*;

    /// What happens at a moment.
    enum Step {
        Fail,
        Succeed,
        GiveUp,
        Refused,
    }

    /// Runs steps at their moments and looks at the state after each.
    fn check(steps: &[(i64, Step, CircuitState)]) {
        let circuit = Circuit::new(3, 1_000);
        for (at, step, state) in steps {
            let permit = circuit.enter(*at);
            match step {
                Step::Fail => permit.unwrap().failed(*at),
                Step::Succeed => permit.unwrap().succeeded(*at),
                Step::GiveUp => drop(permit.unwrap()),
                Step::Refused => assert!(permit.is_err(), "at {at}"),
            }
            assert_eq!(circuit.reading(*at).state, *state, "at {at}");
        }
    }

    use Step::{Fail, GiveUp, Refused as No, Succeed};

    #[test]
    fn failures_in_a_row_open_the_circuit() {
        check(&[(1, Fail, Closed), (2, Fail, Closed), (3, Fail, Open), (4, No, Open)]);
        check(&[
            (1, Fail, Closed),
            (2, Fail, Closed),
            (3, Succeed, Closed),
            (4, Fail, Closed),
            (5, GiveUp, Closed),
            (6, Fail, Closed),
            (7, Fail, Open),
        ]);
    }

    #[test]
    fn after_the_pause_one_question_decides() {
        let opened = || vec![(1, Fail, Closed), (2, Fail, Closed), (3, Fail, Open)];
        let then = |rest: Vec<(i64, Step, CircuitState)>| {
            check(&opened().into_iter().chain(rest).collect::<Vec<_>>());
        };
        then(vec![(1_002, No, Open), (1_003, Succeed, Closed), (1_004, Fail, Closed)]);
        then(vec![(1_003, Fail, Open), (2_002, No, Open), (2_003, Succeed, Closed)]);
        then(vec![(1_003, GiveUp, Open), (1_004, Succeed, Closed)]);
        // The clock was put back.
        then(vec![(2, Fail, Open), (1_001, No, Open), (1_002, Succeed, Closed)]);
    }

    #[test]
    fn while_one_question_probes_the_others_are_refused() {
        let circuit = Circuit::new(1, 1_000);
        let old = circuit.enter(0).unwrap();
        circuit.enter(0).unwrap().failed(0);
        let probe = circuit.enter(1_000).unwrap();
        assert_eq!(circuit.reading(1_000).state, HalfOpen);
        assert_eq!(circuit.enter(5_000).map(|_| ()), Err(Refused));
        old.failed(1_001);
        assert_eq!(circuit.reading(1_001).state, HalfOpen, "a late failure is not the probe's");
        probe.succeeded(1_002);
        let reading = circuit.reading(1_500);
        let expected = Reading {
            state: Closed,
            failures_in_row: 0,
            succeeded: 1,
            failed: 2,
            refused: 1,
            last_success_age_ms: Some(498),
        };
        assert_eq!(reading, expected);
    }
}
