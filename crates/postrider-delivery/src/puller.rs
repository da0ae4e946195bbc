//! Leases from the database what a lane has room for: overflow, retries, a dead worker's deliveries.
//! Reads and leases `webhook_deliveries_open`, one endpoint at a time, so nobody scans one endpoint's backlog to find
//! another's row.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postrider_core::ids::EndpointId;
use postrider_runtime::Stop;
use postrider_store::deliveries;
use tokio::sync::{Semaphore, mpsc};
use tracing::warn;

use crate::lanes::Inner;

/// Pulls at once: enough to keep the lanes full, few enough to leave the database to fan-out and the recorder.
const AT_ONCE: usize = 3;
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Answers requests until stopped.
pub(crate) async fn run(
    inner: Arc<Inner>,
    mut requests: mpsc::UnboundedReceiver<EndpointId>,
    stop: Stop,
) {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let endpoint = tokio::select! {
            () = stop.soft() => return,
            request = requests.recv() => match request {
                Some(endpoint) => endpoint,
                None => return,
            },
        };
        let lane = inner.lane(endpoint);
        if inner.bytes.load(Ordering::Relaxed) >= inner.byte_budget {
            // The walk asks again; memory comes first.
            lane.overflow();
            continue;
        }
        let Some(wanted) = lane.begin_pull(inner.depth()) else { continue };
        let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else { return };
        let task = Arc::clone(&inner);
        inner.tasks.spawn(async move {
            pull(&task, endpoint, wanted).await;
            drop(permit);
        });
    }
}

async fn pull(inner: &Arc<Inner>, endpoint: EndpointId, wanted: usize) {
    let lane = inner.lane(endpoint);
    match deliveries::pull(&inner.db, endpoint, wanted, inner.owner, inner.lease).await {
        Ok(pulled) => {
            let short = pulled.len() < wanted;
            inner.count_in(&pulled);
            if lane.end_pull(pulled, short) {
                inner.request_pull(endpoint);
            }
            inner.open_slots(&lane);
        }
        Err(failure) => {
            lane.fail_pull();
            inner.sender.metrics.db_error("pull");
            warn!(endpoint.id = %endpoint, error = %failure, "pulling deliveries of {endpoint} failed: {failure}");
            inner.due.at(endpoint, Instant::now() + AFTER_FAILURE);
        }
    }
}
