//! What the database knows of endpoints, told to their lanes: of all that are not well, or of one whose deliveries wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postrider_core::health::Circuit;
use postrider_core::ids::EndpointId;
use postrider_store::endpoint_health::{self, HealthRow};
use postrider_store::{StoreError, workers};

use super::AFTER_FAILURE;
use crate::lane::{Flow, Lane};
use crate::lanes::{Inner, lock};
use crate::limit::Fleet;

/// How long a lane whose endpoint somebody paused is left alone without another look, of which there is one a second.
pub(crate) const PAUSED_FOR: Duration = Duration::from_secs(60);

/// Looks at every endpoint that is not well, and at those that were.
pub(crate) async fn look(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let (workers, place) = workers::place(&inner.db, inner.owner).await?;
    inner.note_fleet(Fleet { workers: workers.max(1), place });
    inner.reports.looked.send_replace(true);
    let asked = inner.reports.now();
    let rows = endpoint_health::unwell(&inner.db).await?;
    let now = inner.sender.clock.now();
    let circuits = |circuit| rows.iter().filter(|row| row.health.circuit == circuit).count();
    for circuit in [Circuit::Open, Circuit::HalfOpen] {
        inner.sender.metrics.set_circuits(circuit.as_str(), circuits(circuit));
    }
    let paused =
        |row: &&HealthRow| row.paused || row.health.paused_until.is_some_and(|until| until > now);
    inner.sender.metrics.set_circuits("paused", rows.iter().filter(paused).count());
    let lanes: Vec<Arc<Lane>> = lock(&inner.lanes).values().cloned().collect();
    let ill: HashMap<EndpointId, &HealthRow> = rows.iter().map(|row| (row.endpoint, row)).collect();
    let recovered = lanes.iter().filter(|lane| lane.is_unwell());
    let recovered = recovered.filter(|lane| !ill.contains_key(&lane.endpoint));
    let clean: Vec<_> = recovered.map(|lane| HealthRow::clean(lane.endpoint)).collect();
    for row in clean.iter().chain(&rows) {
        if !inner.reports.is_waiting(row.endpoint) {
            apply(inner, row, asked, now);
        }
    }
    Ok(())
}

/// Tells the lane whether its deliveries flow; if not, it lets go of what it holds. The row was asked for at `asked`; where more has
/// been learned since, it is asked for again.
pub(super) fn apply(inner: &Arc<Inner>, row: &HealthRow, asked: u64, now: Timestamp) {
    let lane = inner.lane(row.endpoint);
    let flow = match flow(row, inner.owner, now) {
        // What this worker has seen since may have shut it: a record that counts only a part of that opens nothing.
        Flow::On if inner.reports.is_waiting(row.endpoint) => Flow::AsBefore,
        flow => flow,
    };
    match lane.learn(asked, inner.reports.now(), !row.health.is_clean(), flow) {
        Some(Flow::From(until)) => {
            inner.let_go(&lane);
            if lane.is_overflowed() {
                inner.due.at(row.endpoint, until);
            }
        }
        Some(Flow::On) => {
            inner.open_slots(&lane);
            inner.request_pull(row.endpoint);
        }
        Some(Flow::AsBefore) => {}
        None => inner.reports.look(),
    }
}

/// What follows from an endpoint's record for the worker `owner`.
fn flow(row: &HealthRow, owner: i64, now: Timestamp) -> Flow {
    let from_now = |time: Timestamp| {
        Instant::now() + Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    if row.paused {
        return Flow::From(Instant::now() + PAUSED_FOR);
    }
    match (row.health.circuit, row.probe) {
        (Circuit::HalfOpen, Some((prober, _))) if prober == owner => Flow::AsBefore,
        (Circuit::HalfOpen, Some((_, until))) => Flow::From(from_now(until)),
        // Whose probe it is, the next look will tell.
        (Circuit::HalfOpen, None) => Flow::AsBefore,
        // A circuit that is open waits for its probe, however late that is.
        (circuit, _) => match row.health.waits_until() {
            Some(until) if until > now || circuit == Circuit::Open => Flow::From(from_now(until)),
            _ => Flow::On,
        },
    }
}

/// Whether deliveries of a lane that was shut may be pulled by now: all of them, or the one probe that this worker has got.
pub(crate) async fn admit(inner: &Arc<Inner>, lane: &Lane) -> Result<bool, StoreError> {
    if inner.reports.is_waiting(lane.endpoint) {
        // What this worker itself has just seen comes first.
        inner.due.at(lane.endpoint, Instant::now() + AFTER_FAILURE);
        return Ok(false);
    }
    let asked = inner.reports.now();
    if endpoint_health::probe(&inner.db, lane.endpoint, inner.owner, inner.lease).await? {
        lane.begin_probe(inner.reports.now());
        return Ok(true);
    }
    let rows = endpoint_health::read(&inner.db, &[lane.endpoint]).await?;
    if let Some(row) = rows.first() {
        apply(inner, row, asked, inner.sender.clock.now());
    }
    Ok(lane.shut_until().is_none())
}
