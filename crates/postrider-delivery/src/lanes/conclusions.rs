//! What an attempt says about its endpoint: for this worker's lane at once, for everybody by a report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::health::{Finding, Report};
use postrider_store::deliveries::{self, LeasedDelivery};
use tracing::debug;

use super::Inner;
use crate::attempt;
use crate::lane::Lane;

/// Nothing starts in a lane before its health was judged, and asked for if that takes longer.
const UNJUDGED: Duration = Duration::from_secs(1);
const RELEASE_CHUNK: usize = 1000;
/// So many times as long as a release took the database rests from it: nobody waits for what is released, and many endpoints
/// that fail at once must take neither its time nor the connections from the others.
const RELEASE_REST: u32 = 2;

impl Inner {
    /// Draws the conclusions of an attempt: at once for this worker's lane, by a report for everybody.
    pub(crate) fn note_health(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        delivery: &LeasedDelivery,
        finding: Finding,
        disable: Option<&'static str>,
    ) {
        let (endpoint, now, probe) = (lane.endpoint, Instant::now(), lane.is_probing());
        if probe {
            // One at a time: the next one after this one was judged.
            lane.shut(now + UNJUDGED);
        }
        // Neither a test nor what is sent once more says anything of its endpoint's health. But a probe is one, whatever it was made with: after
        // an outage there may be nothing else.
        if attempt::is_test(delivery) || delivery.replay && !probe {
            if probe {
                self.reports.give_back(endpoint, Duration::ZERO);
            }
            return;
        }
        if let Some(reason) = disable {
            self.reports.disable(endpoint, reason);
            lane.shut(now + UNJUDGED);
            self.let_go(lane);
            return;
        }
        let report = Report { probe, ..Report::default() };
        match finding {
            Finding::Well => {
                let (tell, grown) = lane.note_success();
                if tell {
                    self.reports.report(endpoint, Report { succeeded: true, ..report });
                }
                if grown {
                    self.open_slots(lane);
                }
            }
            Finding::Failed => {
                self.reports.report(endpoint, Report { failures: 1, ..report });
                if lane.note_failure(self.reports.policy.open_after) {
                    lane.shut(now + UNJUDGED);
                    self.let_go(lane);
                }
            }
            Finding::Paused(wait) => {
                let pause_until = self.sender.clock.now().saturating_add(wait).ok();
                self.reports.report(endpoint, Report { pause_until, ..report });
                lane.shut(now + wait);
                self.let_go(lane);
            }
            Finding::Unasked(wait) if probe => self.reports.give_back(endpoint, wait),
            Finding::Unasked(wait) => {
                lane.hold(now + wait);
                self.let_go(lane);
            }
            Finding::Nothing if probe => {
                self.reports.give_back(endpoint, self.reports.policy.probe_after);
            }
            // Nothing was asked, so another may ask at once.
            Finding::Unmade if probe => self.reports.give_back(endpoint, Duration::ZERO),
            Finding::Nothing | Finding::Unmade => {}
        }
    }

    /// Gives back what a lane has queued, untouched and due at once, for its endpoint is to be left alone.
    pub(crate) fn let_go(self: &Arc<Self>, lane: &Lane) {
        let taken = lane.take_all();
        self.give_back(lane, &taken);
    }

    /// Gives back what a lane cannot start in time at its rate, which was not known when it was handed over.
    pub(super) fn shed(self: &Arc<Self>, lane: &Lane) {
        let surplus = lane.take_surplus(self.depth());
        self.give_back(lane, &surplus);
    }

    fn give_back(self: &Arc<Self>, lane: &Lane, taken: &[LeasedDelivery]) {
        if taken.is_empty() {
            return;
        }
        lane.overflow();
        taken.iter().for_each(|delivery| self.count_out(delivery));
        if let Some(until) = lane.shut_until() {
            self.due.at(lane.endpoint, until);
        }
        let leases: Vec<_> = taken.iter().flat_map(|delivery| delivery.leases()).collect();
        let (inner, endpoint, left) = (Arc::clone(self), lane.endpoint, lane.is_left());
        self.tasks.spawn(async move {
            for chunk in leases.chunks(RELEASE_CHUNK) {
                let _one = inner.releasing.lock().await;
                let begun = Instant::now();
                if let Err(failure) = deliveries::release(&inner.db, inner.owner, chunk).await {
                    inner.sender.metrics.db_error("delivery");
                    debug!(endpoint.id = %endpoint, error = %failure, "leases of {endpoint} end by themselves");
                }
                inner.stop.soft_within(begun.elapsed() * RELEASE_REST).await;
            }
            if left {
                inner.tell_others();
            }
        });
    }
}
