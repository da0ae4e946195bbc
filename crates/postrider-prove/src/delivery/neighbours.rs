//! Bad neighbours: of a thousand endpoints a hundred hang, a hundred fail and fifty refuse connections, from one moment to the
//! next, under a constant load of half of what the installation can do. The same load on the same endpoints, all of them well,
//! is what the healthy ones are compared with, in alternated rounds; and once more with a backlog behind the bad ones.

mod field;

use serde_json::json;

use self::field::{Field, Measured, Size};
use crate::kit::{Ground, Lines, note};

/// How much slower the slowest hundredth may be.
const SLOWER: f64 = 1.5;
/// Of the throughput without bad neighbours.
const THROUGHPUT: f64 = 0.85;
/// Of the throughput without a backlog behind them.
const WITH_BACKLOG: f64 = 0.95;

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
            without = Some(field.run(rate, Variant::Well).await?);
        }
        let with = field.run(rate, Variant::Ill).await?;
        let backlog = field.run(rate, Variant::Backlog).await?;
        let without = match without {
            Some(without) => without,
            None => field.run(rate, Variant::Well).await?,
        };
        measured.push(Round { without, with, backlog });
    }
    put(lines, &measured, most, size);
    field.end().await
}

/// What the bad ones are like in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Well,
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
    let ill = rounds.iter().all(|r| r.with.tally.hung > 0 && r.with.tally.failed > 0);
    let sound = samples >= size.least_samples && lost == 0 && ill;
    let of = |pick: fn(&Round) -> &Measured| {
        let p99: Vec<String> = rounds.iter().map(|r| format!("{:.1}", pick(r).p99_ms)).collect();
        p99.join(", ")
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
             throughput {throughput:.3} of it; {:.0} events/s offered, ≥ {samples} samples a run, {lost} lost",
            of(|r| &r.with),
            of(|r| &r.without),
            most / 2.0,
        ),
        format!("p99 ≤ {SLOWER} ×, throughput ≥ {THROUGHPUT}, median of {} alternated pairs", rounds.len()),
        json!({ "maximum": most, "offered": most / 2.0, "endpoints": size.endpoints, "p99_ratio": slower,
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
