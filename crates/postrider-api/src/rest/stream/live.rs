//! One stream: what it has sent, and what it sends next.
//!
//! It reads in order up to the horizon first. Then it looks at what has become visible between two looks, wherever that lies above the
//! horizon, and keeps which of it was sent until the horizon has passed it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use jiff::Timestamp;
use postrider_core::api_key::ApiKey;
use postrider_runtime::Stop;
use postrider_store::admin::api_keys;
use postrider_store::horizon::Sight;
use postrider_store::positions::{self, Interest, PlacedEvent, Position, Read, Wanted};
use postrider_store::{Db, StoreError};
use tracing::debug;

use super::super::cursor::List;
use super::super::{Api, feed};

/// How often is looked for something new.
const TICK: Duration = Duration::from_millis(20);
/// A look of somebody else's that is not older does too.
const FRESH: Duration = Duration::from_millis(10);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a stream says how far it has come although nothing is sent.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A stream ends before its connection would be cut.
const LONGEST: Duration = Duration::from_secs(55 * 60);
/// Events sent above the horizon that are remembered. With more it waits for the horizon.
const MOST_AHEAD: usize = 10_000;
/// Events that one statement gives.
const AT_ONCE: usize = 100;

/// Who reads, and what.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) api: Api,
    pub(super) db: Db,
    /// What it was let in by; looked up again now and then.
    pub(super) key: Option<ApiKey>,
    pub(super) tenant: Option<String>,
    pub(super) interest: Option<Interest>,
    pub(super) list: List,
    pub(super) stop: Stop,
}

#[derive(Debug)]
pub(super) struct Live {
    reader: Reader,
    /// Everything up to here was sent.
    at: Position,
    /// And these behind it.
    ahead: BTreeSet<i64>,
    reading: Reading,
    begun: Instant,
    said: Instant,
    checked: Instant,
    /// The cursor that was said last.
    told: i64,
}

/// What is read next.
#[derive(Debug, Clone)]
enum Reading {
    /// In order, up to the horizon.
    Behind,
    /// Everything that was visible at this look has been sent.
    Abreast(Arc<Sight>),
    /// What has become visible at this look is being read, from this `seq` on.
    Catching { from: i64, sight: Arc<Sight> },
}

impl Live {
    pub(super) fn new(reader: Reader, at: Position, sight: Arc<Sight>) -> Self {
        let (now, told) = (Instant::now(), at.seq);
        let at = Position { removed_to: sight.removed_to, ..at };
        let (ahead, reading) = (BTreeSet::new(), Reading::Behind);
        Self { reader, at, ahead, reading, begun: now, said: now, checked: now, told }
    }

