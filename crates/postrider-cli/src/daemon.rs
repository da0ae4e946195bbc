//! The life of the daemon: worker sessions, one after the other, until it is stopped.
//!
//! A session is a worker under one incarnation: its control session, its registration and its stages. When the control
//! session is lost, its locks are too and another worker may take over its leases; so the stages take nothing more, and a
//! new session begins under a new incarnation. What was in flight finishes behind it.

mod admin;
mod api;
mod hand_off;
mod options;
mod session;
mod stages;
mod watch;

use std::time::{Duration, Instant};

use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::{ErrorKind, StoreError};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use admin::Admin;
pub(crate) use options::DaemonOptions;
use session::{Ended, Session};

/// A session that is lost sooner is not begun anew at once.
const STEADY: Duration = Duration::from_secs(10);

/// How the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Finished {
    /// Deliveries given back unsent: due at once for any worker.
    pub released: usize,
    /// Outcomes that could not be written and leases that could not be given back: due again when the leases end.
    pub lost: usize,
    /// A stage ended that must not end.
    pub stage_lost: bool,
}

/// Runs until `stop` is requested, or with `once` until everything due is done. Lost connections are made again with backoff.
///
/// # Errors
/// With `once`, when the database cannot be reached; otherwise when it refuses us for good (no privilege, no schema).
pub(crate) async fn run(
    options: DaemonOptions,
    stop: Stop,
    metrics: Metrics,
) -> Result<Finished, StoreError> {
    let mut pacer = Pacer::new(Duration::from_millis(100), Duration::from_secs(10));
    let behind = TaskTracker::new();
    let mut finished = Finished::default();
    let mut refused = None;
    let admin = Admin::start(options.config.admin.listen, &stop, &metrics).await;
    let api = api::Listener::start(&options).await?;
    while !stop.soft_requested() {
        let opened = tokio::select! {
            () = stop.soft() => break,
            opened = Session::open(&options, &stop, &metrics) => opened,
        };
        let session = match opened {
            Ok(session) => session,
            Err(failure)
                if options.once
                    || matches!(failure.kind(), ErrorKind::Denied | ErrorKind::Other) =>
            {
                refused = Some(failure);
                break;
            }
            Err(failure) => {
                let wait = pacer.next();
                metrics.db_error("session");
                warn!(error = %failure, wait_ms = wait.as_millis(), "the worker cannot start: {failure}");
                stop.soft_within(wait).await;
                continue;
            }
        };
        let since = Instant::now();
        let (db, stages) = session.health();
        admin.readiness.up(db, stages);
        match session.run(&options, &stop).await {
            Ended::Done(left) => {
                finished.released += left.released;
                finished.lost += left.lost;
                break;
            }
            Ended::StageLost(left, stage) => {
                error!(stage, "stage {stage} ended by itself; the worker stops");
                finished = Finished { released: left.released, lost: left.lost, stage_lost: true };
                break;
            }
            Ended::Lost(finish) => {
                admin.readiness.down("the control session is lost");
                warn!("the control session is lost: starting anew under a new incarnation");
                behind.spawn(finish);
                if since.elapsed() < STEADY {
                    stop.soft_within(pacer.next()).await;
                } else {
                    pacer.reset();
                }
            }
        }
    }
    behind.close();
    let grace = options.config.worker.grace;
    if tokio::time::timeout(grace, behind.wait()).await.is_err() {
        stop.request_hard();
    }
    api.stop().await;
    admin.stop().await;
    if let Some(failure) = refused {
        return Err(failure);
    }
    info!(released = finished.released, lost = finished.lost, "stopped");
    Ok(finished)
}
