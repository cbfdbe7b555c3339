//! What a run of load is, and the floor it is compared with.

pub mod flood;
pub mod inquiry;
pub mod mllp;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Answers and how long each took.
#[derive(Default)]
pub struct Load {
    micros: Vec<u32>,
    seconds: f64,
}

impl Load {
    /// The runs of several connections as one, over a span of time.
    pub fn of(parts: Vec<Vec<u32>>, seconds: f64) -> Self {
        let mut micros: Vec<u32> = parts.into_iter().flatten().collect();
        micros.sort_unstable();
        Self { micros, seconds }
    }

    /// Several runs of the same time as one.
    pub fn together(loads: Vec<Self>) -> Self {
        let seconds = loads.iter().map(|load| load.seconds).fold(0.0, f64::max);
        Self::of(loads.into_iter().map(|load| load.micros).collect(), seconds)
    }

    /// How many answers.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.seconds
    }

    /// The time under which so many percent of the answers came, milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let place = (self.micros.len() * percent / 100).min(self.micros.len().saturating_sub(1));
        self.micros.get(place).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        json!({
            "per_second": self.rate().round(),
            "p50_ms": self.percentile(50),
            "p99_ms": self.percentile(99),
            "answers": self.micros.len(),
        })
    }
}

/// Microseconds since a moment.
pub fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// The most any gateway could do here: the same bytes from as many tasks, appended to a
/// file by one thread that drains its queue and syncs once for all it found.
pub async fn bare(
    folder: &Path,
    messages: &[mllp::Template],
    tasks: usize,
    span: Duration,
) -> Load {
    bare_after(folder, messages, (tasks, span), |_| ()).await
}

/// The same, each append after something else.
pub async fn bare_after(
    folder: &Path,
    messages: &[mllp::Template],
    (tasks, span): (usize, Duration),
    before: impl Fn(usize) + Clone + Send + 'static,
) -> Load {
    let (queue, mut drain) = mpsc::channel::<(Arc<[u8]>, oneshot::Sender<()>)>(4096);
    let path = folder.join("bare.append");
    let mut file = File::create(&path).unwrap();
    let writer = std::thread::spawn(move || {
        let mut waiting = Vec::new();
        while let Some((bytes, told)) = drain.blocking_recv() {
            file.write_all(&bytes).unwrap();
            waiting.push(told);
            while waiting.len() < 512
                && let Ok((bytes, told)) = drain.try_recv()
            {
                file.write_all(&bytes).unwrap();
                waiting.push(told);
            }
            file.sync_data().unwrap();
            for told in waiting.drain(..) {
                let _ = told.send(());
            }
        }
    });
    let bodies: Arc<Vec<Arc<[u8]>>> =
        Arc::new(messages.iter().map(|message| Arc::from(message.bytes.as_slice())).collect());
    let begun = Instant::now();
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let (queue, bodies, before) = (queue.clone(), Arc::clone(&bodies), before.clone());
        set.spawn(async move {
            let mut found = Vec::new();
            let mut next = task;
            while begun.elapsed() < span {
                let sent = Instant::now();
                before(next);
                let (told, tell) = oneshot::channel();
                let body = Arc::clone(&bodies[next % bodies.len()]);
                queue.send((body, told)).await.unwrap();
                tell.await.unwrap();
                found.push(micros(sent));
                next += tasks;
            }
            found
        });
    }
    let parts = set.join_all().await;
    let seconds = begun.elapsed().as_secs_f64();
    drop(queue);
    writer.join().unwrap();
    std::fs::remove_file(path).unwrap();
    Load::of(parts, seconds)
}
