//! One attempt: sign, send, judge. Does not touch the database; what it decides goes to the recorder.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::answer::Answer;
use postrider_core::retry::{Verdict, decide};
use postrider_core::status::{DeliveryStatus, ErrorClass};
use postrider_destinations::{Capture, Client, Webhook, webhook_request};
use postrider_runtime::Metrics;
use postrider_store::clock::DbClock;
use postrider_store::deliveries::{AttemptRecord, Close, EventPayload, LeasedDelivery, Reschedule};
use tracing::{debug, info, warn};

use crate::recorder::{Next, Outcome};
use crate::target::Target;

/// What every attempt needs.
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) clock: DbClock,
    pub(crate) metrics: Metrics,
}

impl Sender {
    /// Makes one attempt, or ends the delivery without one if there is nothing to send or nobody to wait for it.
    pub(crate) async fn attempt(&self, delivery: &LeasedDelivery, target: &Target) -> Outcome {
        let Some(event) = &delivery.event else {
            return end(delivery, DeliveryStatus::Exhausted, "body_missing");
        };
        let started_at = self.clock.now();
        if event.expires_at.is_some_and(|at| at <= started_at) {
            return end(delivery, DeliveryStatus::Expired, "expired");
        }
        let number = delivery.attempts.saturating_add(1);
        let answer = self.send(event, target, number, started_at.as_second()).await;
        let verdict = decide(&target.schedule, number, delivery.id, &answer, self.clock.now());
        self.judged(delivery, answer, verdict, started_at, target.capture)
    }

    /// Ends a delivery whose endpoint cannot be sent to at all, as an attempt that failed for that reason.
    pub(crate) fn refuse(&self, delivery: &LeasedDelivery, class: ErrorClass) -> Outcome {
        let verdict = Verdict::Rejected { reason: class.as_str() };
        self.judged(
            delivery,
            Answer::failed(class, Duration::ZERO),
            verdict,
            self.clock.now(),
            Capture::Failures,
        )
    }

    fn judged(
        &self,
        delivery: &LeasedDelivery,
        answer: Answer,
        verdict: Verdict,
        started_at: Timestamp,
        capture: Capture,
    ) -> Outcome {
        let number = delivery.attempts.saturating_add(1);
        self.report(delivery, number, &answer, verdict);
        let state = next(delivery, number, &answer, verdict);
        let keep = !answer.is_success() || capture == Capture::Everything;
        let attempt = keep.then(|| AttemptRecord {
            delivery: delivery.id,
            endpoint: delivery.endpoint,
            started_at,
            duration: answer.duration,
            attempt: number,
            http_status: answer.status,
            outcome: verdict.outcome(),
            error: answer.error,
            peer: answer.peer,
            headers: header_lines(&answer),
            body: answer.body,
        });
        Outcome { state, attempt }
    }

    async fn send(
        &self,
        event: &EventPayload,
        target: &Target,
        number: u16,
        timestamp: i64,
    ) -> Answer {
        let webhook = Webhook {
            event_id: &event.id,
            timestamp,
            attempt: number,
            traceparent: event.traceparent.as_deref(),
            body: event.envelope.clone(),
        };
        match webhook_request(&target.endpoint, &target.signer, webhook) {
            Ok(request) => self.client.send(request, target.timeout).await,
            Err(class) => Answer::failed(class, Duration::ZERO),
        }
    }

    /// One line for each failure, with ids; never a payload, a URL or a secret.
    fn report(&self, delivery: &LeasedDelivery, number: u16, answer: &Answer, verdict: Verdict) {
        self.metrics.attempt(
            verdict.outcome(),
            answer.error.map(ErrorClass::as_str),
            answer.duration,
        );
        let (id, endpoint, duration_ms) =
            (delivery.id, delivery.endpoint, answer.duration.as_millis());
        let error = answer.error.map(ErrorClass::as_str);
        match verdict {
            Verdict::Delivered => {
                if number == 1 {
                    let published = Duration::from_millis(id.created_at_ms());
                    let now = Duration::from_micros(
                        u64::try_from(self.clock.now().as_microsecond()).unwrap_or(0),
                    );
                    self.metrics
                        .delivery_latency
                        .observe(now.saturating_sub(published).as_secs_f64());
                }
                debug!(delivery.id = %id, endpoint.id = %endpoint, attempt.number = number, duration_ms, "delivered {id} on attempt {number}");
            }
            Verdict::Retry { after } => info!(
                delivery.id = %id, endpoint.id = %endpoint, attempt.number = number, duration_ms, status = answer.status, error,
                retry_in_s = after.as_secs(), "attempt {number} of {id} failed, the next follows in {} s", after.as_secs()
            ),
            Verdict::Exhausted | Verdict::Rejected { .. } => warn!(
                delivery.id = %id, endpoint.id = %endpoint, attempt.number = number, duration_ms, status = answer.status, error,
                "{id} is {} after attempt {number}", verdict.outcome()
            ),
        }
    }
}

/// Ends a delivery without an attempt.
pub(crate) fn end(
    delivery: &LeasedDelivery,
    status: DeliveryStatus,
    reason: &'static str,
) -> Outcome {
    Outcome {
        state: Next::Close(Close {
            id: delivery.id,
            lease_no: delivery.lease_no,
            attempts: delivery.attempts,
            status,
            reason: Some(reason),
            http_status: None,
            duration: None,
            error: None,
        }),
        attempt: None,
    }
}

/// The delivery's next state after an attempt.
fn next(delivery: &LeasedDelivery, number: u16, answer: &Answer, verdict: Verdict) -> Next {
    let close = |status, reason| {
        Next::Close(Close {
            id: delivery.id,
            lease_no: delivery.lease_no,
            attempts: number,
            status,
            reason,
            http_status: answer.status,
            duration: Some(answer.duration),
            error: answer.error,
        })
    };
    match verdict {
        Verdict::Delivered => close(DeliveryStatus::Delivered, None),
        Verdict::Exhausted => close(DeliveryStatus::Exhausted, Some("schedule_spent")),
        Verdict::Rejected { reason } => close(DeliveryStatus::Rejected, Some(reason)),
        Verdict::Retry { after } => Next::Reschedule(Reschedule {
            id: delivery.id,
            endpoint: delivery.endpoint,
            lease_no: delivery.lease_no,
            attempts: number,
            after,
            http_status: answer.status,
            duration: answer.duration,
            error: answer.error,
        }),
    }
}

fn header_lines(answer: &Answer) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in &answer.headers {
        for part in [name.as_bytes(), b": ", value, b"\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}
