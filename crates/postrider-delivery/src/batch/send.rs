//! One attempt of a batch, in a slot of its lane: sign, send, judge, record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::answer::Answer;
use postrider_core::health::Finding;
use postrider_core::retry::Verdict;
use postrider_core::status::ErrorClass;
use postrider_destinations::{Batch, batch_request};
use postrider_store::deliveries::{self, EventPayload, LeasedBatch, LeasedDelivery};
use tracing::{debug, info, warn};

use super::judge::{Judged, Terms, judge};
use crate::attempt::Sender;
use crate::hold::InHand;
use crate::lane::Lane;
use crate::lanes::Inner;
use crate::target::Target;

impl Inner {
    /// Sends the batch in a slot's hand. `ends`: its leases.
    pub(crate) async fn send_batch(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        hand: &mut InHand<'_>,
        batch: &LeasedBatch,
        target: &Target,
        ends: Instant,
    ) {
        if batch.expires_at.is_some_and(|at| at <= self.sender.clock.now()) {
            return self.put_off(lane, hand).await;
        }
        hand.in_flight(true);
        let started = Instant::now();
        let Some(judged) = self.sender.attempt_batch(&hand.delivery, batch, target).await else {
            return;
        };
        let ended = Instant::now();
        lane.note_attempt(ended - started, ended);
        hand.in_flight(false);
        // What ends after its lease is out of date (this process stood still), for the endpoint's health as for the rows.
        if Instant::now() < ends || lane.is_probing() {
            self.note_health(lane, &hand.delivery, judged.finding, judged.disable);
        }
        hand.settled = self.record_batch(judged.records).await;
    }

    /// A member has expired since they were leased: it may not be sent any more, and without it this is another batch. All go
    /// back, and the next pull sorts them.
    async fn put_off(&self, lane: &Lane, hand: &mut InHand<'_>) {
        let leases: Vec<_> = hand.delivery.leases().collect();
        match deliveries::release(&self.db, self.owner, &leases).await {
            Ok(_) => {
                hand.settled = true;
                self.due.at(lane.endpoint, Instant::now());
            }
            Err(failure) => {
                self.sender.metrics.db_error("delivery");
                hand.settled = true;
                debug!(endpoint.id = %lane.endpoint, error = %failure, "leases of {} end by themselves", lane.endpoint);
            }
        }
    }
}

impl Sender {
    /// Makes one attempt of a batch. None if there is no body, which forming rules out.
    async fn attempt_batch(
        &self,
        delivery: &LeasedDelivery,
        batch: &LeasedBatch,
        target: &Target,
    ) -> Option<Judged> {
        let event = delivery.event.as_deref()?;
        let started_at = self.clock.now();
        let number = delivery.attempts.saturating_add(1);
        let answer = self.post(event, batch, target, number, started_at.as_second()).await;
        let (status, duration) = (answer.status, answer.duration);
        let terms = Terms {
            schedule: &target.schedule,
            capture: target.capture,
            started_at,
            now: self.clock.now(),
            ceiling: self.retry_after_ceiling,
        };
        let judged = judge(delivery, batch, answer, &terms);
        match judged.finding {
            Finding::Unasked(_) => self.proxy.note(&self.metrics),
            _ => self.report_batch(delivery, batch, &judged, status, duration),
        }
        Some(judged)
    }

    async fn post(
        &self,
        event: &EventPayload,
        batch: &LeasedBatch,
        target: &Target,
        attempt: u16,
        timestamp: i64,
    ) -> Answer {
        let batch = Batch {
            id: &event.id,
            timestamp,
            attempt,
            content_type: batch.content_type,
            body: event.envelope.clone(),
        };
        match batch_request(&target.endpoint, &target.signer, batch) {
            Ok(request) => match &target.tokens {
                Some(tokens) => tokens.send(&self.client, request, target.timeout).await,
                None => self.client.send(request, target.timeout).await,
            },
            Err(class) => Answer::failed(class, Duration::ZERO),
        }
    }

    /// One line for each request, with ids; never a payload, a URL or a secret.
    fn report_batch(
        &self,
        delivery: &LeasedDelivery,
        batch: &LeasedBatch,
        judged: &Judged,
        status: Option<u16>,
        duration: Duration,
    ) {
        let error = judged.error.map(ErrorClass::as_str);
        self.metrics.attempt(judged.verdict.outcome(), error, duration);
        let (id, endpoint, members) = (batch.id, delivery.endpoint, batch.members.len());
        let (number, duration_ms) = (delivery.attempts.saturating_add(1), duration.as_millis());
        match judged.verdict {
            Verdict::Delivered => {
                self.observe_latency(batch);
                let refused = judged.refused;
                if refused > 0 {
                    info!(batch.id = %id, endpoint.id = %endpoint, attempt.number = number, members, refused, duration_ms, "{refused} of the {members} deliveries of {id} were refused by themselves");
                } else {
                    debug!(batch.id = %id, endpoint.id = %endpoint, attempt.number = number, members, duration_ms, "delivered {id} on attempt {number}");
                }
            }
            Verdict::Retry { after } => info!(
                batch.id = %id, endpoint.id = %endpoint, attempt.number = number, members, duration_ms, status, error,
                retry_in_s = after.as_secs(), "attempt {number} of {id} failed, the next follows in {} s", after.as_secs()
            ),
            Verdict::Exhausted | Verdict::Rejected { .. } => warn!(
                batch.id = %id, endpoint.id = %endpoint, attempt.number = number, members, duration_ms, status, error,
                "the {members} deliveries of {id} are {} after attempt {number}", judged.verdict.outcome()
            ),
        }
    }

    fn observe_latency(&self, batch: &LeasedBatch) {
        let now = u64::try_from(self.clock.now().as_microsecond()).unwrap_or(0);
        let now = Duration::from_micros(now);
        for member in batch.members.iter().filter(|member| member.attempts == 0) {
            let published = Duration::from_millis(member.id.created_at_ms());
            let latency = now.saturating_sub(published).as_secs_f64();
            self.metrics.delivery_latency.observe(latency);
        }
    }
}
