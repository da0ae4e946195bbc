//! One worker, killed again and again; sessions terminated; the whole server killed twice: nothing is lost, nothing
//! invented, nothing doubled that was not between claim and record. And the checker notices when it is not so.

use serde_json::{Value, json};

use super::campaign::{self, CROWD, Outcome, Plan, planted};
use crate::kit::{Ground, Lines};

/// How soon a dead worker's leases are due again.
const RECOVERY: f64 = 5.0;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let plan = Plan {
        name: "crash",
        workers: 1,
        events: ground.size(20_000, 2_000),
        kills: ground.size(20, 4),
        crowded: ground.size(8, 2),
        server_kills: ground.size(2, 1),
        terminations: ground.size(3, 1),
        seed: 0xc0_ffee,
    };
    let outcome = campaign::run(ground, &plan).await?;
    put_verdict(lines, &plan, &outcome);
    put_kills(lines, &plan, &outcome, ground.size(5, 2));
    put_recovery(lines, &plan, &outcome);
    put_planted(lines, &outcome)
}

/// What the checker says.
pub(super) fn put_verdict(lines: &mut Lines, plan: &Plan, outcome: &Outcome) {
    let Outcome { verdict, published, .. } = outcome;
    let totals = &verdict.totals;
    let found: Value = verdict
        .findings()
        .iter()
        .map(|(name, _, found)| ((*name).to_owned(), json!(found.len())))
        .collect();
    let passed = verdict.is_clean()
        && totals.events == plan.events
        && published.rolled_back > 0
        && outcome.unsigned == 0
        && outcome.unclean_stops == 0;
    let broken = if verdict.is_clean() {
        String::new()
    } else {
        format!("; broken: {}", verdict.broken().join(", "))
    };
    lines.put(
        passed,
        plan.name,
        format!(
            "{} events committed, {} transactions rolled back, {} in doubt; {} kills of a worker, {} of PostgreSQL, {} terminations: \
             {} lost, {} from rolled back, {} across tenants, {} double rows; {} duplicates of {} in flight{broken}",
            totals.events,
            totals.rolled_back,
            totals.in_doubt,
            plan.kills,
            plan.server_kills,
            plan.terminations,
            verdict.lost.len() + verdict.claimed.len(),
            verdict.phantom.len() + verdict.invented.len(),
            verdict.cross_tenant.len(),
            verdict.double_rows.len(),
            totals.duplicates,
            totals.in_flight_at_faults,
        ),
        "nothing found; duplicates only of requests between claim and record",
        json!({
            "totals": totals, "found": found, "vacuous": verdict.vacuous, "workers": plan.workers, "seed": plan.seed,
            "requests_with_a_wrong_signature": outcome.unsigned, "unclean_stops": outcome.unclean_stops,
            "publishers": published, "drained_s": outcome.drained.as_secs_f64(), "took_s": outcome.took.as_secs_f64(),
        }),
    );
}

/// Whether the kills struck where it hurts.
fn put_kills(lines: &mut Lines, plan: &Plan, outcome: &Outcome, wanted: usize) {
    let kills = outcome.struck.iter().filter(|fault| fault.kind == "kill_worker");
    let in_flight: Vec<u64> = kills.map(|fault| fault.in_flight).collect();
    let crowded = in_flight.iter().filter(|open| **open >= CROWD).count();
    let shown: Vec<String> = in_flight.iter().map(u64::to_string).collect();
    lines.put(
        crowded >= wanted && in_flight.len() == plan.kills,
        "crash.in-flight",
        format!("requests in flight at {} kills: {}", in_flight.len(), shown.join(" ")),
        format!("at least {wanted} kills with ≥ {CROWD}"),
        json!({ "in_flight": in_flight, "crowded": crowded }),
    );
}

/// How long a dead worker's leases took to be due again.
pub(super) fn put_recovery(lines: &mut Lines, plan: &Plan, outcome: &Outcome) {
    let held = outcome.struck.iter().filter(|fault| fault.leases() > 0);
    let seconds: Vec<f64> =
        held.filter_map(|fault| fault.recovery).map(|recovery| recovery.as_secs_f64()).collect();
    let slowest = seconds.iter().copied().fold(0.0, f64::max);
    lines.put(
        !seconds.is_empty() && slowest <= RECOVERY,
        &format!("{}.recovery", plan.name),
        format!(
            "after {} kills with leases held they were due again within {slowest:.2} s",
            seconds.len()
        ),
        format!("≤ {RECOVERY} s"),
        json!({ "seconds": seconds }),
    );
}

/// Whether the checker fails when it must.
fn put_planted(lines: &mut Lines, outcome: &Outcome) -> anyhow::Result<()> {
    let planted = planted::plant(&outcome.journals, &outcome.state)?;
    let found = planted.iter().filter(|history| history.found).count();
    let names: Vec<&str> = planted.iter().map(|history| history.name).collect();
    let figures: Value =
        planted.iter().map(|history| (history.name.to_owned(), json!(history.broken))).collect();
    lines.put(
        found == planted.len(),
        "crash.planted",
        format!("the checker found {found} of the planted: {}", names.join(", ")),
        "each",
        figures,
    );
    Ok(())
}
