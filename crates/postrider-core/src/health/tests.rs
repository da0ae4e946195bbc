//! An endpoint's life, played through by its reports.

use super::*;

const POLICY: HealthPolicy = HealthPolicy {
    open_after: 10,
    probe_after: Duration::from_secs(30),
    probe_at_most: Duration::from_secs(900),
    disable_after: Duration::from_secs(5 * 86_400),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn failed(failures: u32) -> Report {
    Report { failures, ..Report::default() }
}

fn probe(failures: u32) -> Report {
    Report { failures, succeeded: failures == 0, probe: true, ..Report::default() }
}

fn success() -> Report {
    Report { succeeded: true, ..Report::default() }
}

/// An endpoint whose circuit opened at 0.
fn open() -> Health {
    after(&Health::default(), &failed(10), at(0), &POLICY).0
}

fn half_open(health: Health) -> Health {
    Health { circuit: Circuit::HalfOpen, ..health }
}

#[test]
fn ten_failures_in_a_row_open_the_circuit_and_nine_do_not() {
    let (nine, none) = after(&Health::default(), &failed(9), at(0), &POLICY);
    assert_eq!((nine.circuit, none.as_slice()), (Circuit::Closed, [].as_slice()));
    let (ten, opened) = after(&nine, &failed(1), at(5), &POLICY);
    assert_eq!((ten.circuit, opened.as_slice()), (Circuit::Open, [Transition::Opened].as_slice()));
    assert_eq!((ten.opened_at, ten.waits_until()), (Some(at(5)), Some(at(35))));
    assert_eq!(ten.first_failure_at, Some(at(0)));
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let nine = after(&Health::default(), &failed(9), at(0), &POLICY).0;
    let report = failed(5).then(success()).then(failed(9));
    let (health, transitions) = after(&nine, &report, at(1), &POLICY);
    assert_eq!((health.circuit, health.consecutive_failures), (Circuit::Closed, 9));
    assert_eq!(health.first_failure_at, Some(at(1)));
    assert!(transitions.is_empty(), "{transitions:?}");
}

#[test]
fn failures_of_an_open_circuit_open_nothing_again() {
    let (health, transitions) = after(&open(), &failed(3), at(9), &POLICY);
    assert_eq!((health.circuit, health.next_probe_at), (Circuit::Open, Some(at(30))));
    assert!(transitions.is_empty(), "{transitions:?}");
}

#[test]
fn probes_come_after_30_s_doubling_to_15_min() {
    let (mut health, mut now, mut waits) = (open(), 30, Vec::new());
    for _ in 0..7 {
        health = after(&half_open(health), &probe(1), at(now), &POLICY).0;
        assert_eq!(health.circuit, Circuit::Open);
        let next = health.next_probe_at.unwrap().as_second() - at(0).as_second();
        waits.push(next - now);
        now = next;
    }
    assert_eq!(waits, [60, 120, 240, 480, 900, 900, 900]);
}

#[test]
fn a_probe_that_succeeds_closes_the_circuit_with_a_clean_record() {
    let (health, transitions) = after(&half_open(open()), &probe(0), at(30), &POLICY);
    assert_eq!(transitions, [Transition::Recovered]);
    assert!(health.is_clean());
    assert_eq!(health.last_success_at, Some(at(30)));
    assert!(
        after(&health, &success(), at(31), &POLICY).1.is_empty(),
        "it recovers once, however often it succeeds"
    );
}

#[test]
fn a_pause_is_no_failure_and_outlives_a_success_that_was_under_way() {
    let pause = Report { pause_until: Some(at(60)), ..Report::default() };
    let (health, _) = after(&Health::default(), &pause, at(0), &POLICY);
    assert_eq!((health.consecutive_failures, health.waits_until()), (0, Some(at(60))));
    let (health, _) = after(&health, &success(), at(1), &POLICY);
    assert_eq!(health.waits_until(), Some(at(60)));
    let (health, _) = after(&health, &success(), at(61), &POLICY);
    assert!(health.is_clean());
}

#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    let long = Report { pause_until: Some(at(60)), ..Report::default() };
    let short = Report { pause_until: Some(at(10)), ..Report::default() };
    let (health, _) = after(&Health::default(), &long.then(short), at(0), &POLICY);
    assert_eq!(health.waits_until(), Some(at(60)));
}

