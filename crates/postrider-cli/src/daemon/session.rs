//! One worker session: opens the control session, proves it, registers, runs the stages, and ends tidily.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use postrider_delivery::Left;
use postrider_runtime::{Health, Metrics, Stop};
use postrider_store::clock::DbClock;
use postrider_store::control::{Control, Lock};
use postrider_store::workers::{self, Liveness, NewWorker};
use postrider_store::{Db, Mode, StoreError};
use tracing::{info, warn};

use super::DaemonOptions;
use super::stages::{Stages, WORKER_VERSION};
use super::watch::{self, Watched};

/// After a hard stop, how long everything may take to end; a database that does not answer is left then.
const HARD_LIMIT: Duration = Duration::from_secs(5);

/// A registered worker whose stages run.
pub(super) struct Session {
    incarnation: i64,
    db: Db,
    control: Option<Arc<Control>>,
    stages: Stages,
    stop: Stop,
    peers: Arc<AtomicUsize>,
}

/// How a session ended.
pub(super) enum Ended {
    /// Stopped, or everything due is done.
    Done(Left),
    /// A stage ended by itself.
    StageLost(Left, &'static str),
    /// The control session is gone. The future finishes what was in flight, beside the next session.
    Lost(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Session {
    /// Opens a session and starts its stages.
    pub(super) async fn open(
        options: &DaemonOptions,
        stop: &Stop,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        // Until the canary has shown whether the sessions are ours, they are used as if they were not.
        let probe = Db::new(&options.connect, Mode::Pooled, 2)?;
        let control = Control::open(&options.direct, &probe).await?.map(Arc::new);
        probe.close();
        let mode = if control.is_some() { options.config.database.mode } else { Mode::Pooled };
        let db = Db::new(&options.connect, mode, options.config.database.pool_size)?;
        let incarnation = register(options, &db, control.as_deref()).await?;
        match &control {
            Some(_) => info!(worker = incarnation, "worker {incarnation} is up; wake-up: LISTEN"),
            None => warn!(
                worker = incarnation,
                "worker {incarnation} is up; wake-up: poll only, every {:?}. LISTEN does not work on this way to the database \
                 (a transaction pooler?); set database.direct_url for fast wake-up",
                options.config.worker.fallback_poll
            ),
        }
        let after_crash =
            !workers::dead(&db, incarnation, watch::HEARTBEAT_GRACE).await?.is_empty();
        let clock = DbClock::start(&mut db.session().await?).await?;
        let session_stop = stop.child();
        let peers = Arc::new(AtomicUsize::new(0));
        let stages = Stages::start(
            options,
            db.clone(),
            clock,
            control.clone(),
            super::stages::Who { incarnation, after_crash, peers: Arc::clone(&peers) },
            metrics,
            &session_stop,
        )?;
        Ok(Self { incarnation, db, control, stages, stop: session_stop, peers })
    }

    /// The connections and the stages, for readiness.
    pub(super) fn health(&self) -> (Db, Health) {
        (self.db.clone(), self.stages.health())
    }

    /// Runs until stopped, done, or lost.
    pub(super) async fn run(self, options: &DaemonOptions, stop: &Stop) -> Ended {
        let knocked = [self.stages.endpoints_changed.clone(), self.stages.look_for_due.clone()];
        let watched =
            watch::run(&self.db, self.control.as_deref(), self.incarnation, &self.peers, &knocked);
        let drained = Stages::drained(self.stages.lanes(), &self.db);
        let end = tokio::select! {
            // In this order: stages end because of the stop, which must not look as if they ended by themselves.
            biased;
            () = stop.soft() => End::Stop,
            () = drained, if options.once => End::Stop,
            stage = self.stages.lost_one() => End::Stage(stage),
            Watched::Lost = watched => End::Lost,
        };
        self.stop.request_soft();
        let grace = options.config.worker.grace;
        match end {
            End::Stop => Ended::Done(self.finish(grace).await),
            End::Stage(stage) => Ended::StageLost(self.finish(grace).await, stage),
            End::Lost => Ended::Lost(Box::pin(async move {
                self.finish(grace).await;
            })),
        }
    }

    /// Lets what is in flight finish within the grace time, gives the rest back, and leaves the fleet.
    async fn finish(self, grace: Duration) -> Left {
        let Self { incarnation, db, control, stages, stop, peers: _ } = self;
        let lanes = stages.lanes();
        let limit = async {
            if tokio::time::timeout(grace, stop.hard()).await.is_err() {
                warn!("the grace time is over: abandoning what is in flight");
                stop.request_hard();
            }
            tokio::time::sleep(HARD_LIMIT).await;
        };
        let tidy = async {
            let left = stages.finish().await;
            // Leases are given back: leave the fleet, so that nobody has to find us dead. If that fails, they do.
            if left.lost == 0
                && let Err(failure) = workers::forget(&db, incarnation).await
            {
                warn!(error = %failure, "could not leave the fleet; the others will notice");
            }
            left
        };
        let left = tokio::select! {
            left = tidy => left,
            () = limit => {
                let lost = lanes.map_or(0, |lanes| lanes.held());
                warn!(lost, "the database does not answer: leaving without it");
                Left { released: 0, lost }
            }
        };
        drop(control);
        db.close();
        left
    }
}

enum End {
    Stop,
    Stage(&'static str),
    Lost,
}

/// Takes the lock on a new incarnation, then enters it into the fleet.
async fn register(
    options: &DaemonOptions,
    db: &Db,
    control: Option<&Control>,
) -> Result<i64, StoreError> {
    let mut incarnation = workers::next(db).await?;
    let liveness = match control {
        Some(control) => {
            // Free, unless somebody plays with our locks by hand.
            while !control.try_lock(Lock::incarnation(incarnation)).await? {
                incarnation = workers::next(db).await?;
            }
            Liveness::Lock
        }
        None => Liveness::Heartbeat,
    };
    let roles: Vec<&str> = options.config.worker.roles.iter().map(|role| role.as_str()).collect();
    // Shown by `status`: a worker that sends to this machine should not go unnoticed.
    let dev = if options.config.dev { " --dev" } else { "" };
    let version = format!("{WORKER_VERSION}{dev}");
    let worker = NewWorker {
        incarnation,
        name: &options.config.worker.name,
        version: &version,
        roles: &roles,
        liveness,
        wakeup: if control.is_some() { "listen" } else { "poll" },
    };
    workers::register(db, &worker).await?;
    Ok(incarnation)
}
