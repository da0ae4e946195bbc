//! Keeps the health of endpoints: what slots report is judged and written by compare-and-set, what other workers wrote is
//! looked at every second, and lanes are told whether their deliveries flow.
//! Reads and writes `webhook_endpoint_health`. A success of an endpoint that is well is not even reported.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postrider_core::health::{Circuit, HealthPolicy, Report, Transition, after};
use postrider_core::ids::EndpointId;
use postrider_runtime::Stop;
use postrider_store::admin::endpoints::{ENDPOINT_DISABLED, cancel_deliveries};
use postrider_store::endpoint_health::{self, HealthChange, HealthRow};
use postrider_store::{Db, StoreError, workers};
use serde_json::json;
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::lane::{Flow, Lane};
use crate::lanes::{Inner, lock};
use crate::limit::Fleet;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looking costs at most a fiftieth of the time, however many endpoints are ill.
const LOOK_FACTOR: u32 = 50;
/// A sixth while somebody keeps asking for it.
const ASKED_FACTOR: u32 = 5;
/// Between two writes, so that an endpoint that fails now and then costs a few a second.
const WRITE_EVERY: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// How often a lost race is run again at once.
const TRIES: usize = 5;
/// What cannot be written for this long, because others hold its rows, is left for the next time, and what waits behind it too.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long nothing is sent because it is not known who else delivers.
const FLEET_UNKNOWN: Duration = Duration::from_secs(3);
/// Somebody else holds a row for longer than a statement waits.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// The reason kept with an endpoint that failed for too long.
const FAILING: &str = "no success for too long";

/// What has been reported and not yet written.
pub(crate) struct Reports {
    pub(crate) policy: HealthPolicy,
    waiting: Mutex<HashMap<EndpointId, Notice>>,
    /// Other workers may have written.
    asked: AtomicBool,
    news: Notify,
    /// Counts what is asked and learned, so that what was asked before something was learned is known to be out of date.
    count: AtomicU64,
    /// Whether somebody has looked.
    looked: watch::Sender<bool>,
}

/// What is to be known of one endpoint.
#[derive(Default, Clone)]
struct Notice {
    report: Report,
    /// Its receiver asked to be disabled, for this reason.
    disable: Option<&'static str>,
    /// Its probe brought nothing to judge by; the next one may be made after this.
    give_back: Option<Duration>,
}

impl Reports {
    pub(crate) fn new(policy: HealthPolicy) -> Self {
        Self {
            policy,
            waiting: Mutex::default(),
            asked: AtomicBool::new(true),
            news: Notify::new(),
            count: AtomicU64::new(0),
            looked: watch::Sender::new(false),
        }
    }

    pub(crate) fn report(&self, endpoint: EndpointId, report: Report) {
        self.note(endpoint, |notice| {
            notice.report = std::mem::take(&mut notice.report).then(report);
        });
    }

    /// The receiver asked for no further event at all.
    pub(crate) fn disable(&self, endpoint: EndpointId, reason: &'static str) {
        self.note(endpoint, |notice| notice.disable = Some(reason));
    }

    /// The probe that this worker has said nothing about the endpoint.
    pub(crate) fn give_back(&self, endpoint: EndpointId, wait: Duration) {
        self.note(endpoint, |notice| notice.give_back = Some(wait));
    }

    /// Other workers may have written: look at once.
    pub(crate) fn look(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.news.notify_one();
    }

    /// Waits until it is known who else delivers; three seconds at most.
    pub(crate) async fn first_look(&self) {
        if *self.looked.borrow() {
            return;
        }
        let mut looked = self.looked.subscribe();
        // Who cannot look for so long delivers as if it were alone.
        let _ = tokio::time::timeout(FLEET_UNKNOWN, looked.wait_for(|looked| *looked)).await;
    }

    /// The count for what is asked or learned now.
    fn now(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn note(&self, endpoint: EndpointId, note: impl FnOnce(&mut Notice)) {
        note(lock(&self.waiting).entry(endpoint).or_default());
        self.news.notify_one();
    }

    fn is_waiting(&self, endpoint: EndpointId) -> bool {
        lock(&self.waiting).contains_key(&endpoint)
    }
}

/// When a look is due by itself, and from when on one that is asked for is.
struct Looks {
    next: Instant,
    soonest: Instant,
}

impl Looks {
    fn from(now: Instant) -> Self {
        Self { next: now, soonest: now }
    }