#[test]
fn a_probe_that_is_answered_with_a_pause_is_no_failed_probe() {
    let pause = Report { pause_until: Some(at(600)), probe: true, ..Report::default() };
    let (health, _) = after(&half_open(open()), &pause, at(30), &POLICY);
    assert_eq!((health.circuit, health.failed_probes), (Circuit::Open, 0));
    assert_eq!(health.waits_until(), Some(at(600)));
}

#[test]
fn five_days_without_a_success_disable_and_a_warning_comes_a_fifth_of_them_before() {
    let day = 86_400;
    let after_days = |days: f64| at((days * f64::from(day)) as i64);
    let probed = |health: &Health, days: f64| {
        after(&half_open(health.clone()), &probe(1), after_days(days), &POLICY)
    };
    assert!(probed(&open(), 3.9).1.is_empty());
    // Whoever is asked late, having had no worker for days, is warned first too.
    for (days, disabled) in [(4.0, 5.0), (6.0, 7.0), (30.0, 31.0)] {
        let (warned, transitions) = probed(&open(), days);
        let disabled_at = after_days(disabled);
        assert_eq!(transitions, [Transition::Warned { disabled_at }], "after {days} days");
        assert!(probed(&warned, days).1.is_empty(), "what was under way comes in a moment later");
        assert!(probed(&warned, disabled - 0.01).1.is_empty(), "after {days} days");
        assert_eq!(probed(&warned, disabled).1, [Transition::Disabled], "after {days} days");
        let never = HealthPolicy { disable_after: Duration::ZERO, ..POLICY };
        assert!(after(&half_open(warned), &probe(1), after_days(40.0), &never).1.is_empty());
    }
}

#[test]
fn an_endpoint_that_failed_once_and_then_had_no_traffic_has_five_days_from_when_it_fails_again() {
    let once = after(&Health::default(), &failed(1), at(0), &POLICY).0;
    let (idle, transitions) = after(&once, &failed(1), at(30 * 86_400), &POLICY);
    assert_eq!(idle.circuit, Circuit::Closed);
    assert!(transitions.is_empty(), "{transitions:?}");
    let (health, transitions) = after(&idle, &failed(8), at(30 * 86_400 + 1), &POLICY);
    assert_eq!(transitions, [Transition::Opened], "not warned of seconds");
    let (health, transitions) = after(&health, &failed(1), at(30 * 86_400 + 2), &POLICY);
    assert!(transitions.is_empty(), "nor disabled by what was under way: {transitions:?}");
    assert_eq!(health.warned_at, None);
}

#[test]
fn a_failure_of_ours_says_nothing_about_the_endpoint() {
    for (class, expected) in [
        (ErrorClass::Internal, Finding::Nothing),
        (ErrorClass::Proxy, Finding::Unasked(PROXY_WAIT)),
        (ErrorClass::BlockedAddress, Finding::Nothing),
        (ErrorClass::InvalidUrl, Finding::Nothing),
        (ErrorClass::Connect, Finding::Failed),
        (ErrorClass::Timeout, Finding::Failed),
    ] {
        let answer = Answer::failed(class, Duration::ZERO);
        assert_eq!(finding(&answer, at(0), Duration::MAX), expected, "{class}");
    }
}

#[test]
fn one_failure_of_a_token_server_is_one_failure_however_many_wanted_its_token() {
    let failed = |detail| Answer {
        detail: Some(detail),
        ..Answer::failed(ErrorClass::Auth, Duration::ZERO)
    };
    assert_eq!(finding(&failed("oauth_token"), at(0), Duration::MAX), Finding::Failed);
    let paused = finding(&failed(TOKEN_PAUSED), at(0), Duration::MAX);
    assert_eq!(paused, Finding::Paused(TOKEN_PAUSE));
    assert!(!paused.counts());
}

#[test]
fn what_its_receiver_asks_to_wait_for_counts_as_no_attempt_however_often_that_is() {
    let wait = Duration::from_secs(7);
    let spent = [Verdict::Retry { after: Duration::from_secs(3600) }, Verdict::Exhausted];
    for finding in [Finding::Paused(wait), Finding::Unasked(wait)] {
        assert!(!finding.counts());
        for verdict in spent {
            assert_eq!(finding.verdict(verdict), Verdict::Retry { after: wait });
        }
        let rejected = Verdict::Rejected { reason: "aborted_by_receiver" };
        assert_eq!(
            finding.verdict(rejected),
            rejected,
            "it may ask for a wait and for this event's end"
        );
    }
    for finding in [Finding::Failed, Finding::Nothing, Finding::Well] {
        assert!(finding.counts());
        assert_eq!(spent.map(|verdict| finding.verdict(verdict)), spent);
    }
}
