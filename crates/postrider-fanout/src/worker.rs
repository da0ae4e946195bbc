//! The fan-out loop: drain until a batch comes back short, then sleep by protocol P2.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::deliveries::{self, LeasedDelivery};
use postrider_store::events::{self, Claim, ClaimedEvent, Days, Look};
use postrider_store::{Db, ErrorKind, StoreError};
use tracing::{debug, error, info, warn};

use crate::HandOff;
use crate::caution::{Caution, MAX_TRIES, Step};
use crate::known_types::KnownTypes;
use crate::mark::{Found, Mark};
use crate::pass::{self, Failed, Lease, Limits, Pass, Trouble};
use crate::routes::RouteCache;
use crate::wakeup::{Arm, Wakeup, Woken};

const FIRST_POSTPONE: Duration = Duration::from_secs(1);
const MOST_POSTPONE: Duration = Duration::from_secs(300);

/// Who this worker is and how it goes about fan-out.
#[derive(Debug, Clone, Copy)]
pub struct FanOutOptions {
    /// The worker's incarnation: owner of the leases it hands off.
    pub owner: i64,
    /// How long a handed-off delivery belongs to this worker.
    pub lease: Duration,
    pub limits: Limits,
    /// A worker died before us without saying goodbye: take the first events one by one.
    pub after_crash: bool,
}

/// Fan-out of one worker process.
pub struct FanOut<H> {
    db: Db,
    lanes: Arc<H>,
    options: FanOutOptions,
    metrics: Metrics,
    routes: RouteCache,
    caution: Caution,
    mark: Mark,
    types: KnownTypes,
    /// When the last claimed event was published: the next are of that time, mostly.
    days: Days,
    /// Deliveries of a commit whose answer was lost.
    doubtful: Vec<LeasedDelivery>,
}

impl<H: HandOff> FanOut<H> {
    /// A fan-out that hands its deliveries to `lanes`.
    pub fn new(db: Db, lanes: Arc<H>, options: FanOutOptions, metrics: Metrics) -> Self {
        let caution = Caution::new(options.limits.events, options.after_crash);
        Self {
            db,
            lanes,
            options,
            metrics,
            routes: RouteCache::default(),
            caution,
            mark: Mark::default(),
            types: KnownTypes::default(),
            days: Days::default(),
            doubtful: Vec::new(),
        }
    }

    /// Runs until stopped. Errors of the database pause it with backoff and count against no event.
    pub async fn run(mut self, mut wakeup: Wakeup, stop: Stop) {
        let mut pacer = Pacer::new(Duration::from_millis(50), Duration::from_secs(5));
        while !stop.soft_requested() {
            match self.round(&mut wakeup, &stop).await {
                Ok(()) => pacer.reset(),
                Err(failure) => {
                    self.metrics.db_error("fanout");
                    let wait = pacer.next();
                    warn!(error = %failure, wait_ms = wait.as_millis(), "fan-out pauses: {failure}");
                    stop.soft_within(wait).await;
                }
            }
        }
        if let Err(failure) = self.settle().await {
            debug!(error = %failure, "what is leased in doubt is due when the leases end");
        }
        if let Err(failure) = wakeup.retire().await {
            debug!(error = %failure, "the wake-up locks go with the session");
        }
    }

    /// Fans out everything that is due and returns how many events that were.
    ///
    /// # Errors
    /// When the database fails; nothing is lost.
    pub async fn drain(&mut self) -> Result<usize, StoreError> {
        let mut fanned_out = 0;
        loop {
            let pass = self.pass().await?;
            fanned_out += pass.fanned_out;
            if pass.claimed == 0 {
                return Ok(fanned_out);
            }
        }
    }

    /// One batch, without waiting.
    ///
    /// # Errors
    /// When the database fails; the batch is pending again.
    pub async fn pass(&mut self) -> Result<Pass, StoreError> {
        self.settle().await?;
        self.lanes.pace().await;
        let step = self.caution.step();
        let limits = match step {
            Step::Batch(events) => Limits { events, ..self.options.limits },
            Step::Single | Step::Counted => Limits { events: 1, ..self.options.limits },
        };
        if step == Step::Counted && !self.count_next().await? {
            self.caution.took(0);
            return Ok(Pass::default());
        }
        let (claim, events) = self.claim(limits.events).await?;
        if events.is_empty() {
            self.caution.took(0);
            claim.abandon().await?;
            return Ok(Pass::default());
        }
        let lease = Lease { owner: self.options.owner, time: self.options.lease };
        match pass::finish(claim, &events, &mut self.routes, &limits, &lease, &*self.lanes).await {
            Ok((pass, trouble)) => {
                self.caution.took(events.len());
                for trouble in trouble {
                    self.blame(trouble, step).await?;
                }
                self.report(&pass);
                self.list_types(&events).await;
                Ok(pass)
            }
            Err(Failed { error, .. }) if error.kind() == ErrorKind::Content => {
                self.refused(&events, step, &error).await
            }
            Err(Failed { error, doubtful }) => {
                self.doubtful = doubtful;
                Err(error)
            }
        }
    }

    /// Lists event types that nobody met before. Almost always there are none.
    async fn list_types(&mut self, events: &[ClaimedEvent]) {
        let new = self.types.new_among(events, Instant::now());
        if !new.is_empty() {
            self.types.list(&self.db, &new).await;
        }
    }