    fn is_due(&self, now: Instant, asked: bool) -> bool {
        now >= self.due(asked)
    }

    fn due(&self, asked: bool) -> Instant {
        if asked { self.next.min(self.soonest) } else { self.next }
    }

    /// One has just been made, and took so long.
    fn made(now: Instant, cost: Duration) -> Self {
        Self { next: now + LOOK_EVERY.max(cost * LOOK_FACTOR), soonest: now + cost * ASKED_FACTOR }
    }
}

/// Writes reports and looks at what others wrote, until stopped.
pub(crate) async fn run(inner: Arc<Inner>, stop: Stop) {
    let mut looks = Looks::from(Instant::now());
    while !stop.soft_requested() {
        let mut pause = WRITE_EVERY;
        if let Err(failure) = pass(&inner, &mut looks).await {
            inner.sender.metrics.db_error("delivery");
            warn!(error = %failure, "the health of endpoints cannot be kept just now: {failure}");
            pause = AFTER_FAILURE;
        }
        stop.soft_within(pause).await;
        let next = looks.due(inner.reports.asked.load(Ordering::Relaxed));
        tokio::select! {
            () = stop.soft() => {}
            () = inner.reports.news.notified() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

/// Writes what was reported, and looks if it is time to, whatever came of the writing.
async fn pass(inner: &Arc<Inner>, looks: &mut Looks) -> Result<(), StoreError> {
    let flushed = flush(inner).await;
    let started = Instant::now();
    if looks.is_due(started, inner.reports.asked.load(Ordering::Relaxed)) {
        inner.reports.asked.store(false, Ordering::Relaxed);
        look(inner).await?;
        *looks = Looks::made(Instant::now(), started.elapsed());
    }
    flushed
}

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
            restore(inner, *endpoint, Notice { report: Report::default(), ..notice.clone() });
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
            restore(inner, endpoint, Notice { report, ..Notice::default() });
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

impl Notice {
    /// Whether its report is to be written: what disables deletes the record.
    fn counts(&self) -> bool {
        self.disable.is_none() && self.report != Report::default()
    }

    /// Whether its report says everything; that of a probe gives it back, too.
    fn is_report(&self) -> bool {
        self.disable.is_none() && (self.give_back.is_none() || self.report.probe)
    }
}

/// What was reported before what waits now.
fn restore(inner: &Inner, endpoint: EndpointId, earlier: Notice) {
    let mut waiting = lock(&inner.reports.waiting);
    let now = waiting.entry(endpoint).or_default();
    now.report = earlier.report.then(std::mem::take(&mut now.report));
    now.disable = now.disable.or(earlier.disable);
    now.give_back = now.give_back.or(earlier.give_back);
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
    for (change, transitions) in judged {
        let is_written = written.contains(&change.endpoint);
        if is_written {
            tell(inner, &change, &transitions);
            if transitions.contains(&Transition::Disabled) {
                inner.reports.disable(change.endpoint, FAILING);
            }
        }
        rows.push((is_written || is_idle(&change)).then(|| row_of(change)));
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
fn row_of(change: HealthChange) -> HealthRow {
    HealthRow {
        endpoint: change.endpoint,
        revision: change.revision + 1,
        health: change.health,
        probe: None,
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
    let paused = |row: &&HealthRow| row.health.paused_until.is_some_and(|until| until > now);
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
fn apply(inner: &Arc<Inner>, row: &HealthRow, asked: u64, now: Timestamp) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_are_asked_for_take_a_sixth_of_the_time_at_most() {
        let now = Instant::now();
        let looks = Looks::made(now, Duration::from_millis(100));
        let due_after = |ms, asked| looks.is_due(now + Duration::from_millis(ms), asked);
        assert!(!due_after(499, true) && due_after(500, true));
        assert!(!due_after(4999, false) && due_after(5000, false));
        let cheap = Looks::made(now, Duration::from_millis(1));
        assert!(cheap.is_due(now + Duration::from_millis(5), true));
        assert!(!cheap.is_due(now + Duration::from_millis(999), false));
    }
}
