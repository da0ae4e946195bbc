//! Delivery as a whole: starts its tasks, watches endpoints for changes, and stops in two steps.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postrider_core::health::HealthPolicy;
use postrider_destinations::Client;
use postrider_runtime::{Metrics, Stop, Tasks, Wake};
use postrider_store::clock::DbClock;
use postrider_store::{Db, StoreError, deliveries, endpoints};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::attempt::Sender;
use crate::batch::{Batching, Unrecorded};
use crate::due::{self, Due};
use crate::health::{self, Reports};
use crate::lanes::{Inner, Lanes, lock};
use crate::limit::Fleet;
use crate::proxy::ProxyTrouble;
use crate::puller;
use crate::recorder::{Recorder, Unwritten};
use crate::shares::{Limits, Rate, Shares};
use crate::slots::Slots;
use crate::target::TargetPolicy;

const WATCH_EVERY: Duration = Duration::from_secs(1);
/// A look at the endpoints that takes longer has failed.
const WATCH_LIMIT: Duration = Duration::from_secs(3);
const LANE_IDLE: Duration = Duration::from_secs(60);
const RELEASE_CHUNK: usize = 1000;

/// How this worker delivers.
pub struct DeliveryOptions {
    /// The worker's incarnation: owner of its leases.
    pub owner: i64,
    /// How long a leased delivery belongs to this worker.
    pub lease: Duration,
    /// Deliveries a lane takes even if its endpoint is not known to be fast.
    pub lane_floor: usize,
    /// Envelopes that all lanes together may hold, in bytes.
    pub lane_bytes: usize,
    /// First attempts in flight at once in this worker.
    pub in_flight: usize,
    /// Retries in flight at once in this worker, besides.
    pub retry_in_flight: usize,
    /// What all tenants together may do at once, in the whole fleet.
    pub limits: Limits,
    pub policy: TargetPolicy,
    /// What attempts mean for an endpoint's health.
    pub health: HealthPolicy,
    /// The longest wait that `Retry-After` can cause.
    pub retry_after_ceiling: Duration,
    /// Woken when an endpoint changed.
    pub endpoints_changed: Wake,
    /// Woken when leases of a dead worker became due.
    pub leases_released: Wake,
}

/// The delivery engine of one worker process.
pub struct Delivery {
    lanes: Lanes,
    /// Slots and pulls: they come and go.
    tasks: TaskTracker,
    /// What runs from start to stop.
    loops: Tasks,
    unwritten: oneshot::Receiver<Unwritten>,
}

/// What a stopped engine left for others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Leases given back: due at once for any worker.
    pub released: usize,
    /// Outcomes that could not be written, and leases that could not be given back: due when their leases end.
    pub lost: usize,
}

impl Delivery {
    /// Starts delivering. Soft stop: takes nothing new and finishes what is in flight; hard stop: abandons it. Its loops run
    /// in `loops`, whose stop it follows: one that is lost stops the worker.
    #[must_use]
    pub fn start(
        db: Db,
        client: Client,
        clock: DbClock,
        options: DeliveryOptions,
        metrics: Metrics,
        mut loops: Tasks,
    ) -> Self {
        let stop = loops.stop().clone();
        let due = Due::default();
        let (outcomes, recorder) =
            Recorder::new(db.clone(), options.owner, metrics.clone(), due.clone());
        let (pulls, requests) = mpsc::unbounded_channel();
        let tasks = TaskTracker::new();
        let lanes = Lanes::new(Inner {
            db,
            owner: options.owner,
            lease: options.lease,
            floor: options.lane_floor,
            byte_budget: options.lane_bytes,
            sender: Sender {
                client,
                clock,
                metrics,
                retry_after_ceiling: options.retry_after_ceiling,
                proxy: ProxyTrouble::default(),
            },
            policy: options.policy,
            slots: Slots::new(options.in_flight, options.retry_in_flight),
            shares: Shares::default(),
            limits: options.limits,
            rate: options.limits.rate.map(|_| Rate::default()),
            tasks: tasks.clone(),
            stop: stop.clone(),
            due,
            batching: Batching::default(),
            unrecorded: Unrecorded::default(),
            reports: Reports::new(options.health),
            fleet: Mutex::new(Fleet::ALONE),
            telling: AtomicBool::new(false),
            confirmed: Mutex::new(Instant::now()),
            pulls,
            outcomes: Mutex::new(Some(outcomes)),
            lanes: Mutex::new(HashMap::new()),
            crowded: Mutex::new(Vec::new()),
            bytes: AtomicUsize::new(0),
            releasing: tokio::sync::Mutex::new(()),
            abandoned: Mutex::new(Vec::new()),
        });
        let inner = lanes.inner();
        inner.note_fleet(Fleet::ALONE);
        let (tell, unwritten) = oneshot::channel();
        let record = recorder.run(stop.clone());
        let record = async move {
            // Nobody waits for it any more when even the hard stop was not enough.
            let _ = tell.send(record.await);
        };
        loops.spawn("recorder", endless(record));
        loops.spawn("puller", endless(puller::run(Arc::clone(inner), requests, stop.clone())));
        let look = due::run(Arc::clone(inner), options.leases_released, stop.clone());
        loops.spawn("due-finder", endless(look));
        loops.spawn("health", endless(health::run(Arc::clone(inner), stop.clone())));
        let watch = watch(Arc::clone(inner), options.endpoints_changed, stop);
        loops.spawn("endpoint-watch", endless(watch));
        Self { lanes, tasks, loops, unwritten }
    }

