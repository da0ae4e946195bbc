use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const DELIVERY: DeliveryId = DeliveryId(Uuid::from_u128(0x018b_cfe5_687b_8c3d_9e21_0a5b_77f0_1234));

fn now() -> Timestamp {
    date(2026, 11, 21)
        .at(8, 0, 0, 0)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .expect("a valid date")
        .timestamp()
}

fn status(status: u16) -> Answer {
    let error = if (200..300).contains(&status) { None } else { Some(ErrorClass::HttpStatus) };
    Answer { status: Some(status), error, ..Answer::failed(ErrorClass::HttpStatus, Duration::ZERO) }
}

fn with(mut answer: Answer, name: &str, value: &[u8]) -> Answer {
    answer.headers.push((name.into(), value.to_vec()));
    answer
}

fn judge(attempt: u16, answer: &Answer) -> Verdict {
    decide(&Schedule::default(), attempt, DELIVERY, answer, now(), RETRY_AFTER_CEILING)
}

fn seconds(wait: u64) -> Duration {
    Duration::from_secs(wait)
}

#[test]
fn only_429_and_503_pause_the_endpoint_and_no_longer_than_the_ceiling() {
    for (code, header, expected) in [
        (429, "120", Some(60)),
        (503, "30", Some(30)),
        (500, "30", None),
        (404, "30", None),
        (429, "soon", None),
    ] {
        let mut answer = status(code);
        answer.headers.push(("retry-after".into(), header.into()));
        let pause = pauses_endpoint(&answer, now(), Duration::from_secs(60));
        assert_eq!(pause, expected.map(Duration::from_secs), "{code} {header}");
    }
}

#[test]
fn answers_lead_to_their_outcomes() {
    let failed = |error| Answer::failed(error, Duration::ZERO);
    for (answer, expected) in [
        (status(200), "delivered"),
        (status(204), "delivered"),
        (status(299), "delivered"),
        (status(301), "retry"),
        (status(400), "retry"),
        (status(404), "retry"),
        (status(429), "retry"),
        (status(500), "retry"),
        (status(999), "retry"),
        (status(410), "rejected"),
        (failed(ErrorClass::Dns), "retry"),
        (failed(ErrorClass::Tls), "retry"),
        (failed(ErrorClass::Timeout), "retry"),
        (failed(ErrorClass::Internal), "retry"),
        (failed(ErrorClass::BlockedAddress), "rejected"),
        (failed(ErrorClass::InvalidUrl), "rejected"),
        (with(status(500), "webhook-delivery", b" Abort-Message "), "rejected"),
        (with(status(500), "webhook-delivery", b"disable"), "retry"),
        (with(status(200), "webhook-delivery", b"abort-message"), "delivered"),
    ] {
        assert_eq!(judge(1, &answer).outcome(), expected, "{answer:?}");
    }
}

#[test]
fn a_rejection_says_why() {
    let blocked = Answer::failed(ErrorClass::BlockedAddress, Duration::ZERO);
    assert_eq!(judge(1, &status(410)), Verdict::Rejected { reason: "gone" });
    assert_eq!(judge(1, &blocked), Verdict::Rejected { reason: "blocked_address" });
}

#[test]
fn gone_and_the_header_disable_the_endpoint() {
    assert!(disables_endpoint(&status(410)));
    assert!(disables_endpoint(&with(status(200), "Webhook-Delivery", b"disable")));
    assert!(!disables_endpoint(&with(status(500), "webhook-delivery", b"abort-message")));
    assert!(!disables_endpoint(&status(404)));
}

