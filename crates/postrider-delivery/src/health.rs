//! Keeps the health of endpoints: what slots report is judged and written by compare-and-set, what other workers wrote is
//! looked at every second, and lanes are told whether their deliveries flow.
//! Reads and writes `webhook_endpoint_health`. A success of an endpoint that is well is not even reported.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postrider_core::health::{Circuit, HealthPolicy, Report, Transition, after};
use postrider_core::ids::EndpointId;
use postrider_runtime::Stop;
use postrider_store::admin::endpoints::{ENDPOINT_DISABLED, cancel_deliveries, set_enabled};
use postrider_store::endpoint_health::{self, HealthChange, HealthRow};
use postrider_store::{Db, StoreError, workers};
use serde_json::json;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::lane::Lane;
use crate::lanes::{Inner, lock};
use crate::limit::Fleet;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looking costs at most a fiftieth of the time, however many endpoints are ill.
const LOOK_FACTOR: u32 = 50;
/// Between two writes, so that an endpoint that fails now and then costs a few a second.
const WRITE_EVERY: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// How often a lost race is run again at once.
const TRIES: usize = 5;
/// The reason kept with an endpoint that failed for too long.
const FAILING: &str = "no success for too long";

/// What has been reported and not yet written.
pub(crate) struct Reports {
    pub(crate) policy: HealthPolicy,
    waiting: Mutex<HashMap<EndpointId, Notice>>,
    /// Other workers may have written.
    asked: AtomicBool,
    news: Notify,
}

/// What is to be known of one endpoint.
#[derive(Default)]
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

    fn note(&self, endpoint: EndpointId, note: impl FnOnce(&mut Notice)) {
        note(lock(&self.waiting).entry(endpoint).or_default());
        self.news.notify_one();
    }

    fn is_waiting(&self, endpoint: EndpointId) -> bool {
        lock(&self.waiting).contains_key(&endpoint)
    }
}

/// Writes reports and looks at what others wrote, until stopped.
pub(crate) async fn run(inner: Arc<Inner>, stop: Stop) {
    let mut next_look = Instant::now();
    while !stop.soft_requested() {
        let mut pause = WRITE_EVERY;
        if let Err(failure) = pass(&inner, &mut next_look).await {
            inner.sender.metrics.db_error("delivery");
            warn!(error = %failure, "the health of endpoints cannot be kept just now: {failure}");
            pause = AFTER_FAILURE;
        }
        stop.soft_within(pause).await;
        tokio::select! {
            () = stop.soft() => {}
            () = inner.reports.news.notified() => {}
            () = tokio::time::sleep_until(next_look.into()) => {}
        }
    }
}

/// Writes what was reported, and looks if it is time to.
async fn pass(inner: &Arc<Inner>, next_look: &mut Instant) -> Result<(), StoreError> {
    flush(inner).await?;
    let started = Instant::now();
    if inner.reports.asked.swap(false, Ordering::Relaxed) || started >= *next_look {
        look(inner).await?;
        *next_look = Instant::now() + LOOK_EVERY.max(started.elapsed() * LOOK_FACTOR);
    }
    Ok(())
}

/// Writes everything that has been reported. What could not be written waits for the next time.
pub(crate) async fn flush(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let mut notices: Vec<_> =
        std::mem::take(&mut *lock(&inner.reports.waiting)).into_iter().collect();
    notices.sort_unstable_by_key(|(endpoint, _)| *endpoint);
    let mut reports = Vec::new();
    for (endpoint, notice) in &notices {
        if let Some(reason) = notice.disable {
            if let Err(failure) = disable(inner, *endpoint, reason).await {
                restore(inner, notices);
                return Err(failure);
            }
        } else if notice.report != Report::default() {
            reports.push((*endpoint, notice.report.clone()));
        } else if let Some(wait) = notice.give_back {
            let given = endpoint_health::give_back(&inner.db, *endpoint, inner.owner, wait).await;
            if let Err(failure) = given {
                // The probe's lease ends by itself; what others reported must not be lost with it.
                restore(inner, notices);
                return Err(failure);
            }
            let (lane, until) = (inner.lane(*endpoint), Instant::now() + wait);
            lane.shut(until);
            if lane.is_overflowed() {
                inner.due.at(*endpoint, until);
            }
        }
    }
    let written = write(inner, reports).await;
    if written.is_err() {
        restore(inner, notices);
    }
    written
}

/// What was reported before what waits now.
fn restore(inner: &Inner, notices: Vec<(EndpointId, Notice)>) {
    let mut waiting = lock(&inner.reports.waiting);
    for (endpoint, earlier) in notices {
        let now = waiting.entry(endpoint).or_default();
        now.report = earlier.report.then(std::mem::take(&mut now.report));
        now.disable = now.disable.or(earlier.disable);
    }
}

