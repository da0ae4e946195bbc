//! Whether a lane's deliveries flow, and what attempts say about that.

use std::time::Instant;

use super::state::{Gate, Ramp};
use super::{Flow, Lane};

impl Lane {
    /// Its deliveries wait, to be asked about again at that time.
    pub(crate) fn shut(&self, until: Instant) {
        self.state().gate = Gate::Shut { until };
    }

    /// Its deliveries wait until then for a reason of this worker's own, however well their endpoint is.
    pub(crate) fn hold(&self, until: Instant) {
        let mut state = self.state();
        state.gate = Gate::Shut { until };
        state.held_until = Some(until);
    }

    /// Leaves its deliveries to other workers, until then or until something about the endpoint or the fleet changes.
    pub(crate) fn leave(&self, until: Instant) {
        let mut state = self.state();
        state.gate = Gate::Shut { until };
        state.held_until = Some(until);
        state.left = true;
    }

    /// Whether its deliveries are for other workers.
    pub(crate) fn is_left(&self) -> bool {
        self.state().left
    }

    /// Learns at `now` how its endpoint is, as it was found by a query that began at `asked`. `None`: something newer is known.
    pub(crate) fn learn(&self, asked: u64, now: u64, unwell: bool, flow: Flow) -> Option<Flow> {
        let mut state = self.state();
        if state.learned > asked {
            return None;
        }
        state.learned = now;
        state.unwell = unwell;
        // It may be well, and our way to it is not.
        let held = state.held_until.filter(|until| *until > Instant::now());
        let flow = match (flow, held) {
            (Flow::On, Some(until)) => Flow::From(until),
            (Flow::On, None) if matches!(state.gate, Gate::Open) => Flow::AsBefore,
            (flow, _) => flow,
        };
        match flow {
            Flow::From(until) => state.gate = Gate::Shut { until },
            Flow::On => {
                state.gate = Gate::Open;
                state.ramp = Some(Ramp::START);
                state.failures = 0;
            }
            Flow::AsBefore => {}
        }
        Some(flow)
    }

    /// This worker may try one delivery, as it has learned at `now`.
    pub(crate) fn begin_probe(&self, now: u64) {
        let mut state = self.state();
        state.learned = now;
        state.gate = Gate::Probing;
        state.unwell = true;
    }

    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.state().gate, Gate::Probing)
    }

    /// Until when its deliveries wait; `None` if they flow, or one is tried.
    pub(crate) fn shut_until(&self) -> Option<Instant> {
        match self.state().gate {
            Gate::Shut { until } => Some(until),
            Gate::Open | Gate::Probing => None,
        }
    }

    /// Whether its record is not clean, or its deliveries wait.
    pub(crate) fn is_unwell(&self) -> bool {
        let state = self.state();
        state.unwell || !matches!(state.gate, Gate::Open)
    }

    /// Notes a success: whether it is worth a report, and whether more may be in flight from now on.
    pub(crate) fn note_success(&self) -> (bool, bool) {
        let mut state = self.state();
        state.failures = 0;
        let mut grown = false;
        if let Some(mut ramp) = state.ramp {
            ramp.successes += 1;
            grown = ramp.successes >= ramp.limit;
            if grown {
                ramp = Ramp { limit: ramp.limit * 2, successes: 0 };
            }
            state.ramp = (ramp.limit < state.slots).then_some(ramp);
        }
        (state.unwell, grown)
    }

    /// Notes a failure; whether it is the one that shuts the lane.
    pub(crate) fn note_failure(&self, open_after: u32) -> bool {
        let mut state = self.state();
        state.unwell = true;
        state.failures = state.failures.saturating_add(1);
        if state.ramp.is_some() {
            state.ramp = Some(Ramp::START);
        }
        state.failures >= open_after && matches!(state.gate, Gate::Open)
    }
}
