//! Protocol P2: how an idle worker sleeps without missing a publisher, and without making publishers queue behind NOTIFY.
//!
//! A publisher tries the wake-up lock shared: granted, a worker is awake and nothing need be said; refused, one sleeps and
//! is notified. So the one worker that sleeps for all (the sentinel) holds that lock exclusively while it sleeps, and only
//! then. Taking it fails while a publisher is in flight; having taken it, whoever was granted the shared lock before has
//! finished and is visible, so one more poll sees everything that will not notify.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postrider_runtime::{Metrics, Stop};
use postrider_store::StoreError;
use postrider_store::control::{Control, Lock};
use tracing::{info, warn};

const FIRST_REFUSED: Duration = Duration::from_millis(1);
const MOST_REFUSED: Duration = Duration::from_millis(20);
/// Refused for longer than this, a long or prepared transaction holds the lock: poll less often and say who it is.
const LONG_REFUSED: Duration = Duration::from_secs(1);
const FIRST_LONG_REFUSED: Duration = Duration::from_millis(50);
const MOST_LONG_REFUSED: Duration = Duration::from_millis(250);
const PEER_NOTIFY_EVERY: Duration = Duration::from_millis(100);
/// Whoever is not the sentinel tries to become it so often, however rare its polls are: the one before may have died silently.
const SENTINEL_EVERY: Duration = Duration::from_secs(1);

/// How this worker sleeps and wakes.
pub struct Wakeup {
    control: Option<Arc<Control>>,
    fallback_poll: Duration,
    peers: Arc<AtomicUsize>,
    metrics: Metrics,
    sentinel: bool,
    sentinel_tried: Option<Instant>,
    armed: bool,
    refused: Option<Refused>,
    peers_notified: Option<Instant>,
}

struct Refused {
    since: Instant,
    wait: Duration,
    named: bool,
}

/// Whether the worker may go to sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// The lock is held: poll once more, then wait.
    Armed,
    /// A publisher is in flight: poll again after this time.
    Refused(Duration),
    /// Another worker is the sentinel, or nobody can be: just wait.
    Unarmed,
}

/// Why the worker stopped waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    Knock,
    Poll,
    Stop,
}

impl Wakeup {
    /// Sleeps by LISTEN on a control session whose canary was heard. `peers` counts the other workers of the fleet.
    #[must_use]
    pub fn listening(
        control: Arc<Control>,
        fallback_poll: Duration,
        peers: Arc<AtomicUsize>,
        metrics: Metrics,
    ) -> Self {
        metrics.set_wakeup_mode("listen");
        Self::new(Some(control), fallback_poll, peers, metrics)
    }

    /// Polls only: no session of our own to LISTEN or hold a lock on. It never arms, so publishers never notify.
    #[must_use]
    pub fn polling(fallback_poll: Duration, metrics: Metrics) -> Self {
        metrics.set_wakeup_mode("poll");
        Self::new(None, fallback_poll, Arc::default(), metrics)
    }

    fn new(
        control: Option<Arc<Control>>,
        fallback_poll: Duration,
        peers: Arc<AtomicUsize>,
        metrics: Metrics,
    ) -> Self {
        Self {
            control,
            fallback_poll,
            peers,
            metrics,
            sentinel: false,
            sentinel_tried: None,
            armed: false,
            refused: None,
            peers_notified: None,
        }
    }

    /// Goes to sleep, as far as the publishers in flight allow it.
    pub(crate) async fn arm(&mut self) -> Result<Arm, StoreError> {
        let Some(control) = self.control.clone() else { return Ok(Arm::Unarmed) };
        if !self.sentinel && !self.become_sentinel(&control).await? {
            return Ok(Arm::Unarmed);
        }
        let lock = Lock::WAKEUP;
        if self.armed || control.try_lock(lock).await? {
            self.armed = true;
            self.refused = None;
            return Ok(Arm::Armed);
        }
        let refused = self.refused.get_or_insert_with(|| Refused {
            since: Instant::now(),
            wait: FIRST_REFUSED,
            named: false,
        });
        let wait = refused.wait;
        if refused.since.elapsed() < LONG_REFUSED {
            refused.wait = (wait * 2).min(MOST_REFUSED);
        } else {
            refused.wait = (wait * 2).clamp(FIRST_LONG_REFUSED, MOST_LONG_REFUSED);
            if !refused.named {
                refused.named = true;
                let pid = control.lock_holder(lock).await?;
                warn!(
                    pid,
                    "a publisher's transaction has been open for over a second: polling until it ends"
                );
            }
        }
        Ok(Arm::Refused(wait))
    }

    /// Whether publishers notify at this moment.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed
    }

    /// Waits for a knock, the fallback poll or the request to stop.
    pub(crate) async fn wait(&mut self, stop: &Stop) -> Woken {
        let Some(control) = &self.control else {
            return if stop.soft_within(self.fallback_poll).await {
                Woken::Stop
            } else {
                Woken::Poll
            };
        };
        let limit = if self.armed { self.fallback_poll } else { self.until_next_try() };
        tokio::select! {
            () = stop.soft() => Woken::Stop,
            () = control.events_knocked() => {
                self.metrics.notifications.inc();
                Woken::Knock
            }
            () = tokio::time::sleep(limit) => Woken::Poll,
        }
    }

    /// Wakes up: from now on publishers need not notify.
    pub(crate) async fn disarm(&mut self) -> Result<(), StoreError> {
        self.refused = None;
        if std::mem::take(&mut self.armed)
            && let Some(control) = &self.control
        {
            control.unlock(Lock::WAKEUP).await?;
        }
        Ok(())
    }

    /// A batch came back full: wakes sleeping peers, since publishers do not notify while this sentinel is awake.
    pub(crate) async fn busy(&mut self) -> Result<(), StoreError> {
        // Armed it can only be if an error of the database came between waking and disarming.
        self.disarm().await?;
        if let Some(control) = &self.control
            && self.sentinel
            && self.peers.load(Ordering::Relaxed) > 0
            && self.peers_notified.is_none_or(|at| at.elapsed() >= PEER_NOTIFY_EVERY)
        {
            self.peers_notified = Some(Instant::now());
            control.notify_peers().await?;
        }
        Ok(())
    }

    /// Found work after a refusal: the next refusal starts small again.
    pub(crate) fn found_work(&mut self) {
        if let Some(refused) = &mut self.refused
            && !refused.named
        {
            refused.wait = FIRST_REFUSED;
        }
    }

    /// Hands the sentinel's duty to a peer: gives the locks back, then knocks.
    pub(crate) async fn retire(&mut self) -> Result<(), StoreError> {
        self.disarm().await?;
        if std::mem::take(&mut self.sentinel)
            && let Some(control) = &self.control
        {
            control.unlock(Lock::SENTINEL).await?;
            control.notify_peers().await?;
        }
        Ok(())
    }

    async fn become_sentinel(&mut self, control: &Control) -> Result<bool, StoreError> {
        if !self.until_next_try().is_zero() {
            return Ok(false);
        }
        self.sentinel_tried = Some(Instant::now());
        self.sentinel = control.try_lock(Lock::SENTINEL).await?;
        if self.sentinel {
            info!("this worker is the sentinel: it sleeps for the fleet");
        }
        Ok(self.sentinel)
    }

    /// How long until the sentinel's lock may be tried again; zero: now.
    fn until_next_try(&self) -> Duration {
        let every = self.fallback_poll.min(SENTINEL_EVERY);
        self.sentinel_tried.map_or(Duration::ZERO, |at| every.saturating_sub(at.elapsed()))
    }
}
