//! Judges what was reported and writes it by compare-and-set, with the operator events of each transition; disables endpoints.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postrider_core::health::{HealthPolicy, Report, Transition, after};
use postrider_core::ids::EndpointId;
use postrider_store::admin::endpoints::{ENDPOINT_DISABLED, cancel_deliveries};
use postrider_store::endpoint_health::{self, HealthChange, HealthRow};
use postrider_store::{Db, StoreError};
use serde_json::json;
use tracing::{info, warn};

use super::looking::apply;
use super::reports::Notice;
use crate::lane::Lane;
use crate::lanes::{Inner, lock};

/// How often a lost race is run again at once.
const TRIES: usize = 5;
/// What cannot be written for this long, because others hold its rows, is left for the next time, and what waits behind it too.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Somebody else holds a row for longer than a statement waits.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// The reason kept with an endpoint that failed for too long.
const FAILING: &str = "no success for too long";

/// Writes everything that has been reported. What could not be written waits for the next time, alone: a row that somebody holds
/// keeps no other endpoint's health.
pub(crate) async fn flush(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let begun = Instant::now();
    // In no order, and another one each time: what comes late in this one may come early in the next.
    let notices = std::mem::take(&mut *lock(&inner.reports.waiting));
    let mut flushed = write_reports(inner, &notices, begun).await;
    for (endpoint, notice) in notices.iter().filter(|(_, notice)| !notice.is_report()) {
        let finished = match begun.elapsed() < WRITE_LIMIT {
            true => finish(inner, *endpoint, notice).await,
            false => Err(StoreError::silence("keeping the health of endpoints", WRITE_LIMIT)),
        };
        if let Err(failure) = finished {
            inner
                .reports
                .restore(*endpoint, Notice { report: Report::default(), ..notice.clone() });
            flushed = Err(failure);
        }
    }
    flushed
}

/// Writes the reports together; one by one, if somebody holds a row of one of them.
async fn write_reports(
    inner: &Arc<Inner>,
    notices: &HashMap<EndpointId, Notice>,
    begun: Instant,
) -> Result<(), StoreError> {
    let reports = notices.iter().filter(|(_, notice)| notice.counts());
    let mut reports: Vec<_> =
        reports.map(|(endpoint, notice)| (*endpoint, notice.report.clone())).collect();
    reports.sort_unstable_by_key(|(endpoint, _)| *endpoint);
    let Err((left, failure)) = write(inner, reports).await else { return Ok(()) };
    let alone = failure.sqlstate() == Some(LOCK_NOT_AVAILABLE) && left.len() > 1;
    let left: HashMap<EndpointId, Report> = left.into_iter().collect();
    for (endpoint, report) in left {
        let again = match alone && begun.elapsed() < WRITE_LIMIT {
            true => write(inner, vec![(endpoint, report)]).await.err().map(|(left, _)| left),
            false => Some(vec![(endpoint, report)]),
        };
        for (endpoint, report) in again.into_iter().flatten() {
            inner.reports.restore(endpoint, Notice { report, ..Notice::default() });
        }
    }
    Err(failure)
}

/// What is to be done about one endpoint besides its report.
async fn finish(
    inner: &Arc<Inner>,
    endpoint: EndpointId,
    notice: &Notice,
) -> Result<(), StoreError> {
    if let Some(reason) = notice.disable {
        return disable(inner, endpoint, reason).await;
    }
    if let Some(wait) = notice.give_back {
        endpoint_health::give_back(&inner.db, endpoint, inner.owner, wait).await?;
        let (lane, until) = (inner.lane(endpoint), Instant::now() + wait);
        lane.shut(until);
        inner.let_go(&lane);
        if lane.is_overflowed() {
            inner.due.at(endpoint, until);
        }
    }
    Ok(())
}

/// Gives the probes back that this worker has and does not make any more, as it stops.
pub(crate) async fn give_probes_back(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let lanes: Vec<Arc<Lane>> = lock(&inner.lanes).values().cloned().collect();
    for lane in lanes.iter().filter(|lane| lane.is_probing()) {
        let (db, endpoint) = (&inner.db, lane.endpoint);
        endpoint_health::give_back(db, endpoint, inner.owner, Duration::ZERO).await?;
    }
    Ok(())
}

/// Writes reports, in the order of their endpoints; those that could not be written with the reason.
async fn write(
    inner: &Arc<Inner>,
    mut reports: Vec<(EndpointId, Report)>,
) -> Result<(), (Vec<(EndpointId, Report)>, StoreError)> {
    for _ in 0..TRIES {
        if reports.is_empty() {
            return Ok(());
        }
        let asked = inner.reports.now();
        match write_once(inner, &reports).await {
            Ok(judged) => {
                let now = inner.sender.clock.now();
                let all = judged.into_iter().zip(reports);
                reports = all
                    .filter_map(|(row, report)| match row {
                        Some(row) => {
                            apply(inner, &row, asked, now);
                            None
                        }
                        None => Some(report),
                    })
                    .collect();
            }
            Err(failure) => return Err((reports, failure)),
        }
    }
    // Deleted or disabled meanwhile, or very busy: what counts will be reported again.
    Ok(())
}