async fn write(
    inner: &Arc<Inner>,
    mut reports: Vec<(EndpointId, Report)>,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        if reports.is_empty() {
            return Ok(());
        }
        let ids: Vec<EndpointId> = reports.iter().map(|(endpoint, _)| *endpoint).collect();
        let known = endpoint_health::read(&inner.db, &ids).await?;
        let now = inner.sender.clock.now();
        let judged: Vec<_> = known
            .iter()
            .zip(&reports)
            .map(|(row, (_, report))| judge(row, report, now, &inner.reports.policy))
            .collect();
        let changes: Vec<HealthChange> =
            judged.iter().map(|(change, _)| change.clone()).filter(|c| !is_idle(c)).collect();
        let written = match changes.is_empty() {
            true => Vec::new(),
            false => endpoint_health::write(&inner.db, &changes).await?,
        };
        let mut lost = Vec::new();
        for ((change, transitions), report) in judged.into_iter().zip(reports) {
            if is_idle(&change) {
                apply(inner, &row_of(change), now);
            } else if written.contains(&change.endpoint) {
                tell(inner, &change, &transitions);
                let endpoint = change.endpoint;
                apply(inner, &row_of(change), now);
                if transitions.contains(&Transition::Disabled) {
                    disable(inner, endpoint, FAILING).await?;
                }
            } else {
                lost.push(report);
            }
        }
        reports = lost;
    }
    // Deleted or disabled meanwhile, or very busy: what counts will be reported again.
    Ok(())
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
    let changed = set_enabled(&inner.db, endpoint, false, reason).await?;
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
    let rows = endpoint_health::unwell(&inner.db).await?;
    let now = inner.sender.clock.now();
    let (workers, place) = workers::place(&inner.db, inner.owner).await?;
    inner.note_fleet(Fleet { workers: workers.max(1), place });
    let circuits = |circuit| rows.iter().filter(|row| row.health.circuit == circuit).count();
    for circuit in [Circuit::Open, Circuit::HalfOpen] {
        inner.sender.metrics.set_circuits(circuit.as_str(), circuits(circuit));
    }
    let paused = |row: &&HealthRow| row.health.paused_until.is_some_and(|until| until > now);
    inner.sender.metrics.set_circuits("paused", rows.iter().filter(paused).count());
    let lanes: Vec<Arc<Lane>> = lock(&inner.lanes).values().cloned().collect();
    let ill: HashMap<EndpointId, &HealthRow> = rows.iter().map(|row| (row.endpoint, row)).collect();
    for lane in lanes.iter().filter(|lane| lane.is_unwell() && !ill.contains_key(&lane.endpoint)) {
        if !inner.reports.is_waiting(lane.endpoint) {
            apply(inner, &HealthRow::clean(lane.endpoint), now);
        }
    }
    for row in rows.iter().filter(|row| !inner.reports.is_waiting(row.endpoint)) {
        apply(inner, row, now);
    }
    Ok(())
}

/// Tells the lane whether its deliveries flow; if not, it lets go of what it holds.
pub(crate) fn apply(inner: &Arc<Inner>, row: &HealthRow, now: Timestamp) {
    let from_now = |time: Timestamp| {
        Instant::now() + Duration::try_from(time.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    let lane = inner.lane(row.endpoint);
    lane.set_unwell(!row.health.is_clean());
    let until = match (row.health.circuit, row.probe) {
        (Circuit::HalfOpen, Some((owner, _))) if owner == inner.owner => return,
        (Circuit::HalfOpen, Some((_, until))) => Some(from_now(until)),
        // Whose probe it is, the next look will tell.
        (Circuit::HalfOpen, None) => return,
        _ => row
            .health
            .waits_until()
            .filter(|until| {
                // A circuit that is open waits for its probe, however late that is.
                *until > now || row.health.circuit == Circuit::Open
            })
            .map(from_now)
            // It may be well, and our way to it is not.
            .or_else(|| lane.held_until()),
    };
    match until {
        Some(until) => {
            lane.shut(until);
            inner.let_go(&lane);
            if lane.is_overflowed() {
                inner.due.at(row.endpoint, until);
            }
        }
        None => {
            if lane.let_flow() {
                inner.open_slots(&lane);
                inner.request_pull(row.endpoint);
            }
        }
    }
}

/// Whether deliveries of a lane that was shut may be pulled by now: all of them, or the one probe that this worker has got.
pub(crate) async fn admit(inner: &Arc<Inner>, lane: &Lane) -> Result<bool, StoreError> {
    if inner.reports.is_waiting(lane.endpoint) {
        // What this worker itself has just seen comes first.
        inner.due.at(lane.endpoint, Instant::now() + AFTER_FAILURE);
        return Ok(false);
    }
    if endpoint_health::probe(&inner.db, lane.endpoint, inner.owner, inner.lease).await? {
        lane.begin_probe();
        return Ok(true);
    }
    let rows = endpoint_health::read(&inner.db, &[lane.endpoint]).await?;
    if let Some(row) = rows.first() {
        apply(inner, row, inner.sender.clock.now());
    }
    Ok(lane.shut_until().is_none())
}
