//! Series exist, counting shows, labels stay bounded.

use super::*;

#[test]
fn every_series_exists_from_the_start() {
    let text = Metrics::new().encode();
    assert!(text.contains("postrider_events_claimed_total 0\n"), "{text}");
    assert!(text.contains("postrider_attempts_total{outcome=\"retry\"} 0\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 200, "{series} series: what scrapes us pays for each");
}

#[test]
fn counting_shows_in_every_clone() {
    let metrics = Metrics::new();
    let other = metrics.clone();
    other.events_claimed.inc_by(3);
    other.attempt("retry", Some("connect"), Duration::from_millis(3));
    other.set_wakeup_mode("poll");
    let text = metrics.encode();
    for line in [
        "postrider_events_claimed_total 3",
        "postrider_attempts_total{outcome=\"retry\"} 1",
        "postrider_attempt_errors_total{class=\"connect\"} 1",
        "postrider_attempt_duration_seconds_count 1",
        "postrider_wakeup_mode{mode=\"poll\"} 1",
        "postrider_wakeup_mode{mode=\"listen\"} 0",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
}

#[test]
fn an_unknown_label_makes_no_new_series() {
    let metrics = Metrics::new();
    let before = metrics.encode().lines().count();
    metrics.attempt("delivered", Some("a message with an id"), Duration::ZERO);
    metrics.db_error("nowhere");
    assert_eq!(metrics.encode().lines().count(), before);
}
