//! One attempt: sign, send, judge. Does not touch the database; what it decides goes to the recorder.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::answer::Answer;
use postrider_core::health::{Finding, finding};
use postrider_core::ordering::OnFailure;
use postrider_core::retry::{Verdict, decide, disables_endpoint};
use postrider_core::status::{DeliveryStatus, ErrorClass};
use postrider_destinations::{Capture, Client, Webhook, webhook_request};
use postrider_runtime::Metrics;
use postrider_store::admin::endpoints::TEST_EVENT;
use postrider_store::clock::DbClock;
use postrider_store::deliveries::{AttemptRecord, Close, EventPayload, LeasedDelivery, Reschedule};
use tracing::{debug, info, warn};

use crate::proxy::ProxyTrouble;
use crate::recorder::{Next, Outcome};
use crate::target::Target;

/// What every attempt needs.
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) clock: DbClock,
    pub(crate) metrics: Metrics,
    /// The longest wait that `Retry-After` can cause.
    pub(crate) retry_after_ceiling: Duration,
    pub(crate) proxy: ProxyTrouble,
}

/// What an attempt led to: for the delivery, and for its endpoint.
pub(crate) struct Attempted {
    pub(crate) outcome: Outcome,
    pub(crate) finding: Finding,
    /// The receiver asked for no further event at all: the reason that is kept with the endpoint.
    pub(crate) disable: Option<&'static str>,
}

impl Sender {
    /// Makes one attempt, or ends the delivery without one if there is nothing to send or nobody to wait for it.
    pub(crate) async fn attempt(&self, delivery: &LeasedDelivery, target: &Target) -> Attempted {
        let started_at = self.clock.now();
        let event = match to_send(delivery, started_at) {
            Ok(event) => event,
            Err((status, reason)) => {
                let outcome = end(delivery, status, reason);
                return Attempted { outcome, finding: Finding::Unmade, disable: None };
            }
        };
        let number = delivery.attempts.saturating_add(1);
        let answer = self.send(event, target, number, started_at.as_second()).await;
        let (now, ceiling) = (self.clock.now(), self.retry_after_ceiling);
        let finding = finding(&answer, now, ceiling);
        if let Finding::Unasked(after) = finding
            && !is_test(delivery)
        {
            self.proxy.note(&self.metrics);
            let outcome = unasked(delivery, &answer, after);
            return Attempted { outcome, finding, disable: None };
        }
        let verdict = decide(&target.schedule, number, delivery.id, &answer, now, ceiling);
        let verdict = match finding {
            Finding::Paused(_) => finding.verdict(verdict),
            _ => verdict,
        };
        Attempted {
            finding,
            disable: disables_endpoint(&answer).then(|| disable_reason(&answer)),
            outcome: match is_skipped(delivery, number, finding, verdict, target.on_failure) {
                true => self.skipped(delivery, answer, started_at),
                false => {
                    let judged = self.judged(delivery, answer, verdict, started_at, target.capture);
                    match finding {
                        Finding::Paused(_) => uncounted(judged, delivery.attempts),
                        _ => judged,
                    }
                }
            },
        }
    }