    /// The lanes, for fan-out's hand-off.
    #[must_use]
    pub fn lanes(&self) -> Lanes {
        self.lanes.clone()
    }

    /// After a stop was requested: waits for what is in flight, writes what came back, gives the other leases back.
    pub async fn finish(mut self) -> Left {
        let inner = self.lanes.inner();
        // Slots clone the sender when they open; without it no new one does any work, and the recorder ends with the last.
        lock(&inner.outcomes).take();
        self.tasks.close();
        while self.loops.join_next().await.is_some() {}
        let unwritten = self.unwritten.await.map_or(0, |Unwritten(count)| count);
        self.tasks.wait().await;
        // What the last answers said of their endpoints; the database may be away.
        let flushed = async {
            let flushed = health::flush(inner).await;
            health::give_probes_back(inner).await.and(flushed)
        };
        match tokio::time::timeout(WATCH_LIMIT, flushed).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                warn!(error = %failure, "the health of endpoints was not kept: {failure}");
            }
            Err(_) => warn!("the health of endpoints was not kept: no answer in {WATCH_LIMIT:?}"),
        }
        let leases = inner.take_leases();
        let mut left = Left { released: 0, lost: unwritten };
        for (index, chunk) in leases.chunks(RELEASE_CHUNK).enumerate() {
            match deliveries::release(&inner.db, inner.owner, chunk).await {
                Ok(released) => left.released += usize::try_from(released).unwrap_or(chunk.len()),
                Err(failure) => {
                    let kept = leases.len() - index * RELEASE_CHUNK;
                    warn!(error = %failure, leases = kept, "leases could not be given back; they end by themselves");
                    left.lost += kept;
                    break;
                }
            }
        }
        if left != Left::default() {
            info!(
                released = left.released,
                lost = left.lost,
                "stopped with {} deliveries given back",
                left.released
            );
        }
        left
    }
}

async fn endless(run: impl Future<Output = ()>) -> Result<(), Infallible> {
    run.await;
    Ok(())
}

/// Keeps endpoints current, the clock true, and forgets lanes that have nothing to do.
async fn watch(inner: Arc<Inner>, changed: Wake, stop: Stop) {
    while !stop.soft_requested() {
        let refreshed = tokio::time::timeout(WATCH_LIMIT, refresh(&inner)).await;
        let silence = || Err(StoreError::silence("checking endpoints for changes", WATCH_LIMIT));
        if let Err(failure) = refreshed.unwrap_or_else(|_| silence()) {
            inner.sender.metrics.db_error("delivery");
            warn!(error = %failure, "checking endpoints for changes failed: {failure}");
            // Not knowing is no licence to use what may have changed.
            for lane in lock(&inner.lanes).values() {
                lane.mark_stale();
            }
        }
        lock(&inner.lanes).retain(|_, lane| {
            Arc::strong_count(lane) > 1 || !lane.is_idle(LANE_IDLE) || lane.is_unwell()
        });
        tokio::select! {
            () = stop.soft() => {}
            () = changed.woken() => inner.reports.look(),
            () = tokio::time::sleep(WATCH_EVERY) => {}
        }
    }
}

async fn refresh(inner: &Inner) -> Result<(), StoreError> {
    let begun = Instant::now();
    let used: Vec<_> = lock(&inner.lanes)
        .values()
        .filter_map(|lane| Some((Arc::clone(lane), lane.version()?)))
        .collect();
    let mut session = inner.db.session().await?;
    inner.sender.clock.sync(&mut session).await?;
    drop(session);
    if used.is_empty() {
        return Ok(());
    }
    let mut tenants: Vec<&str> = used.iter().map(|(_, (tenant, _))| tenant.as_str()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let current: HashMap<String, i64> =
        endpoints::versions(&inner.db, &tenants).await?.into_iter().collect();
    for (lane, (tenant, version)) in &used {
        if current.get(tenant).copied().unwrap_or(0) != *version {
            lane.mark_stale();
        }
    }
    *lock(&inner.confirmed) = begun;
    Ok(())
}
