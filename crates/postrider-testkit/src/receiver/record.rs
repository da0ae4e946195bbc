//! What arrived, and what became of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use tokio::sync::watch;

use super::behaviour::Behaviours;
use crate::journal::{How, Journal, SinkEntry};

/// One request.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its place among all that arrived whole: 0 is the first.
    pub sequence: u64,
    /// When the last of it arrived.
    pub at: Instant,
    /// The same on the clock of the journals ([`crate::monotonic_ns`]).
    pub at_ns: u64,
    /// Its method.
    pub method: Method,
    /// The path it asked for, with the query if there is one.
    pub path: String,
    /// The version of HTTP.
    pub version: Version,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The status it was answered with, once the whole answer has left.
    pub answered: Option<u16>,
    /// When the whole answer had left.
    pub answered_at: Option<Instant>,
}

impl Received {
    /// A header as text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The event's id, from the header `webhook-id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The memory of a receiver.
#[derive(Debug)]
pub(super) struct Recorder {
    received: Mutex<Vec<Received>>,
    /// How many of the first ones have been forgotten.
    forgotten: AtomicU64,
    behaviours: Mutex<Behaviours>,
    count: watch::Sender<u64>,
    /// Counts instead of `count` where nobody waits.
    pub(super) counted: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) most_open: AtomicU64,
    pub(super) connections: AtomicU64,
    journal: Option<Journal>,
}

impl Recorder {
    pub(super) fn new(journal: Option<Journal>) -> Recorder {
        Recorder {
            received: Mutex::default(),
            forgotten: AtomicU64::new(0),
            behaviours: Mutex::default(),
            count: watch::Sender::new(0),
            counted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            most_open: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            journal,
        }
    }

    pub(super) fn behaviours(&self) -> MutexGuard<'_, Behaviours> {
        self.behaviours.lock().expect("nobody panics with this lock")
    }

    fn list(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().expect("nobody panics with this lock")
    }

    pub(super) fn received(&self, wanted: impl Fn(&Received) -> bool) -> Vec<Received> {
        self.list().iter().filter(|r| wanted(r)).cloned().collect()
    }

    pub(super) fn arrived(&self) -> u64 {
        *self.count.borrow() + self.counted.load(Ordering::Relaxed)
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    pub(super) fn forget(&self) {
        let mut list = self.list();
        self.forgotten.fetch_add(list.len() as u64, Ordering::SeqCst);
        list.clear();
    }

    /// A request has begun to arrive.
    pub(super) fn begin(&self) {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
    }

    /// A request has arrived whole: remembers it, tells those who wait, and returns the number it gave it.
    pub(super) fn arrive(&self, mut request: Received) -> u64 {
        let mut list = self.list();
        request.sequence = self.forgotten.load(Ordering::SeqCst) + list.len() as u64;
        let sequence = request.sequence;
        if let Some(journal) = &self.journal {
            // Under the lock, so that the journal has the order of the numbers.
            journal.write(&SinkEntry::received(&request, self.open.load(Ordering::SeqCst)));
        }
        list.push(request);
        drop(list);
        self.count.send_modify(|count| *count += 1);
        sequence
    }

    /// A request that has arrived, unless it was forgotten since.
    pub(super) fn request(&self, sequence: u64) -> Option<Received> {
        let list = self.list();
        self.place(sequence).and_then(|place| list.get(place)).cloned()
    }

    /// Where a request stands in the list; call with the list locked.
    fn place(&self, sequence: u64) -> Option<usize> {
        let place = sequence.checked_sub(self.forgotten.load(Ordering::SeqCst))?;
        usize::try_from(place).ok()
    }

    /// A request is over; `status` is what it was answered with, if anything.
    pub(super) fn end(&self, sequence: Option<u64>, status: Option<u16>, how: How) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        let Some(sequence) = sequence else { return };
        if how == How::Full {
            let mut list = self.list();
            if let Some(request) = self.place(sequence).and_then(|place| list.get_mut(place)) {
                request.answered = status;
                request.answered_at = Some(Instant::now());
            }
        }
        if let Some(journal) = &self.journal {
            journal.write(&SinkEntry::answered(sequence, status, how));
        }
    }
}