    /// After a connection was lost at the commit: if it went through, its deliveries are leased to us and in no lane. Gives
    /// the leases back, so that nobody has to wait for their end.
    async fn settle(&mut self) -> Result<(), StoreError> {
        if self.doubtful.is_empty() {
            return Ok(());
        }
        let leases: Vec<_> = self.doubtful.iter().flat_map(LeasedDelivery::leases).collect();
        let released = deliveries::release(&self.db, self.options.owner, &leases).await?;
        if released > 0 {
            info!(
                released,
                "a commit went through though its answer was lost: its deliveries are due"
            );
        }
        // In the order of their endpoints.
        let mut settled = std::mem::take(&mut self.doubtful);
        settled.dedup_by_key(|delivery| delivery.endpoint);
        for delivery in settled {
            self.lanes.overflowed(delivery.endpoint);
        }
        Ok(())
    }

    /// Drains, then sleeps until there may be work again.
    async fn round(&mut self, wakeup: &mut Wakeup, stop: &Stop) -> Result<(), StoreError> {
        let pass = self.pass().await?;
        if pass.claimed > 0 {
            wakeup.found_work();
        }
        if pass.more {
            return wakeup.busy().await;
        }
        match wakeup.arm().await? {
            Arm::Refused(wait) => {
                stop.soft_within(wait).await;
                return Ok(());
            }
            Arm::Armed if self.pass().await?.claimed > 0 => return wakeup.disarm().await,
            Arm::Armed | Arm::Unarmed => {}
        }
        loop {
            match wakeup.wait(stop).await {
                Woken::Stop => return Ok(()),
                Woken::Knock => {
                    let (disarmed, pass) = tokio::join!(wakeup.disarm(), self.pass());
                    pass?;
                    return disarmed;
                }
                // Armed, an empty poll changes nothing; unarmed, the next round polls and tries to become the sentinel.
                Woken::Poll if !wakeup.is_armed() => return Ok(()),
                Woken::Poll => {
                    if self.pass().await?.claimed > 0 {
                        return wakeup.disarm().await;
                    }
                }
            }
        }
    }

    async fn claim(&mut self, limit: i64) -> Result<(Claim, Vec<ClaimedEvent>), StoreError> {
        let started = Instant::now();
        let scan = self.mark.next(started);
        let look = Look { after: scan.after, limit, days: self.days };
        let (claim, events) = Claim::begin(&self.db, look).await?;
        if let Some(last) = events.last() {
            self.days = Days::around(last.created_at);
        }
        let found = Found {
            rows: events.len(),
            full: i64::try_from(events.len()).unwrap_or(i64::MAX) >= limit,
            highest: events.last().map(|event| event.seq),
            cost: started.elapsed(),
        };
        self.mark.note(started, scan, found);
        Ok((claim, events))
    }

    /// Counts a try of the next event, committed, before it is worked on; who has had all its tries is moved to the failed.
    /// `false`: there is none.
    async fn count_next(&mut self) -> Result<bool, StoreError> {
        loop {
            let (claim, events) = self.claim(1).await?;
            claim.abandon().await?;
            let Some(event) = events.first() else { return Ok(false) };
            if event.attempts < MAX_TRIES {
                events::count_try(&self.db, event.seq).await?;
                return Ok(true);
            }
            error!(
                event.seq = event.seq,
                "event {} is moved to the failed: the worker died {MAX_TRIES} times on it",
                event.seq
            );
            let why = "the worker ended while it fanned this event out";
            events::fail(&self.db, event.seq, "crashed_fanout", why).await?;
            self.metrics.events_failed.inc();
        }
    }

    /// The database refused a batch for its content: find the event, or blame the only one.
    async fn refused(
        &mut self,
        events: &[ClaimedEvent],
        step: Step,
        failure: &StoreError,
    ) -> Result<Pass, StoreError> {
        if let Step::Batch(_) = step {
            warn!(error = %failure, "a batch was refused for its content: taking its events one by one");
            self.caution.refused();
        } else if let Some(event) = events.first() {
            self.caution.took(1);
            self.blame(
                Trouble { seq: event.seq, attempts: event.attempts, error: failure.to_string() },
                step,
            )
            .await?;
        }
        Ok(Pass { claimed: events.len(), troubled: 1, more: true, ..Pass::default() })
    }

    /// Counts a try against an event and puts it off, or moves it to the failed after the last.
    async fn blame(&mut self, trouble: Trouble, step: Step) -> Result<(), StoreError> {
        let tries = trouble.attempts + i16::from(step != Step::Counted);
        if step != Step::Counted {
            events::count_try(&self.db, trouble.seq).await?;
        }
        if tries >= MAX_TRIES {
            error!(
                event.seq = trouble.seq,
                error = trouble.error,
                "event {} is moved to the failed after {tries} tries",
                trouble.seq
            );
            self.metrics.events_failed.inc();
            return events::fail(&self.db, trouble.seq, "fanout_refused", &trouble.error).await;
        }
        let wait = FIRST_POSTPONE.saturating_mul(1 << tries.clamp(0, 9)).min(MOST_POSTPONE);
        warn!(
            event.seq = trouble.seq,
            tries,
            error = trouble.error,
            "event {} cannot be fanned out, put off for {wait:?}",
            trouble.seq
        );
        events::postpone(&self.db, trouble.seq, wait, &trouble.error).await
    }

    fn report(&self, pass: &Pass) {
        let count = |n: usize| u64::try_from(n).unwrap_or(0);
        self.metrics.events_claimed.inc_by(count(pass.claimed));
        self.metrics.events_fanned_out.inc_by(count(pass.fanned_out));
        self.metrics.events_failed.inc_by(count(pass.bodiless));
        self.metrics.deliveries_inserted.inc_by(count(pass.deliveries));
        self.metrics.handed_off.inc_by(count(pass.handed_off));
        self.metrics.overflowed.inc_by(count(pass.overflowed));
        if pass.bodiless > 0 {
            error!(
                events = pass.bodiless,
                "{} pending rows point at no event: moved to the failed as body_missing",
                pass.bodiless
            );
        }
    }
}
