//! Whether this process can do its work: the database answers, its schema fits, every stage runs, and nobody asked to stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_runtime::{Health, Stop};
use postrider_store::{Db, health};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// A report this young is given out again, so that no amount of probing takes connections from the work.
const FRESH: Duration = Duration::from_millis(250);

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Ready,
    /// It cannot work now; the report says why.
    Unready,
    /// It was asked to stop and finishes what is in hand.
    Draining,
}

impl Status {
    /// The word in the answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Draining => "draining",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `database`, `schema` or `stages`.
    pub name: &'static str,
    pub ok: bool,
    /// For a person to read.
    pub detail: String,
}

/// What was looked at, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub status: Status,
    pub checks: Vec<Check>,
}

impl Report {
    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let checks: serde_json::Map<String, Value> = self
            .checks
            .iter()
            .map(|check| (check.name.to_owned(), json!({ "ok": check.ok, "detail": check.detail })))
            .collect();
        json!({ "status": self.status.as_str(), "checks": checks })
    }
}

/// What readiness depends on. Clones look at the same state, which changes when the worker comes up and goes down.
#[derive(Debug, Clone)]
pub struct Readiness {
    stop: Stop,
    worker: Arc<Mutex<Worker>>,
    last: Arc<tokio::sync::Mutex<Option<(Instant, Report)>>>,
}

#[derive(Debug, Clone)]
enum Worker {
    Down { why: &'static str },
    Up { db: Db, stages: Health },
}

impl Readiness {
    /// Not ready: the worker is starting. It drains once `stop` is requested.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        Self {
            stop,
            worker: Arc::new(Mutex::new(Worker::Down { why: "starting" })),
            last: Arc::default(),
        }
    }

    /// The worker is up: its pool and its stages decide from now on.
    pub fn up(&self, db: Db, stages: Health) {
        *self.worker() = Worker::Up { db, stages };
    }

    /// The worker is down, for this reason.
    pub fn down(&self, why: &'static str) {
        *self.worker() = Worker::Down { why };
    }

    /// The worker's pool, while it is up.
    pub(crate) fn db(&self) -> Option<Db> {
        match &*self.worker() {
            Worker::Up { db, .. } => Some(db.clone()),
            Worker::Down { .. } => None,
        }
    }

    /// Looks at everything. Takes a second at most.
    pub async fn check(&self) -> Report {
        if self.stop.soft_requested() {
            return Report { status: Status::Draining, checks: Vec::new() };
        }
        // One look at a time; whoever waited for it gets the same answer.
        let mut last = self.last.lock().await;
        if let Some((at, report)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let worker = self.worker().clone();
        let checks = match worker {
            Worker::Down { why } => {
                vec![Check { name: "stages", ok: false, detail: why.to_owned() }]
            }
            Worker::Up { db, stages } => {
                let mut checks = database(&db).await;
                checks.push(running(&stages));
                checks
            }
        };
        let status =
            if checks.iter().all(|check| check.ok) { Status::Ready } else { Status::Unready };
        let report = Report { status, checks };
        *last = Some((Instant::now(), report.clone()));
        report
    }

    fn worker(&self) -> MutexGuard<'_, Worker> {
        // Replaced whole: a panic in between leaves nothing half done.
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn database(db: &Db) -> Vec<Check> {
    let check = |name, ok, detail: String| Check { name, ok, detail };
    let health = match timeout(PATIENCE, health::check(db)).await {
        Ok(Ok(health)) => health,
        Ok(Err(error)) => return vec![check("database", false, error.to_string())],
        Err(_) => return vec![check("database", false, format!("no answer within {PATIENCE:?}"))],
    };
    let database = if health.read_only { "read only" } else { "answers" };
    let wanted = health.wanted;
    let schema = match health.schema {
        Some(version) if version == wanted => check("schema", true, format!("version {version}")),
        Some(version) => {
            check("schema", false, format!("version {version}, this binary needs {wanted}"))
        }
        None => check("schema", false, format!("none, this binary needs version {wanted}")),
    };
    vec![check("database", !health.read_only, database.to_owned()), schema]
}

fn running(stages: &Health) -> Check {
    let (running, lost) = (stages.running(), stages.lost());
    let ok = lost.is_empty() && !running.is_empty();
    let detail = match (lost.is_empty(), running.is_empty()) {
        (false, _) => format!("ended: {}", lost.join(", ")),
        (true, true) => "none runs".to_owned(),
        (true, false) => format!("running: {}", running.join(", ")),
    };
    Check { name: "stages", ok, detail }
}
