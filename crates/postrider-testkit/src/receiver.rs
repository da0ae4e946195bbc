//! A receiver of webhooks that records what arrives and behaves as badly as it is told to.
//! Speaks HTTP/1.1 and HTTP/2 (prior knowledge) on one port, on a thread and runtime of its own: a test may block its
//! runtime or pause its clock. Arrivals can go to a journal too, which the checker reads.

mod behaviour;
mod connection;
mod exchange;
mod record;
mod serve;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub use self::behaviour::{Behaviour, Reply};
pub use self::record::Received;

use self::record::Recorder;
use crate::journal::Journal;

/// A running receiver. It stops, and closes its connections, when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    recorder: Arc<Recorder>,
    runtime: Handle,
    /// Dropped to stop the thread, which is then joined.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// How a receiver is set up.
#[derive(Debug, Default, Clone)]
pub struct ReceiverOptions {
    address: Option<SocketAddr>,
    journal: Option<PathBuf>,
    counting: bool,
}

impl ReceiverOptions {
    /// Listens there instead of on any free port of 127.0.0.1.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Writes a journal entry for each arrival (before it is answered) and for each answer (after its bytes left).
    #[must_use]
    pub fn journal(mut self, path: impl AsRef<Path>) -> Self {
        self.journal = Some(path.as_ref().to_owned());
        self
    }

    /// Only counts, and answers 200 to everything: for measurements.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.counting = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the address is taken or the journal cannot be opened.
    pub async fn start(self) -> Receiver {
        let journal = self.journal.map(|path| match Journal::append(&path) {
            Ok(journal) => journal,
            Err(error) => panic!("cannot open the journal {}: {error}", path.display()),
        });
        let recorder = Arc::new(Recorder::new(journal));
        let address = self.address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let (theirs, counting) = (Arc::clone(&recorder), self.counting);
        let run = move || {
            let runtime =
                Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
            let handle = runtime.handle().clone();
            runtime.block_on(async move {
                match TcpListener::bind(address).await {
                    Ok(listener) => {
                        let _ = tell.send(listener.local_addr().map(|a| (a, handle)));
                        serve::serve(listener, theirs, counting, stopped).await;
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(run)
            .expect("a thread can be had");
        match told.await.expect("the thread says how it went") {
            Ok((address, runtime)) => {
                Receiver { address, recorder, runtime, stop: Some(stop), thread: Some(thread) }
            }
            Err(error) => panic!("the receiver cannot listen on {address}: {error}"),
        }
    }
}

impl Receiver {
    /// A receiver that records everything and answers 200 until it is told otherwise.
    pub async fn start() -> Receiver {
        Receiver::options().start().await
    }

    /// A receiver that answers every path with these, one after another; the last repeats.
    pub async fn answering(statuses: impl IntoIterator<Item = u16>) -> Receiver {
        let receiver = Receiver::start().await;
        receiver.behave_by_default(Behaviour::statuses(statuses));
        receiver
    }

    /// A receiver that only counts: fast enough not to be what a benchmark measures.
    pub async fn counting() -> Receiver {
        Receiver::options().counting().start().await
    }

    /// To set one up otherwise.
    #[must_use]
    pub fn options() -> ReceiverOptions {
        ReceiverOptions::default()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Says how to answer requests for `path` from now on, starting at the first step of the behaviour.
    pub fn behave(&self, path: &str, behaviour: Behaviour) {
        self.recorder.behaviours().set(path, behaviour);
    }

    /// Says how to answer paths that have no behaviour of their own.
    pub fn behave_by_default(&self, behaviour: Behaviour) {
        self.recorder.behaviours().set_default(behaviour);
    }

    /// Everything that arrived, in this order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.recorder.received(|_| true)
    }

    /// What arrived at one path, in this order.
    #[must_use]
    pub fn received_at(&self, path: &str) -> Vec<Received> {
        self.recorder.received(|r| r.path == path)
    }

    /// How many requests have arrived whole.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.recorder.arrived()
    }

    /// How many requests have begun to arrive and have no complete answer yet.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.recorder.open.load(Ordering::SeqCst)
    }

    /// The largest number of requests that were open at once.
    #[must_use]
    pub fn most_open(&self) -> u64 {
        self.recorder.most_open.load(Ordering::SeqCst)
    }

    /// How many connections have been accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.recorder.connections.load(Ordering::SeqCst)
    }

    /// Forgets what arrived; counts and behaviours stay.
    pub fn forget(&self) {
        self.recorder.forget();
    }

    /// Waits until at least `n` requests have arrived since the start, and returns them all.
    ///
    /// # Panics
    /// When that takes longer than `limit`, with what did arrive.
    pub async fn wait_for(&self, n: u64, limit: Duration) -> Vec<Received> {
        if !self.arrives(n, limit).await {
            let came: Vec<String> = self
                .received()
                .iter()
                .map(|r| format!("{} {:?} → {:?}", r.path, r.id(), r.answered))
                .collect();
            panic!("{} of {n} requests arrived within {limit:?}: {came:#?}", self.count());
        }
        self.received()
    }

    /// Whether at least `n` requests (since the start) arrive within `limit`. The time is real even where the caller's
    /// clock is paused.
    pub async fn arrives(&self, n: u64, limit: Duration) -> bool {
        let mut count = self.recorder.watch();
        let waited = self.runtime.spawn(async move {
            tokio::time::timeout(limit, count.wait_for(|c| *c >= n)).await.is_ok_and(|w| w.is_ok())
        });
        waited.await.unwrap_or(false)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
