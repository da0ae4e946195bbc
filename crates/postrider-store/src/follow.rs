//! Follows the events as they are committed. What is visible is given at once, also above the [`Horizon`]; with each comes a position up to
//! which nothing is missing, so who goes on from there may see the last ones again, and misses none.
//!
//! It reads in order up to the horizon first. Then it looks at what has become visible between two looks, wherever that lies, and keeps
//! which of it was given until the horizon has passed it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::horizon::{Horizon, Sight};
use crate::positions::{self, Interest, PlacedEvent, Position, Read, Wanted};
use crate::{Db, StoreError};

/// How long is waited before the next [`Follow::step`] when there was nothing.
pub const TICK: Duration = Duration::from_millis(15);
/// A look of somebody else's that is not older does too.
const FRESH: Duration = Duration::from_millis(10);
/// Events given above the horizon that are remembered. With more it waits for the horizon.
const MOST_AHEAD: usize = 10_000;
/// Events that one step gives.
const AT_ONCE: usize = 100;

/// One reader that follows.
#[derive(Debug)]
pub struct Follow {
    horizon: Horizon,
    all: Db,
    own: Db,
    tenant: Option<String>,
    interest: Option<Interest>,
    /// Everything up to here was given.
    at: Position,
    /// And these behind it.
    ahead: BTreeSet<i64>,
    reading: Reading,
}

/// What is read next.
#[derive(Debug, Clone)]
enum Reading {
    /// In order, up to the horizon.
    Behind,
    /// Everything that was visible at this look has been given.
    Abreast(Arc<Sight>),
    /// What has become visible at this look is being read, from this `seq` on.
    Catching { from: i64, sight: Arc<Sight> },
}

impl Follow {
    /// Follows from a position on. `all` sees everything, `own` what the reader may see.
    #[must_use]
    pub fn from(
        horizon: Horizon,
        (all, own): (Db, Db),
        tenant: Option<String>,
        interest: Option<Interest>,
        at: Position,
    ) -> Self {
        let (ahead, reading) = (BTreeSet::new(), Reading::Behind);
        Self { horizon, all, own, tenant, interest, at, ahead, reading }
    }

    /// Leaves out what is visible already.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn begin_now(&mut self) -> Result<(), StoreError> {
        let sight = self.horizon.decided().await?;
        self.at = Position { seq: sight.decided, removed_to: sight.removed_to };
        let mut from = self.at.seq;
        while from < sight.drawn && self.ahead.len() < MOST_AHEAD {
            let read = self.read(from, sight.drawn).await?;
            self.ahead.extend(read.events.iter().map(|event| event.seq));
            from = read.to;
        }
        self.reading = Reading::Abreast(sight);
        Ok(())
    }

    /// Up to where nothing is missing.
    #[must_use]
    pub fn at(&self) -> Position {
        self.at
    }

    /// Whether the next step has something to read already.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        matches!(self.reading, Reading::Catching { .. })
    }

    /// The next events, if there are any, each with the position to go on from.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn step(&mut self) -> Result<Vec<(Position, PlacedEvent)>, StoreError> {
        match self.reading.clone() {
            Reading::Behind => self.read_in_order().await,
            Reading::Abreast(seen) => {
                let sight = self.horizon.look(FRESH).await?;
                let Some(from) = sight.fresh_since(&seen) else {
                    self.pass(&sight)?;
                    return Ok(Vec::new());
                };
                self.catch_up(from.max(self.at.seq), sight).await
            }
            Reading::Catching { from, sight } => self.catch_up(from, sight).await,
        }
    }

    async fn read_in_order(&mut self) -> Result<Vec<(Position, PlacedEvent)>, StoreError> {
        let sight = self.horizon.look(FRESH).await?;
        let read = self.read(self.at.seq, sight.decided).await?;
        let mut given = Vec::new();
        for event in read.events {
            self.at.seq = event.seq;
            if !self.ahead.remove(&event.seq) {
                given.push((self.at, event));
            }
        }
        self.pass_over(read.to, &sight)?;
        self.ahead = self.ahead.split_off(&(self.at.seq + 1));
        if self.at.seq >= sight.decided && self.ahead.len() < MOST_AHEAD / 2 {
            self.reading = Reading::Catching { from: self.at.seq, sight };
        }
        Ok(given)
    }

    async fn catch_up(
        &mut self,
        from: i64,
        sight: Arc<Sight>,
    ) -> Result<Vec<(Position, PlacedEvent)>, StoreError> {
        let read = self.read(from, sight.drawn).await?;
        let mut given = Vec::new();
        for event in read.events {
            if event.seq > self.at.seq && self.ahead.insert(event.seq) {
                given.push((self.at, event));
            }
        }
        self.reading = if self.ahead.len() >= MOST_AHEAD {
            Reading::Behind
        } else if read.to < sight.drawn {
            Reading::Catching { from: read.to, sight }
        } else {
            self.pass(&sight)?;
            Reading::Abreast(sight)
        };
        Ok(given)
    }

    /// Everything that is decided at this look has been given.
    fn pass(&mut self, sight: &Sight) -> Result<(), StoreError> {
        self.pass_over(sight.decided, sight)?;
        self.ahead = self.ahead.split_off(&(self.at.seq + 1));
        Ok(())
    }

    /// Goes on to there, unless retention has removed meanwhile what was to be read: a gap is never silent.
    fn pass_over(&mut self, to: i64, sight: &Sight) -> Result<(), StoreError> {
        if self.at.is_gone(sight.removed_to) {
            let detail = "retention removed events that had not been read";
            return Err(StoreError::other("following events", detail));
        }
        self.at = Position { seq: self.at.seq.max(to), removed_to: sight.removed_to };
        Ok(())
    }

    async fn read(&self, after: i64, up_to: i64) -> Result<Read, StoreError> {
        let wanted = Wanted {
            tenant: self.tenant.as_deref(),
            event_type: None,
            since: Timestamp::UNIX_EPOCH,
            by: self.interest.as_ref(),
        };
        positions::read(&self.all, &self.own, &wanted, after, up_to, AT_ONCE).await
    }
}
