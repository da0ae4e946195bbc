//! What an answer to a batch means: for the request, for each of its members, for the endpoint. Pure.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::answer::{Answer, BODY_LIMIT};
use postrider_core::batch::{Said, Verdicts, read_outcomes};
use postrider_core::health::{Finding, finding};
use postrider_core::retry::{Schedule, Verdict, decide, disables_endpoint};
use postrider_core::status::{DeliveryStatus, ErrorClass};
use postrider_destinations::Capture;
use postrider_store::batches::{BatchRecords, MemberAttempt, Request};
use postrider_store::deliveries::{BatchMember, Close, LeasedBatch, LeasedDelivery, Reschedule};

use crate::attempt::{disable_reason, header_lines};

/// What an attempt is judged by, besides its answer.
pub(super) struct Terms<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) capture: Capture,
    pub(super) started_at: Timestamp,
    /// When the answer had come.
    pub(super) now: Timestamp,
    /// The longest wait that `Retry-After` can cause.
    pub(super) ceiling: Duration,
}

/// What was decided.
pub(super) struct Judged {
    pub(super) records: BatchRecords,
    /// Of the request. Delivered also where some of its members are not.
    pub(super) verdict: Verdict,
    /// How many members the receiver did not accept.
    pub(super) refused: usize,
    pub(super) error: Option<ErrorClass>,
    pub(super) finding: Finding,
    /// The receiver asked for no further event at all.
    pub(super) disable: Option<&'static str>,
}

/// Judges the answer to a batch.
pub(super) fn judge(
    delivery: &LeasedDelivery,
    batch: &LeasedBatch,
    mut answer: Answer,
    terms: &Terms<'_>,
) -> Judged {
    let ids: Vec<&str> = batch.members.iter().map(|member| member.event_id.as_str()).collect();
    let said = read_outcomes(&answer, &ids);
    if said == Verdicts::Unreadable {
        answer.error = Some(ErrorClass::InvalidResponse);
    }
    let number = delivery.attempts.saturating_add(1);
    let finding = finding(&answer, terms.now, terms.ceiling);
    let verdict = decide(terms.schedule, number, delivery.id, &answer, terms.now, terms.ceiling);
    let verdict = finding.verdict(verdict);
    let outcomes: Vec<Outcome> = match said {
        Verdicts::Each(said) => {
            batch.members.iter().zip(said).map(|(m, said)| one(m, said, &answer, terms)).collect()
        }
        Verdicts::Whole | Verdicts::Unreadable => vec![whole(&answer, verdict); ids.len()],
    };
    let again = outcomes.iter().all(|outcome| !outcome.split && outcome.is_retried());
    let refused = outcomes.iter().filter(|o| o.verdict != Verdict::Delivered).count();
    let (error, disable) =
        (answer.error, disables_endpoint(&answer).then(|| disable_reason(&answer)));
    let mut records = records(delivery, batch, answer, &outcomes, again, terms);
    if matches!(finding, Finding::Unasked(_)) {
        // Our own proxy kept it from its endpoint: there was no request.
        records.request.members.clear();
    }
    if !finding.counts() {
        for reschedule in &mut records.reschedules {
            reschedule.attempts = reschedule.attempts.saturating_sub(1);
        }
    }
    Judged { records, verdict, refused, error, finding, disable }
}

/// What became of one member.
#[derive(Clone, Copy)]
struct Outcome {
    verdict: Verdict,
    http_status: Option<u16>,
    error: Option<ErrorClass>,
    /// The receiver spoke of it: it goes by itself from now on.
    split: bool,
}

impl Outcome {
    fn is_retried(&self) -> bool {
        matches!(self.verdict, Verdict::Retry { .. })
    }
}

fn whole(answer: &Answer, verdict: Verdict) -> Outcome {
    Outcome { verdict, http_status: answer.status, error: answer.error, split: false }
}

/// A member of which the receiver spoke. A 410 is about this event and not about the endpoint.
fn one(member: &BatchMember, said: Said, answer: &Answer, terms: &Terms<'_>) -> Outcome {
    let Said::Refused(status) = said else {
        return Outcome { split: true, ..whole(answer, Verdict::Delivered) };
    };
    let error = match status {
        Some(_) => ErrorClass::HttpStatus,
        None => ErrorClass::InvalidResponse,
    };
    let theirs = Answer {
        status,
        headers: answer.headers.clone(),
        ..Answer::failed(error, answer.duration)
    };
    let number = member.attempts.saturating_add(1);
    let verdict = decide(terms.schedule, number, member.id, &theirs, terms.now, terms.ceiling);
    Outcome { verdict, http_status: status, error: Some(error), split: true }
}

fn records(
    delivery: &LeasedDelivery,
    batch: &LeasedBatch,
    answer: Answer,
    outcomes: &[Outcome],
    again: bool,
    terms: &Terms<'_>,
) -> BatchRecords {
    let mut records = BatchRecords {
        batch: batch.id,
        endpoint: delivery.endpoint,
        closes: Vec::new(),
        reschedules: Vec::new(),
        again,
        request: Request {
            started_at: terms.started_at,
            duration: answer.duration,
            peer: answer.peer,
            detail: answer.detail,
            headers: header_lines(&answer),
            body: answer.body.get(..BODY_LIMIT).unwrap_or(&answer.body).to_vec(),
            members: Vec::new(),
        },
    };
    for (member, outcome) in batch.members.iter().zip(outcomes) {
        let attempt = member.attempts.saturating_add(1);
        if outcome.verdict != Verdict::Delivered || terms.capture == Capture::Everything {
            records.request.members.push(MemberAttempt {
                delivery: member.id,
                attempt,
                http_status: outcome.http_status,
                outcome: outcome.verdict.outcome(),
                error: outcome.error,
            });
        }
        let close = |status, reason| Close {
            id: member.id,
            next_of: None,
            lease_no: member.lease_no,
            attempts: attempt,
            status,
            reason,
            http_status: outcome.http_status,
            duration: Some(answer.duration),
            error: outcome.error,
        };
        match outcome.verdict {
            Verdict::Delivered => records.closes.push(close(DeliveryStatus::Delivered, None)),
            Verdict::Exhausted => {
                records.closes.push(close(DeliveryStatus::Exhausted, Some("schedule_spent")));
            }
            Verdict::Rejected { reason } => {
                records.closes.push(close(DeliveryStatus::Rejected, Some(reason)));
            }
            Verdict::Retry { after } => records.reschedules.push(Reschedule {
                id: member.id,
                endpoint: delivery.endpoint,
                lease_no: member.lease_no,
                attempts: attempt,
                after,
                http_status: outcome.http_status,
                duration: answer.duration,
                error: outcome.error,
            }),
        }
    }
    records.closes.sort_unstable_by_key(|close| close.id.0);
    records.reschedules.sort_unstable_by_key(|reschedule| reschedule.id.0);
    records
}

#[cfg(test)]
mod tests;
