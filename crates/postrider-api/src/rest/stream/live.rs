//! One open stream: what follows the events, written as server-sent events, and when it ends.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use postrider_core::api_key::ApiKey;
use postrider_runtime::Stop;
use postrider_store::admin::api_keys;
use postrider_store::follow::{Follow, TICK};
use postrider_store::positions::{PlacedEvent, Position};
use tracing::debug;

use super::super::cursor::List;
use super::super::{Api, feed};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a stream says how far it has come although nothing is sent.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A stream ends before its connection would be cut.
const LONGEST: Duration = Duration::from_secs(55 * 60);

/// An open stream.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) api: Api,
    pub(super) follow: Follow,
    pub(super) list: List,
    /// What it was let in by; looked up again now and then.
    pub(super) key: Option<ApiKey>,
    pub(super) stop: Stop,
    pub(super) clocks: Clocks,
}

/// When it did what last.
#[derive(Debug)]
pub(super) struct Clocks {
    begun: Instant,
    said: Instant,
    checked: Instant,
    /// The cursor that was said last.
    told: Position,
}

impl Clocks {
    /// A stream that begins here and now.
    pub(super) fn at(told: Position) -> Self {
        let now = Instant::now();
        Self { begun: now, said: now, checked: now, told }
    }
}

impl Live {
    /// The next bytes, when there are any; `None`: the stream is over.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.clocks.begun.elapsed() > LONGEST || self.stop.soft_requested() {
                return None;
            }
            if self.clocks.checked.elapsed() > KEEP_ALIVE && !self.is_still_let_in().await {
                return None;
            }
            match self.follow.step().await {
                Ok(events) if !events.is_empty() => {
                    let text = events.into_iter().map(|(at, event)| self.written(at, event));
                    let text: String = text.collect();
                    self.clocks.said = Instant::now();
                    return Some(text.into());
                }
                Ok(_) => {}
                Err(error) => {
                    // Who reads comes back with its last id.
                    debug!(%error, "a stream ends");
                    return None;
                }
            }
            if self.follow.is_reading() {
                continue;
            }
            if let Some(text) = self.sign_of_life() {
                self.clocks.said = Instant::now();
                return Some(text);
            }
            self.stop.soft_within(TICK).await;
        }
    }

    fn written(&mut self, at: Position, event: PlacedEvent) -> String {
        self.clocks.told = at;
        let kind = event.event_type.clone();
        let data = serde_json::to_string(&feed::event(event)).unwrap_or_default();
        let mut text = format!("id: {}\nevent: {kind}\n", self.list.cursor(at));
        // An envelope has the line breaks that it was published with, between its values.
        for line in data.replace('\r', " ").split('\n') {
            let _ = writeln!(text, "data: {line}");
        }
        text.push('\n');
        text
    }

    fn sign_of_life(&mut self) -> Option<Bytes> {
        let (at, quiet) = (self.follow.at(), self.clocks.said.elapsed());
        if at != self.clocks.told && quiet > TELL_EVERY {
            self.clocks.told = at;
            // Without data it is no event, but what the reader comes back with.
            return Some(format!("id: {}\n\n", self.list.cursor(at)).into());
        }
        (quiet > KEEP_ALIVE).then(|| Bytes::from_static(b": alive\n\n"))
    }

    /// Whether its key was neither revoked nor has ended meanwhile.
    async fn is_still_let_in(&mut self) -> bool {
        self.clocks.checked = Instant::now();
        let Some(key) = &self.key else { return true };
        matches!(api_keys::holder(self.api.db(), key).await, Ok(Some(_)))
    }
}