#[test]
fn the_default_schedule_allows_ten_attempts() {
    let schedule = Schedule::default();
    assert_eq!(schedule.attempts(), 10);
    assert_eq!(schedule.to_texts(), ["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "1d"]);
    assert_eq!(schedule.waits().iter().sum::<Duration>(), seconds(75 * 3600 + 35 * 60 + 5));
    for attempt in 1..10 {
        assert_eq!(judge(attempt, &status(500)).outcome(), "retry", "attempt {attempt}");
    }
    for attempt in [10, 11, u16::MAX] {
        assert_eq!(judge(attempt, &status(500)), Verdict::Exhausted, "attempt {attempt}");
    }
}

#[test]
fn an_attempt_number_of_zero_is_taken_for_the_first() {
    assert_eq!(judge(0, &status(500)), judge(1, &status(500)));
}

#[test]
fn the_first_attempt_is_at_once_whatever_the_schedule() {
    assert_eq!(Schedule::default().delay(0, DELIVERY), Some(Duration::ZERO));
    let never_again = Schedule::new(Vec::new()).unwrap();
    assert_eq!(never_again.delay(0, DELIVERY), Some(Duration::ZERO));
    assert_eq!(never_again.delay(1, DELIVERY), None);
    assert_eq!(
        decide(&never_again, 1, DELIVERY, &status(500), now(), RETRY_AFTER_CEILING),
        Verdict::Exhausted
    );
}

#[test]
fn the_jitter_of_a_delivery_never_changes() {
    // Computed apart from this code by the recipe in the documentation of `delay`.
    let schedule = Schedule::default();
    let waits: Vec<_> =
        (1..4).map(|made| schedule.delay(made, DELIVERY).unwrap().as_nanos()).collect();
    assert_eq!(waits, [4_629_410_000, 280_273_200_000, 1_917_511_200_000]);
}

#[test]
fn the_jitter_spreads_deliveries_over_the_whole_range() {
    let schedule = Schedule::new(vec![seconds(1000)]).unwrap();
    let waits: Vec<_> = (0..2000)
        .map(|n| schedule.delay(1, DeliveryId(Uuid::from_u128(n))).unwrap().as_secs())
        .collect();
    let mean = waits.iter().sum::<u64>() / 2000;
    assert!(waits.iter().all(|wait| (900..=1100).contains(wait)));
    assert!(waits.iter().any(|wait| *wait < 905) && waits.iter().any(|wait| *wait > 1095));
    assert!((995..=1005).contains(&mean), "{mean}");
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    for (value, expected) in [
        (&b"7"[..], Some(7)),
        (b" 120 ", Some(120)),
        (b"86400", Some(86_400)),
        (b"86401", Some(86_400)),
        (b"99999999999999999999999999", Some(86_400)),
        (b"Sat, 21 Nov 2026 08:02:00 GMT", Some(120)),
        (b"Saturday, 21-Nov-26 08:02:00 GMT", Some(120)),
        (b"Sat Nov 21 08:02:00 2026", Some(120)),
        (b"Tue Dec  1 08:00:00 2026", Some(86_400)),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
        (b"Sat, 21 Nov 2026 07:59:59 GMT", None),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", None),
        (b"0", None),
        (b"", None),
        (b"-5", None),
        (b"+5", None),
        (b"1.5", None),
        (b"1e3", None),
        (b"NaN", None),
        (b"inf", None),
        (b"0x10", None),
        (b"soon", None),
        (b"7, 8", None),
        (b"\xff\xfe", None),
        (b"7\0", None),
        (b"Sat, 32 Nov 2026 08:02:00 GMT", None),
        (b"Sat, 21 Nov 2026 08:02:00 +0200", None),
        (b"2026-11-21T08:02:00Z", None),
    ] {
        let answer = with(status(503), "Retry-After", value);
        assert_eq!(
            retry_after(&answer, now(), RETRY_AFTER_CEILING),
            expected.map(seconds),
            "{value:?}"
        );
    }
    assert_eq!(retry_after(&status(503), now(), RETRY_AFTER_CEILING), None);
}

#[test]
fn retry_after_lengthens_a_wait_and_never_shortens_it() {
    let scheduled = Schedule::default().delay(2, DELIVERY).unwrap();
    let after = |value: &[u8]| judge(2, &with(status(429), "retry-after", value));
    assert_eq!(after(b"1"), Verdict::Retry { after: scheduled });
    assert_eq!(after(b"3600"), Verdict::Retry { after: seconds(3600) });
    assert_eq!(judge(10, &with(status(429), "retry-after", b"1")), Verdict::Exhausted);
}

#[test]
fn waits_are_read_from_text() {
    let schedule = Schedule::parse(&["250ms", "5s", "90s", "5m", "2h", "7d"]).unwrap();
    assert_eq!(schedule.to_texts(), ["250ms", "5s", "90s", "5m", "2h", "7d"]);
    assert_eq!(schedule.waits()[4], seconds(7200));
    assert_eq!(Schedule::parse::<&str>(&[]).unwrap().attempts(), 1);
}

#[test]
fn bad_waits_are_refused_by_name() {
    for (text, code) in [
        ("", "schedule.syntax"),
        ("5", "schedule.syntax"),
        ("s", "schedule.syntax"),
        ("5 s", "schedule.syntax"),
        ("5S", "schedule.syntax"),
        ("1.5h", "schedule.syntax"),
        ("-1s", "schedule.syntax"),
        ("1h30m", "schedule.syntax"),
        ("NaNs", "schedule.syntax"),
        ("٣s", "schedule.syntax"),
        ("0s", "schedule.range"),
        ("8d", "schedule.range"),
        ("604801s", "schedule.range"),
        ("99999999999999999999999d", "schedule.range"),
    ] {
        let error = Schedule::parse(&["5s", text]).unwrap_err();
        assert_eq!((error.field.as_str(), error.code), ("retry_schedule[1]", code), "{text:?}");
    }
    let error = Schedule::parse(&vec!["1s"; 31]).unwrap_err();
    assert_eq!((error.field.as_str(), error.code), ("retry_schedule", "schedule.count"));
    assert_eq!(Schedule::parse(&vec!["1s"; 30]).unwrap().attempts(), 31);
}

proptest! {
    #[test]
    fn a_delay_stays_within_a_tenth_of_its_wait(
        waits in prop::collection::vec(1_u64..=604_800_000, 0..=MAX_ENTRIES),
        made: u16,
        id: u128,
    ) {
        let schedule = Schedule::new(waits.iter().copied().map(Duration::from_millis).collect()).unwrap();
        let delivery = DeliveryId(Uuid::from_u128(id));
        let delay = schedule.delay(made, delivery);
        prop_assert_eq!(delay, schedule.delay(made, delivery));
        let wait = usize::from(made).checked_sub(1).map(|index| waits.get(index));
        match wait {
            None => prop_assert_eq!(delay, Some(Duration::ZERO)),
            Some(None) => prop_assert_eq!(delay, None),
            Some(Some(millis)) => {
                let wait = Duration::from_millis(*millis);
                let delay = delay.unwrap();
                prop_assert!(wait * 9 / 10 <= delay && delay <= wait * 11 / 10, "{wait:?} {delay:?}");
            }
        }
    }

    #[test]
    fn no_answer_makes_a_wait_longer_than_the_ceiling_or_the_schedule(
        code in 100_u16..1000,
        value: Vec<u8>,
        attempt: u16,
        second in -377_705_023_201_i64..=253_402_207_200,
    ) {
        let answer = with(status(code), "retry-after", &value);
        let now = Timestamp::from_second(second).unwrap();
        if let Verdict::Retry { after } = decide(&Schedule::default(), attempt, DELIVERY, &answer, now, RETRY_AFTER_CEILING) {
            prop_assert!(after <= MAX_WAIT.max(RETRY_AFTER_CEILING) * 11 / 10);
        }
    }

    #[test]
    fn dates_and_numbers_never_panic(text in "[A-Za-z]{0,9},? ?[0-9-]{0,12}[ A-Za-z0-9:-]{0,24}( GMT)?") {
        let answer = with(status(503), "retry-after", text.as_bytes());
        if let Some(wait) = retry_after(&answer, now(), RETRY_AFTER_CEILING) {
            prop_assert!(wait > Duration::ZERO && wait <= RETRY_AFTER_CEILING);
        }
    }

    #[test]
    fn texts_of_a_schedule_read_back(waits in prop::collection::vec(1_u64..=604_800_000, 0..=MAX_ENTRIES)) {
        let schedule = Schedule::new(waits.into_iter().map(Duration::from_millis).collect()).unwrap();
        prop_assert_eq!(Schedule::parse(&schedule.to_texts()).unwrap(), schedule);
    }
}