    /// Leaves out what is visible already.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn begin_now(&mut self) -> Result<(), StoreError> {
        let sight = self.reader.api.horizon().look(Duration::ZERO).await?;
        let mut from = self.at.seq;
        while from < sight.drawn && self.ahead.len() < MOST_AHEAD {
            let read = self.read(from, sight.drawn).await?;
            self.ahead.extend(read.events.iter().map(|event| event.seq));
            from = read.to;
        }
        self.reading = Reading::Abreast(sight);
        Ok(())
    }

    /// The next bytes, when there are any; `None`: the stream is over.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.begun.elapsed() > LONGEST || self.reader.stop.soft_requested() {
                return None;
            }
            match self.step().await {
                Ok(text) if !text.is_empty() => {
                    self.said = Instant::now();
                    return Some(text.into());
                }
                Ok(_) => {}
                Err(error) => {
                    // Who reads comes back with its last id.
                    debug!(%error, "a stream ends");
                    return None;
                }
            }
            if matches!(self.reading, Reading::Catching { .. }) {
                continue;
            }
            if self.checked.elapsed() > KEEP_ALIVE && !self.is_still_let_in().await {
                return None;
            }
            if let Some(text) = self.sign_of_life() {
                self.said = Instant::now();
                return Some(text);
            }
            self.reader.stop.soft_within(TICK).await;
        }
    }

    /// Reads a piece, and says what of it was not said yet.
    async fn step(&mut self) -> Result<String, StoreError> {
        match self.reading.clone() {
            Reading::Behind => self.read_in_order().await,
            Reading::Abreast(seen) => {
                let sight = self.reader.api.horizon().look(FRESH).await?;
                match sight.fresh_since(&seen) {
                    Some(from) => {
                        let from = from.max(self.at.seq);
                        self.reading = Reading::Catching { from, sight };
                    }
                    None => self.pass(&sight),
                }
                Ok(String::new())
            }
            Reading::Catching { from, sight } => self.catch_up(from, sight).await,
        }
    }

    async fn read_in_order(&mut self) -> Result<String, StoreError> {
        let sight = self.reader.api.horizon().look(FRESH).await?;
        let read = self.read(self.at.seq, sight.decided).await?;
        let mut text = String::new();
        for event in read.events {
            self.at = Position { seq: event.seq, removed_to: sight.removed_to };
            if !self.ahead.remove(&event.seq) {
                self.write(&mut text, event);
            }
        }
        self.at.seq = self.at.seq.max(read.to);
        self.ahead.retain(|seq| *seq > read.to);
        if self.at.seq >= sight.decided && self.ahead.len() < MOST_AHEAD / 2 {
            self.reading = Reading::Catching { from: self.at.seq, sight };
        }
        Ok(text)
    }

    async fn catch_up(&mut self, from: i64, sight: Arc<Sight>) -> Result<String, StoreError> {
        let read = self.read(from, sight.drawn).await?;
        let mut text = String::new();
        for event in read.events {
            if event.seq > self.at.seq && self.ahead.insert(event.seq) {
                self.write(&mut text, event);
            }
        }
        self.reading = match read.to >= sight.drawn {
            false => Reading::Catching { from: read.to, sight },
            true if self.ahead.len() >= MOST_AHEAD => Reading::Behind,
            true => {
                self.pass(&sight);
                Reading::Abreast(sight)
            }
        };
        Ok(text)
    }

    /// Everything that is decided at this look has been sent.
    fn pass(&mut self, sight: &Sight) {
        if sight.decided > self.at.seq {
            self.at.seq = sight.decided;
            self.ahead = self.ahead.split_off(&(sight.decided + 1));
        }
        self.at.removed_to = sight.removed_to;
    }

    async fn read(&self, after: i64, up_to: i64) -> Result<Read, StoreError> {
        let wanted = Wanted {
            tenant: self.reader.tenant.as_deref(),
            event_type: None,
            since: Timestamp::UNIX_EPOCH,
            by: self.reader.interest.as_ref(),
        };
        let reader = &self.reader;
        positions::read(reader.api.db(), &reader.db, &wanted, after, up_to, AT_ONCE).await
    }

    fn write(&mut self, text: &mut String, event: PlacedEvent) {
        let kind = event.event_type.clone();
        let Ok(data) = serde_json::to_string(&feed::event(event)) else { return };
        self.told = self.at.seq;
        let id = self.reader.list.cursor(self.at);
        let _ = writeln!(text, "id: {id}\nevent: {kind}");
        // An envelope has the line breaks that it was published with, between its values.
        for line in data.replace('\r', " ").split('\n') {
            let _ = writeln!(text, "data: {line}");
        }
        text.push('\n');
    }

    fn sign_of_life(&mut self) -> Option<Bytes> {
        if self.at.seq > self.told && self.said.elapsed() > TELL_EVERY {
            self.told = self.at.seq;
            // Without data it is no event, but what the reader comes back with.
            return Some(format!("id: {}\n\n", self.reader.list.cursor(self.at)).into());
        }
        (self.said.elapsed() > KEEP_ALIVE).then(|| Bytes::from_static(b": alive\n\n"))
    }

    /// Whether its key was neither revoked nor has ended meanwhile.
    async fn is_still_let_in(&mut self) -> bool {
        self.checked = Instant::now();
        let Some(key) = &self.reader.key else { return true };
        matches!(api_keys::holder(self.reader.api.db(), key).await, Ok(Some(_)))
    }
}
