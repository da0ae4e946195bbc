//! Bad neighbours: of a thousand endpoints a hundred hang, a hundred fail and fifty refuse connections, from one moment to the
//! next, under a constant load of half of what the installation can do. The same load while the bad ones are disabled is what the
//! healthy ones are compared with, in alternated rounds; and once more with a backlog behind the bad ones.

mod field;

use serde_json::json;

use self::field::{Field, Measured, Size};
use crate::kit::{CrowdTally, Ground, Lines, note};

/// How much slower the slowest hundredth may be.
const SLOWER: f64 = 1.5;
/// Of the throughput without bad neighbours.
const THROUGHPUT: f64 = 0.85;
/// Of the throughput without a backlog behind them.
const WITH_BACKLOG: f64 = 0.95;
/// Of the load that is meant to be offered, so much is.
const OFFERED: f64 = 0.98;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let size = Size {
        endpoints: ground.size(1_000, 200),
        least_samples: ground.size(20_000, 1_500),
        seconds: ground.size(20.0, 6.0),
        backlog: ground.size(500_000, 10_000),
    };
    let rounds = ground.size(3, 1);
    let mut field = Field::new(ground, size).await?;
    let most = field.calibrate().await?;
    note(format!("neighbours: {most:.0} events a second at most; half of that is offered"));
    let rate = most / 2.0;
    let mut measured = Vec::new();
    for round in 0..rounds {
        let mut without = None;
        if round % 2 == 0 {
            without = Some(field.run(rate, Variant::Without).await?);
        }
        let with = field.run(rate, Variant::Ill).await?;
        let backlog = field.run(rate, Variant::Backlog).await?;
        let without = match without {
            Some(without) => without,
            None => field.run(rate, Variant::Without).await?,
        };
        measured.push(Round { without, with, backlog });
    }
    put(lines, &measured, most, size);
    field.end().await
}

/// What the bad ones are like in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    /// Disabled: nothing is sent to them.
    Without,
    Ill,
    /// Ill, with much waiting for them.
    Backlog,
}

/// The runs that are compared with each other.
struct Round {
    without: Measured,
    with: Measured,
    backlog: Measured,
}

fn put(lines: &mut Lines, rounds: &[Round], most: f64, size: Size) {
    let ratio = |of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let slower = ratio(|round| round.with.p99_ms / round.without.p99_ms);
    let throughput = ratio(|round| round.with.throughput / round.without.throughput);
    let with_backlog = ratio(|round| round.backlog.throughput / round.with.throughput);
    let runs = || rounds.iter().flat_map(|r| [&r.without, &r.with, &r.backlog]);
    let samples = runs().map(|run| run.samples).min().unwrap_or(0);
    let lost: u64 = runs().map(|run| run.lost).sum();
    let hung = rounds.iter().map(|r| r.with.tally.hung.min(r.backlog.tally.hung)).min();
    let offered = runs().map(|run| run.offered).fold(f64::INFINITY, f64::min);
    let sound = samples >= size.least_samples
        && lost == 0
        && offered >= OFFERED * most / 2.0
        && rounds.iter().all(|round| was_ill(round, size.endpoints));
    let of = |pick: fn(&Round) -> &Measured| {
        let p99: Vec<String> = rounds.iter().map(|r| format!("{:.1}", pick(r).p99_ms)).collect();
        p99.join(", ")
    };
    let reached = |of: fn(&CrowdTally) -> u64| {
        rounds
            .iter()
            .flat_map(|r| [&r.with, &r.backlog])
            .map(|run| of(&run.tally))
            .min()
            .unwrap_or(0)
    };
    let figures: Vec<_> = rounds
        .iter()
        .map(|r| json!({ "without": r.without, "with": r.with, "backlog": r.backlog }))
        .collect();
    lines.put(
        sound && slower <= SLOWER && throughput >= THROUGHPUT,
        "neighbours",
        format!(
            "p99 commit → arrival of the healthy {slower:.2} × that without the bad ones ({} ms with, {} ms without), \
             throughput {throughput:.3} of it; ≥ {offered:.0} events/s offered, ≥ {samples} samples a run, {lost} lost; \
             {} hanging and {} failing endpoints reached",
            of(|r| &r.with),
            of(|r| &r.without),
            reached(|tally| tally.hung_endpoints),
            reached(|tally| tally.failed_endpoints),
        ),
        format!(
            "p99 ≤ {SLOWER} ×, throughput ≥ {THROUGHPUT}, median of {} alternated pairs; ≥ {OFFERED} of {:.0} events/s offered, \
             {} hanging and as many failing endpoints reached in each",
            rounds.len(),
            most / 2.0,
            size.endpoints / 10,
        ),
        json!({ "maximum": most, "offered": offered, "meant": most / 2.0, "endpoints": size.endpoints, "p99_ratio": slower,
                "throughput_ratio": throughput, "samples": samples, "lost": lost, "least_hung": hung, "rounds": figures }),
    );
    let waiting = rounds.iter().map(|r| r.backlog.waiting).min().unwrap_or(0);
    lines.put(
        sound && with_backlog >= WITH_BACKLOG && waiting >= size.backlog,
        "neighbours.backlog",
        format!(
            "throughput of the healthy with {waiting} waiting behind the bad ones {with_backlog:.3} of that without, p99 {} ms",
            of(|r| &r.backlog),
        ),
        format!("≥ {WITH_BACKLOG}, ≥ {} waiting", size.backlog),
        json!({ "throughput_ratio": with_backlog, "waiting": waiting }),
    );
}

/// Whether every endpoint that was to hang did, and every one that was to fail, and none of them in the run without them.
fn was_ill(round: &Round, endpoints: u64) -> bool {
    let ill = |run: &Measured| {
        run.tally.hung_endpoints == endpoints / 10 && run.tally.failed_endpoints == endpoints / 10
    };
    let CrowdTally { hung, failed, others, .. } = round.without.tally;
    ill(&round.with) && ill(&round.backlog) && hung + failed + others == 0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { endpoints: 1_000, least_samples: 100, seconds: 1.0, backlog: 10 };

    fn round() -> Round {
        let run = Measured {
            p99_ms: 1.0,
            throughput: 50.0,
            samples: 100,
            offered: 50.0,
            ..Measured::default()
        };
        let tally =
            CrowdTally { hung_endpoints: 100, failed_endpoints: 100, ..CrowdTally::default() };
        let with = Measured { tally, ..run };
        Round { without: run, with, backlog: Measured { waiting: 10, ..with } }
    }

    fn passes(change: impl Fn(&mut Round)) -> bool {
        let mut round = round();
        change(&mut round);
        let mut lines = Lines::new("x", true);
        put(&mut lines, &[round], 100.0, SIZE);
        lines.all_passed()
    }

    #[test]
    fn a_run_in_which_not_all_of_the_bad_were_bad_proves_nothing() {
        assert!(passes(|_| {}));
        assert!(!passes(|round| round.with.tally.hung_endpoints = 99));
        assert!(!passes(|round| round.backlog.tally.failed_endpoints = 99));
        assert!(
            !passes(|round| round.without.tally.others = 1),
            "the bad are not sent to without them"
        );
        assert!(!passes(|round| round.with.offered = 48.9));
        assert!(!passes(|round| round.with.p99_ms = 1.6));
    }
}