    /// Ends a delivery whose endpoint cannot be sent to at all, as an attempt that failed for that reason.
    pub(crate) fn refuse(
        &self,
        delivery: &LeasedDelivery,
        class: ErrorClass,
        rule: Option<&'static str>,
    ) -> Outcome {
        let verdict = Verdict::Rejected { reason: class.as_str() };
        self.judged(
            delivery,
            Answer { detail: rule, ..Answer::failed(class, Duration::ZERO) },
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
            detail: answer.detail,
            headers: header_lines(&answer),
            body: answer.body,
        });
        Outcome { state, attempt }
    }

    /// An attempt after which the delivery is given up, so that those behind it have their turn.
    fn skipped(&self, delivery: &LeasedDelivery, answer: Answer, started_at: Timestamp) -> Outcome {
        let verdict = Verdict::Exhausted;
        let judged = self.judged(delivery, answer, verdict, started_at, Capture::Failures);
        let Outcome { state, attempt } = judged;
        let state = match state {
            Next::Close(close) => Next::Close(Close {
                status: DeliveryStatus::Skipped,
                reason: Some("skipped_after_attempts"),
                ..close
            }),
            Next::Reschedule(reschedule) => Next::Reschedule(reschedule),
        };
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
            envelope: event.envelope.clone(),
        };
        match webhook_request(&target.endpoint, &target.signer, webhook) {
            Ok(request) => match &target.tokens {
                Some(tokens) => tokens.send(&self.client, request, target.timeout).await,
                None => self.client.send(request, target.timeout).await,
            },
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

/// What there is to send; or how and why the delivery ends, where that is nothing or nobody waits for it any more.
pub(crate) fn to_send(
    delivery: &LeasedDelivery,
    now: Timestamp,
) -> Result<&EventPayload, (DeliveryStatus, &'static str)> {
    let event = delivery.event.as_deref().ok_or((DeliveryStatus::Exhausted, "body_missing"))?;
    match event.expires_at.is_some_and(|at| at <= now) {
        true => Err((DeliveryStatus::Expired, "expired")),
        false => Ok(event),
    }
}

/// The receiver asked for a wait: the request is kept, and counts as no attempt.
fn uncounted(outcome: Outcome, attempts: u16) -> Outcome {
    let state = match outcome.state {
        Next::Reschedule(reschedule) => Next::Reschedule(Reschedule { attempts, ..reschedule }),
        close @ Next::Close(_) => close,
    };
    Outcome { state, ..outcome }
}

/// Whether somebody tries the endpoint out.
pub(crate) fn is_test(delivery: &LeasedDelivery) -> bool {
    // The envelope's own beginning, as the publish function composes it.
    let begins = |envelope: &[u8]| {
        let rest = envelope.strip_prefix(b"{\"event\":\"");
        rest.and_then(|rest| rest.strip_prefix(TEST_EVENT.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&b'"'))
    };
    delivery.event.as_ref().is_some_and(|event| begins(&event.envelope))
}

pub(crate) fn disable_reason(answer: &Answer) -> &'static str {
    if answer.status == Some(410) { "gone (410)" } else { "asked for by its receiver" }
}

/// Puts a delivery off that our own proxy kept from its endpoint: no attempt was made, so none is counted or kept.
fn unasked(delivery: &LeasedDelivery, answer: &Answer, after: Duration) -> Outcome {
    Outcome {
        state: Next::Reschedule(Reschedule {
            id: delivery.id,
            endpoint: delivery.endpoint,
            lease_no: delivery.lease_no,
            attempts: delivery.attempts,
            after,
            http_status: None,
            duration: answer.duration,
            error: answer.error,
        }),
        attempt: None,
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
            next_of: delivery.ordered.then_some(delivery.endpoint),
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

/// Whether this failure is the last that those behind it in their order wait for.
fn is_skipped(
    delivery: &LeasedDelivery,
    number: u16,
    finding: Finding,
    verdict: Verdict,
    on_failure: OnFailure,
) -> bool {
    let spent = on_failure.skip_after().is_some_and(|most| number >= most);
    // A wait that was asked for, and a fault of ours, skip nothing.
    let failed = finding == Finding::Failed && matches!(verdict, Verdict::Retry { .. });
    delivery.ordered && spent && failed
}

/// The delivery's next state after an attempt.
fn next(delivery: &LeasedDelivery, number: u16, answer: &Answer, verdict: Verdict) -> Next {
    let close = |status, reason| {
        Next::Close(Close {
            id: delivery.id,
            next_of: delivery.ordered.then_some(delivery.endpoint),
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

pub(crate) fn header_lines(answer: &Answer) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in &answer.headers {
        for part in [name.as_bytes(), b": ", value, b"\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}
