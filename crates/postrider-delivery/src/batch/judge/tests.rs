use std::time::Instant;

use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use uuid::Uuid;

use super::*;

const ENDPOINT: EndpointId = EndpointId(Uuid::from_u128(7));

fn ended(attempts: u16, answer: Answer) -> Judged {
    judged(attempts, answer, Capture::Failures)
}

fn judged(attempts: u16, answer: Answer, capture: Capture) -> Judged {
    let member = |n: u128| BatchMember {
        id: DeliveryId(Uuid::from_u128(n)),
        lease_no: 1,
        attempts,
        event_id: format!("evt_{n}"),
    };
    let batch = LeasedBatch {
        id: BatchId(Uuid::from_u128(99)),
        members: vec![member(1), member(2), member(3)],
        content_type: "application/json",
        expires_at: None,
    };
    let delivery = LeasedDelivery {
        id: batch.members[0].id,
        endpoint: ENDPOINT,
        lease_no: 1,
        attempts,
        ordered: false,
        replay: false,
        event: None,
        leased_at: Instant::now(),
        batch: None,
    };
    let terms = Terms {
        schedule: &Schedule::new(vec![Duration::from_secs(10)]).unwrap(),
        capture,
        started_at: Timestamp::UNIX_EPOCH,
        now: Timestamp::UNIX_EPOCH,
        ceiling: Duration::from_secs(3600),
    };
    judge(&delivery, &batch, answer, &terms)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status: Some(status),
        error: (!(200..300).contains(&status)).then_some(ErrorClass::HttpStatus),
        body: body.as_bytes().to_vec(),
        ..Answer::failed(ErrorClass::Internal, Duration::from_millis(5))
    }
}

fn closed(judged: &Judged) -> Vec<(u128, &'static str)> {
    let close = |close: &Close| (close.id.0.as_u128(), close.status.as_str());
    judged.records.closes.iter().map(close).collect()
}

fn again(judged: &Judged) -> Vec<u128> {
    judged.records.reschedules.iter().map(|r| r.id.0.as_u128()).collect()
}

fn kept(judged: &Judged) -> Vec<(u128, Option<u16>, &'static str)> {
    let attempt = |m: &MemberAttempt| (m.delivery.0.as_u128(), m.http_status, m.outcome);
    judged.records.request.members.iter().map(attempt).collect()
}

#[test]
fn a_2xx_delivers_all_and_the_batch_is_over() {
    let judged = ended(0, answer(204, ""));
    assert_eq!(closed(&judged), [(1, "delivered"), (2, "delivered"), (3, "delivered")]);
    assert!(kept(&judged).is_empty() && !judged.records.again);
    assert_eq!((judged.refused, judged.finding), (0, Finding::Well));
}

#[test]
fn what_our_own_proxy_kept_from_its_endpoint_waits_as_it_is_and_counts_as_no_attempt() {
    let failed = Answer::failed(ErrorClass::Proxy, Duration::from_millis(5));
    // The schedule has one wait: a second attempt that counted would be the last.
    let judged = judged(1, failed, Capture::Everything);
    assert_eq!((closed(&judged), again(&judged)), (vec![], vec![1, 2, 3]));
    assert!(kept(&judged).is_empty() && judged.records.again);
    assert!(judged.records.reschedules.iter().all(|r| r.attempts == 1));
    assert!(matches!(judged.finding, Finding::Unasked(_)));
}

#[test]
fn answers_are_kept_where_the_endpoint_asks_for_it() {
    let judged = judged(0, answer(200, &"x".repeat(9000)), Capture::Everything);
    assert_eq!(kept(&judged).len(), 3);
    assert_eq!(judged.records.request.body.len(), BODY_LIMIT);
}

#[test]
fn a_failure_is_one_of_all_and_the_batch_stays() {
    let judged = ended(0, answer(503, ""));
    assert_eq!(again(&judged), [1, 2, 3]);
    assert!(judged.records.again);
    assert_eq!(judged.finding, Finding::Failed);
    let waits: Vec<Duration> = judged.records.reschedules.iter().map(|r| r.after).collect();
    assert!(waits.iter().all(|wait| *wait == waits[0]), "they stay in step: {waits:?}");
    assert_eq!(kept(&judged)[2], (3, Some(503), "retry"));
}

#[test]
fn a_schedule_that_is_spent_ends_all() {
    let judged = ended(1, answer(500, ""));
    assert_eq!(closed(&judged), [(1, "exhausted"), (2, "exhausted"), (3, "exhausted")]);
    assert!(!judged.records.again);
}

#[test]
fn a_410_rejects_all_and_disables_the_endpoint() {
    let judged = ended(0, answer(410, ""));
    assert_eq!(closed(&judged), [(1, "rejected"), (2, "rejected"), (3, "rejected")]);
    assert_eq!(judged.disable, Some("gone (410)"));
}

#[test]
fn what_was_refused_by_itself_goes_by_itself() {
    let body = r#"{"results":[{"id":"evt_1","status":200},{"id":"evt_2","status":500},{"id":"evt_3","status":410}]}"#;
    let judged = ended(0, answer(207, body));
    assert_eq!(closed(&judged), [(1, "delivered"), (3, "rejected")]);
    assert_eq!(again(&judged), [2]);
    assert!(!judged.records.again, "never again as this batch");
    assert_eq!(kept(&judged), [(2, Some(500), "retry"), (3, Some(410), "rejected")]);
    assert_eq!((judged.refused, judged.disable, judged.finding), (2, None, Finding::Well));
}

#[test]
fn all_refused_one_by_one_is_still_a_split() {
    let judged = ended(0, answer(207, r#"{"results":[]}"#));
    assert_eq!(again(&judged), [1, 2, 3]);
    assert!(!judged.records.again);
    assert_eq!(judged.records.reschedules[0].error, Some(ErrorClass::InvalidResponse));
}

#[test]
fn outcomes_that_cannot_be_read_are_a_failure_of_the_whole() {
    let judged = ended(0, answer(207, "<html>"));
    assert_eq!(again(&judged), [1, 2, 3]);
    assert!(judged.records.again);
    assert_eq!(
        (judged.error, judged.finding),
        (Some(ErrorClass::InvalidResponse), Finding::Failed)
    );
}

#[test]
fn a_receiver_that_asks_to_be_left_alone_pauses_its_endpoint_once() {
    let wait = ("retry-after".to_owned(), b"60".to_vec());
    let judged = ended(0, Answer { headers: vec![wait], ..answer(429, "") });
    assert_eq!(judged.finding, Finding::Paused(Duration::from_secs(60)));
    assert!(judged.records.again);
    assert!(judged.records.reschedules.iter().all(|r| r.after == Duration::from_secs(60)));
}

#[test]
fn a_failure_that_is_not_to_be_repeated_rejects_all() {
    let abort = ("webhook-delivery".to_owned(), b"abort-message".to_vec());
    let judged = ended(0, Answer { headers: vec![abort], ..answer(400, "") });
    assert_eq!(closed(&judged), [(1, "rejected"), (2, "rejected"), (3, "rejected")]);
    assert_eq!((judged.disable, judged.finding), (None, Finding::Failed));
}

#[test]
fn no_answer_at_all_is_a_failure_of_the_whole() {
    let judged = ended(0, Answer::failed(ErrorClass::Timeout, Duration::from_secs(15)));
    assert_eq!(again(&judged), [1, 2, 3]);
    assert_eq!(kept(&judged)[0], (1, None, "retry"));
}
