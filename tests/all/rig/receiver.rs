//! A simulated receiver of notices: any `POST` over mutual TLS, a thread a connection.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::upstream::{Stream, accept, request, tls};

/// How the receiver answers a notice.
type Answers = dyn Fn(&Value) -> u16 + Send + Sync;

/// One notice as it came, answered or not.
#[derive(Debug, Clone)]
pub struct Came {
    /// Head of the request, in lower case.
    pub head: String,
    /// The bytes, as the ledger's hash is of them.
    pub bytes: Vec<u8>,
    /// The notice.
    pub notice: Value,
    /// With which status it was answered.
    pub status: u16,
    /// When it had come whole.
    pub at: Instant,
}

/// The receiver as its neighbours see it.
pub struct Receiver {
    /// Where it listens.
    pub port: u16,
    state: Arc<State>,
}

struct State {
    came: Mutex<Vec<Came>>,
    answers: Mutex<Arc<Answers>>,
    closed: AtomicBool,
}

impl Receiver {
    /// Starts one with the certificate of that name.
    pub fn start(certs: &Path, name: &str, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let answers: Arc<Answers> = Arc::new(|_| 200);
        let (came, closed) = Default::default();
        let state = Arc::new(State { came, answers: Mutex::new(answers), closed });
        let (serving, watched) = (Arc::clone(&state), Arc::clone(&state));
        let config = tls(&certs.join("ca.pem"), certs, name);
        let answer = move |stream| serve(stream, &serving);
        accept(listener, config, (answer, move || watched.closed.load(Ordering::SeqCst)));
        Self { port, state }
    }

    /// From now on notices are answered so.
    pub fn answers(&self, how: impl Fn(&Value) -> u16 + Send + Sync + 'static) {
        *self.state.answers.lock().unwrap() = Arc::new(how);
    }

    /// Everything that came, in order.
    pub fn came(&self) -> Vec<Came> {
        self.state.came.lock().unwrap().clone()
    }

    /// How many came.
    pub fn count(&self) -> usize {
        self.state.came.lock().unwrap().len()
    }

    /// Forgets what came so far.
    pub fn forget(&self) {
        self.state.came.lock().unwrap().clear();
    }

    /// The notices that were taken, in order.
    pub fn taken(&self) -> Vec<Value> {
        let mut came = self.came();
        came.retain(|came| came.status < 300);
        came.sort_by_key(|came| came.at);
        came.into_iter().map(|came| came.notice).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections, so that it sees it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: Stream, state: &State) {
    let mut read = Vec::new();
    while let Ok(Some((head, bytes))) = request(&mut stream, &mut read) {
        let at = Instant::now();
        let notice: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let answers = Arc::clone(&state.answers.lock().unwrap());
        let status = answers(&notice);
        state.came.lock().unwrap().push(Came { head, bytes, notice, status, at });
        let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(reply.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}
