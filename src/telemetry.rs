//! 运行观测, logs and metrics. Neither ever holds personal data: see STYLE, rule 7.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How often what was measured is summed up, if nobody asks for it.
const SUM_UP_EVERY: Duration = Duration::from_secs(1);

/// Upper bounds of the latency buckets, seconds.
const SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Makes a panic say where it happened and not what it says: the message of a slice out
/// of bounds quotes the text, and the text may be somebody's name.
pub fn mask_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic.location().map_or(("", 0), |at| (at.file(), at.line()));
        tracing::error!(panic.file = file, panic.line = line, "the gateway panicked");
    }));
}

/// Writes structured log lines to standard error; `KANGQIAO_LOG` chooses the level.
pub fn log() {
    log_from("info");
}

fn log_from(level: &str) {
    let filter = EnvFilter::try_from_env("KANGQIAO_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},actix_server=warn")));
    // Below that it tells the values of statements, whatever was chosen.
    let filter = match "tokio_postgres=info".parse() {
        Ok(values_masked) => filter.add_directive(values_masked),
        Err(_) => filter,
    };
    // A second call, from a test in the same process, changes nothing.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// As [`log`], but warnings and errors alone where nothing else was chosen.
pub fn log_quietly() {
    log_from("warn");
}

/// Starts collecting metrics; the handle renders them in the Prometheus text format.
///
/// # Errors
/// If a recorder is already installed in this process.
pub fn metrics() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()?;
    for (name, text) in DESCRIPTIONS {
        metrics::describe_counter!(*name, *text);
    }
    for (name, text) in MEASURES {
        metrics::describe_histogram!(*name, *text);
    }
    Ok(handle)
}

/// Sums up what was measured, until it is told to stop. Each time that was measured is kept by
/// itself until then, however long nobody asks.
pub async fn keep_summing(handle: PrometheusHandle, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => (),
            () = tokio::time::sleep(SUM_UP_EVERY) => handle.run_upkeep(),
        }
    }
}

/// Every histogram and what it measures.
const MEASURES: &[(&str, &str)] = &[
    ("kangqiao_push_seconds", "seconds from a whole message to its acknowledgements"),
    ("kangqiao_answer_seconds", "seconds from a whole question to its answer"),
];

/// Every counter and what it counts.
const DESCRIPTIONS: &[(&str, &str)] = &[
    ("kangqiao_messages_total", "messages by source and state: kept, quarantined, refused"),
    ("kangqiao_inquiries_total", "inquiries by department, purpose and outcome"),
    ("kangqiao_control_id_reused_total", "messages whose MSH-10 was used before for other bytes"),
    (
        "kangqiao_charset_mismatch_total",
        "messages whose bytes are not in the character set of MSH-18",
    ),
    ("kangqiao_unmapped_leaves_total", "leaves no mapping names, by source"),
    (
        "kangqiao_foreign_records_total",
        "records of another person than was asked about, by upstream; not used",
    ),
    ("kangqiao_reloads_total", "reloads by outcome"),
];

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_says_where_and_never_what() {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let before = std::panic::take_hook();
        mask_panics();
        let ended = tracing::subscriber::with_default(log, || {
            std::panic::catch_unwind(|| "张canary三".split_at(1).0.len())
        });
        std::panic::set_hook(before);
        assert!(ended.is_err());
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(lines.contains("panic.file") && lines.contains("panic.line"), "{lines}");
        assert!(!lines.contains("canary"), "{lines}");
    }
}