/// How each endpoint is by now; `None` where somebody else has written meanwhile.
async fn write_once(
    inner: &Arc<Inner>,
    reports: &[(EndpointId, Report)],
) -> Result<Vec<Option<HealthRow>>, StoreError> {
    let ids: Vec<EndpointId> = reports.iter().map(|(endpoint, _)| *endpoint).collect();
    let known = endpoint_health::read(&inner.db, &ids).await?;
    let now = inner.sender.clock.now();
    let judged: Vec<_> = known
        .iter()
        .zip(reports)
        .map(|(row, (_, report))| judge(row, report, now, &inner.reports.policy))
        .collect();
    let changes: Vec<HealthChange> =
        judged.iter().map(|(change, _)| change.clone()).filter(|c| !is_idle(c)).collect();
    let written = match changes.is_empty() {
        true => Vec::new(),
        false => endpoint_health::write(&inner.db, &changes).await?,
    };
    let mut rows = Vec::with_capacity(judged.len());
    for ((change, transitions), paused) in
        judged.into_iter().zip(known.iter().map(|row| row.paused))
    {
        let is_written = written.contains(&change.endpoint);
        if is_written {
            tell(inner, &change, &transitions);
            if transitions.contains(&Transition::Disabled) {
                inner.reports.disable(change.endpoint, FAILING);
            }
        }
        rows.push((is_written || is_idle(&change)).then(|| row_of(change, paused)));
    }
    Ok(rows)
}

/// A success of an endpoint whose record is clean already.
fn is_idle(change: &HealthChange) -> bool {
    change.revision == 0 && change.health.is_clean()
}

fn judge(
    row: &HealthRow,
    report: &Report,
    now: Timestamp,
    policy: &HealthPolicy,
) -> (HealthChange, Vec<Transition>) {
    let (health, transitions) = after(&row.health, report, now, policy);
    let events = transitions.iter().filter_map(|transition| match transition {
        Transition::Opened => Some((
            "endpoint.failing",
            json!({ "reason": "circuit_open", "consecutive_failures": health.consecutive_failures, "failing_since": health.first_failure_at, "next_probe_at": health.next_probe_at }),
        )),
        Transition::Warned { disabled_at } => Some((
            "endpoint.failing",
            json!({ "reason": "will_be_disabled", "failing_since": health.first_failure_at, "disabled_at": disabled_at }),
        )),
        Transition::Recovered => {
            Some(("endpoint.recovered", json!({ "failing_since": row.health.first_failure_at })))
        }
        // Told by the statement that disables.
        Transition::Disabled => None,
    });
    let events = events.collect();
    let knock = health.waits_until() != row.health.waits_until();
    let (endpoint, revision) = (row.endpoint, row.revision);
    (HealthChange { endpoint, revision, health, events, knock }, transitions)
}

/// As the row is after the change; a circuit that is half open is another worker's then, of which more is known at the next look.
fn row_of(change: HealthChange, paused: bool) -> HealthRow {
    HealthRow {
        endpoint: change.endpoint,
        revision: change.revision + 1,
        health: change.health,
        probe: None,
        paused,
    }
}

fn tell(inner: &Inner, change: &HealthChange, transitions: &[Transition]) {
    let endpoint = change.endpoint;
    for transition in transitions {
        match transition {
            Transition::Opened => {
                inner.sender.metrics.circuit("opened");
                warn!(endpoint.id = %endpoint, failures = change.health.consecutive_failures, "{endpoint} fails; its deliveries wait for a probe");
            }
            Transition::Recovered => {
                inner.sender.metrics.circuit("recovered");
                info!(endpoint.id = %endpoint, "{endpoint} has recovered");
            }
            Transition::Warned { disabled_at } => {
                warn!(endpoint.id = %endpoint, "{endpoint} keeps failing and will be disabled at {disabled_at}");
            }
            Transition::Disabled => {}
        }
    }
}

/// Disables an endpoint, and cancels what it is owed in paced batches.
async fn disable(inner: &Arc<Inner>, endpoint: EndpointId, reason: &str) -> Result<(), StoreError> {
    let changed = endpoint_health::disable(&inner.db, endpoint, reason).await?;
    if !changed {
        return Ok(());
    }
    inner.sender.metrics.circuit("disabled");
    warn!(endpoint.id = %endpoint, reason, "{endpoint} is disabled: {reason}");
    inner.lane(endpoint).mark_stale();
    let db = inner.db.clone();
    inner.tasks.spawn(async move { cancel(&db, endpoint).await });
    Ok(())
}

async fn cancel(db: &Db, endpoint: EndpointId) {
    if let Err(failure) = cancel_deliveries(db, endpoint, ENDPOINT_DISABLED).await {
        // The due finder cancels what it meets.
        warn!(endpoint.id = %endpoint, error = %failure, "cancelling the deliveries of {endpoint} was interrupted: {failure}");
    }
}
