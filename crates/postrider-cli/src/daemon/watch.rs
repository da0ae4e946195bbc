//! Watches over a worker session: the control session answers, the heartbeat is written, changes of endpoints are passed on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postrider_runtime::Wake;
use postrider_store::control::Control;
use postrider_store::{Db, workers};
use tokio::time::timeout;
use tracing::{debug, warn};

/// A worker without a lock is judged dead when it said nothing for this long.
pub(super) const HEARTBEAT_GRACE: Duration = Duration::from_secs(15);
/// A worker that could not say that it lives for this long takes itself for dead, before the others do.
const SILENCE: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(1);
const CANARY_EVERY: Duration = Duration::from_secs(30);
/// So many may go unheard, one after the other, before the session is given up.
const CANARIES_UNHEARD: u32 = 2;
/// The canary and the count of peers wait no longer for a connection of the pool: the next look at the session matters more.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why watching ended.
pub(super) enum Watched {
    /// The session's locks are gone, or it was judged dead.
    Lost,
}

/// Watches until the session is lost.
pub(super) async fn run(
    db: &Db,
    control: Option<&Control>,
    incarnation: i64,
    peers: &AtomicUsize,
    knocked: &[Wake],
) -> Watched {
    match control {
        None => heartbeat(db, incarnation, peers).await,
        Some(control) => {
            tokio::select! {
                () = control.lost().cancelled() => Watched::Lost,
                watched = liveness(db, control, incarnation, peers) => watched,
                () = pass_on(control, knocked) => Watched::Lost,
            }
        }
    }
}

async fn pass_on(control: &Control, knocked: &[Wake]) {
    loop {
        control.endpoints_knocked().await;
        knocked.iter().for_each(Wake::wake);
    }
}

async fn liveness(db: &Db, control: &Control, incarnation: i64, peers: &AtomicUsize) -> Watched {
    let (mut canary_at, mut unheard) = (Instant::now() + CANARY_EVERY, 0);
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(failure) = control.ping().await {
            warn!(error = %failure, "the control session does not answer");
            return Watched::Lost;
        }
        count_peers(db, incarnation, peers).await;
        if Instant::now() >= canary_at {
            canary_at = Instant::now() + CANARY_EVERY;
            match timeout(PATIENCE, control.canary(db)).await {
                Ok(Ok(true)) => unheard = 0,
                // A machine that stands still for a second proves nothing: once more at the next look.
                Ok(Ok(false)) if unheard < CANARIES_UNHEARD => {
                    unheard += 1;
                    canary_at = Instant::now();
                }
                Ok(Ok(false)) => {
                    warn!("the canary was not heard: LISTEN does not work any more");
                    return Watched::Lost;
                }
                Ok(Err(failure)) => debug!(error = %failure, "the canary could not be sent"),
                Err(_) => debug!("the canary could not be sent in time"),
            }
        }
    }
}

async fn heartbeat(db: &Db, incarnation: i64, peers: &AtomicUsize) -> Watched {
    let mut heard = Instant::now();
    loop {
        tokio::time::sleep(EVERY).await;
        let written =
            timeout(SILENCE.saturating_sub(heard.elapsed()), workers::heartbeat(db, incarnation));
        match written.await {
            Ok(Ok(true)) => heard = Instant::now(),
            Ok(Ok(false)) => {
                warn!("this worker was judged dead by another one");
                return Watched::Lost;
            }
            Ok(Err(failure)) => warn!(error = %failure, "the heartbeat could not be written"),
            Err(_) => {}
        }
        if heard.elapsed() >= SILENCE {
            warn!(
                "no heartbeat could be written for {SILENCE:?}: the others will take us for dead"
            );
            return Watched::Lost;
        }
        count_peers(db, incarnation, peers).await;
    }
}

async fn count_peers(db: &Db, incarnation: i64, peers: &AtomicUsize) {
    // Only a hint for waking peers early; they poll anyway.
    if let Ok(Ok(count)) = timeout(PATIENCE, workers::peers(db, incarnation)).await {
        peers.store(count, Ordering::Relaxed);
    }
}
