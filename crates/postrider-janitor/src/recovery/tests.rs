//! Who is judged dead, and when, as a matter of what was seen.

use super::*;

fn look(server: i64, dead: &[i64]) -> Look {
    Look {
        server_started_at: Timestamp::from_second(server).expect("a time"),
        suspects: dead
            .iter()
            .map(|incarnation| Suspect {
                incarnation: *incarnation,
                name: format!("worker-{incarnation}"),
                liveness: "lock".to_owned(),
            })
            .collect(),
    }
}

/// Looks made at these milliseconds, and who was judged dead at each.
fn judged(looks: &[(u64, i64, &[i64])]) -> Vec<Vec<i64>> {
    let start = Instant::now();
    let mut watch = Watch::default();
    looks
        .iter()
        .map(|(at, server, dead)| {
            let dead = watch.judge(&look(*server, dead), start + Duration::from_millis(*at));
            dead.iter().map(|suspect| suspect.incarnation).collect()
        })
        .collect()
}

#[test]
fn a_worker_is_dead_after_a_grace_and_not_before() {
    let verdicts =
        judged(&[(0, 1, &[7]), (1000, 1, &[7]), (2000, 1, &[7]), (2999, 1, &[7]), (3000, 1, &[7])]);
    assert_eq!(verdicts, [vec![], vec![], vec![], vec![], vec![7]]);
}

#[test]
fn one_sign_of_life_starts_the_grace_anew() {
    let verdicts = judged(&[
        (0, 1, &[7, 8]),
        (1000, 1, &[7, 8]),
        (2000, 1, &[8]),
        (3000, 1, &[7, 8]),
        (4000, 1, &[7]),
        (6000, 1, &[7]),
    ]);
    assert_eq!(verdicts, [vec![], vec![], vec![], vec![8], vec![], vec![7]]);
}

#[test]
fn after_a_failover_nobody_is_judged_for_one_grace() {
    let verdicts =
        judged(&[(0, 1, &[7]), (2000, 1, &[7]), (3500, 2, &[7]), (5000, 2, &[7]), (6500, 2, &[7])]);
    assert_eq!(verdicts, [vec![], vec![], vec![], vec![], vec![7]]);
}

#[test]
fn who_was_away_judges_nobody_at_once() {
    let verdicts = judged(&[(0, 1, &[7]), (2000, 1, &[7]), (60_000, 1, &[7]), (63_000, 1, &[7])]);
    assert_eq!(verdicts, [vec![], vec![], vec![], vec![7]]);
}

#[test]
fn the_next_look_comes_when_a_grace_ends() {
    let start = Instant::now();
    let mut watch = Watch::default();
    assert_eq!(watch.wait(start), EVERY);
    watch.judge(&look(1, &[7]), start);
    assert_eq!(watch.wait(start), EVERY);
    assert_eq!(watch.wait(start + Duration::from_millis(2600)), Duration::from_millis(400));
    assert_eq!(
        watch.wait(start + Duration::from_secs(4)),
        EVERY / 10,
        "the burial was not ours: ask again soon"
    );
}
