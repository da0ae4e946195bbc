//! The figures of all rounds. `rows` makes the report of them.

use crate::drain::Drained;
use crate::idle::Idle;
use crate::latency::Latencies;
use crate::publish::{Kind, Published};
use crate::samples::Samples;
use crate::storage::Growth;

/// Deliveries of one event in the second drain.
pub(crate) const FAN_OUT: u32 = 5;

/// What was measured so far: one entry a round.
#[derive(Default)]
pub(crate) struct Figures {
    /// Events of one drain.
    pub(crate) events: u64,
    pub(crate) limit: Samples,
    pub(crate) drain_1: Vec<(Drained, Growth)>,
    pub(crate) drain_5: Vec<(Drained, Growth)>,
    pub(crate) publish: [Vec<Published>; Kind::ALL.len()],
    /// The publishing function while no worker runs.
    pub(crate) publish_alone: Vec<Published>,
    pub(crate) latency: Vec<Latencies>,
    /// Drains after a history, without and with an old snapshot.
    pub(crate) history_free: Samples,
    pub(crate) history_pinned: Samples,
    /// Drains of an otherwise empty database, and beside a backlog: due in the future, and hanging.
    pub(crate) backlog_empty: Samples,
    pub(crate) backlog: [Vec<Drained>; 2],
    pub(crate) idle: Option<Idle>,
}

impl Figures {
    /// None yet, of drains of so many events.
    pub(crate) fn of(events: u64) -> Self {
        Self { events, ..Self::default() }
    }

    /// What one kind of publishing came to.
    pub(crate) fn publish(&mut self, kind: Kind) -> &mut Vec<Published> {
        &mut self.publish[kind as usize]
    }

    /// The rates of drains after a history, with or without an old snapshot.
    pub(crate) fn history(&mut self, pinned: bool) -> &mut Samples {
        if pinned { &mut self.history_pinned } else { &mut self.history_free }
    }
}
