//! What slots have said of endpoints, one notice for each, until it is written.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use postrider_core::health::{HealthPolicy, Report};
use postrider_core::ids::EndpointId;
use tokio::sync::{Notify, watch};

use crate::lanes::lock;

/// How long nothing is sent because it is not known who else delivers.
const FLEET_UNKNOWN: Duration = Duration::from_secs(3);

/// What has been reported and not yet written.
pub(crate) struct Reports {
    pub(crate) policy: HealthPolicy,
    pub(super) waiting: Mutex<HashMap<EndpointId, Notice>>,
    /// Other workers may have written.
    pub(super) asked: AtomicBool,
    pub(super) news: Notify,
    /// Counts what is asked and learned, so that what was asked before something was learned is known to be out of date.
    pub(super) count: AtomicU64,
    /// Whether somebody has looked.
    pub(super) looked: watch::Sender<bool>,
}

/// What is to be known of one endpoint.
#[derive(Default, Clone)]
pub(super) struct Notice {
    pub(super) report: Report,
    /// Its receiver asked to be disabled, for this reason.
    pub(super) disable: Option<&'static str>,
    /// Its probe brought nothing to judge by; the next one may be made after this.
    pub(super) give_back: Option<Duration>,
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
    pub(super) fn now(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn note(&self, endpoint: EndpointId, note: impl FnOnce(&mut Notice)) {
        note(lock(&self.waiting).entry(endpoint).or_default());
        self.news.notify_one();
    }

    /// What could not be written was reported before what waits now.
    pub(super) fn restore(&self, endpoint: EndpointId, earlier: Notice) {
        let mut waiting = lock(&self.waiting);
        let now = waiting.entry(endpoint).or_default();
        now.report = earlier.report.then(std::mem::take(&mut now.report));
        now.disable = now.disable.or(earlier.disable);
        now.give_back = now.give_back.or(earlier.give_back);
    }

    pub(super) fn is_waiting(&self, endpoint: EndpointId) -> bool {
        lock(&self.waiting).contains_key(&endpoint)
    }
}

impl Notice {
    /// Whether its report is to be written: what disables deletes the record.
    pub(super) fn counts(&self) -> bool {
        self.disable.is_none() && self.report != Report::default()
    }

    /// Whether its report says everything; that of a probe gives it back, too.
    pub(super) fn is_report(&self) -> bool {
        self.disable.is_none() && (self.give_back.is_none() || self.report.probe)
    }
}
