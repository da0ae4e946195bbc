//! Two and four workers on one database: the same as with one, no event fanned out twice, and a worker that stood still for
//! longer than a lease overwrites nothing.

mod stopped;

use serde_json::json;

use super::campaign::{self, Outcome, Plan};
use super::crash::{put_recovery, put_verdict};
use crate::kit::{Ground, Lines};

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    for (name, workers) in [("fleet.2-workers", 2), ("fleet.4-workers", 4)] {
        let plan = Plan {
            name,
            workers,
            events: ground.size(20_000, 1_500),
            kills: ground.size(20, 3),
            crowded: ground.size(8, 1),
            server_kills: ground.size(2, 1),
            terminations: ground.size(3, 1),
            seed: 0xf1_ee7 + workers as u64,
        };
        let outcome = campaign::run(ground, &plan).await?;
        put_verdict(lines, &plan, &outcome);
        put_recovery(lines, &plan, &outcome);
        put_fan_out(lines, &plan, &outcome);
    }
    stopped::prove(ground, lines).await
}

/// Whether a delivery's row was ever inserted a second time, a conflict that was skipped included.
fn put_fan_out(lines: &mut Lines, plan: &Plan, outcome: &Outcome) {
    let deliveries = outcome.state.deliveries.len();
    lines.put(
        outcome.inserted_twice == 0 && deliveries > 0,
        &format!("{}.fan-out", plan.name),
        format!("of {deliveries} deliveries {} were inserted twice", outcome.inserted_twice),
        "none: no event is fanned out twice",
        json!({ "deliveries": deliveries, "inserted_twice": outcome.inserted_twice }),
    );
}
