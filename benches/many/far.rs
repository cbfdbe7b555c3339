//! A database that is far away: a way to it on which everything takes longer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The way, carried by a thread of its own while this lives.
pub struct Far {
    /// Where it begins.
    pub port: u16,
    there_and_back: watch::Sender<Duration>,
    _carries: Runtime,
}

impl Far {
    /// A way to a port, at first without any delay.
    pub fn to(far: u16) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let carries = builder.worker_threads(1).enable_all().build().unwrap();
        let listener = carries.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (there_and_back, told) = watch::channel(Duration::ZERO);
        carries.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", far)).await else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let ((from, back), (answers, to)) = (near.into_split(), far.into_split());
                carry((from, to), &told);
                carry((answers, back), &told);
            }
        });
        Self { port, there_and_back, _carries: carries }
    }

    /// From now on a way there and back takes so much longer.
    pub fn takes(&self, there_and_back: Duration) {
        self.there_and_back.send_replace(there_and_back);
    }
}

/// Carries one direction: what is read is written half of the delay later, in order.
fn carry((mut from, mut to): (OwnedReadHalf, OwnedWriteHalf), told: &watch::Receiver<Duration>) {
    let (sends, mut comes) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let told = told.clone();
    tokio::spawn(async move {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut piece).await {
            let due = Instant::now() + *told.borrow() / 2;
            if sends.send((due, piece[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = comes.recv().await {
            // The timer is no finer than a millisecond; what is not late is not waited for.
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}
