//! Endpoints that fail: circuits, pauses, disabling, and what others are told of it.

mod circuit;
mod disabling;
mod replays;
mod telling;

use std::time::Duration;

use postrider_core::health::HealthPolicy;
use postrider_core::ids::EndpointId;

use crate::stage::{Knobs, Stage};

const DELIVERED: &str =
    "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE status = 'delivered'";
const OPENED: &str =
    "SELECT count(*) FROM postrider.webhook_endpoint_health WHERE circuit = 'open'";
const WAITING: &str = "SELECT count(*) FROM postrider.webhook_deliveries_open WHERE lease_owner IS NULL AND attempts = 0";

fn knobs(owner: i64, open_after: u32, probe_after: Duration) -> Knobs {
    let health = HealthPolicy { open_after, probe_after, ..HealthPolicy::default() };
    Knobs { owner, health, ..Knobs::default() }
}

fn told(name: &str) -> String {
    format!("SELECT count(*) FROM postrider.webhook_events WHERE type = '{name}'")
}

async fn record(stage: &Stage, endpoint: EndpointId) -> (String, i32) {
    let sql = "SELECT circuit, consecutive_failures FROM postrider.webhook_endpoint_health WHERE endpoint_id = $1";
    let row = stage.client.query_one(sql, &[&endpoint.0]).await.unwrap();
    (row.get(0), row.get(1))
}
