//! `postrider events show`.

use postrider_store::admin::deliveries::{self, Delivery};
use postrider_store::admin::{events, status};
use serde_json::{Value, json};

use crate::commands::Ended;
use crate::commands::deliveries::document as delivery_document;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::lookup;
use crate::output::{ago, pairs, safe, table, time};

/// How many deliveries of an event are shown.
const MOST_DELIVERIES: i64 = 1_000;

/// Options of `events show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The event: its id or the beginning of it
    #[arg(value_name = "EVENT")]
    id: String,
    /// Whose, where several tenants have this id
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

pub(crate) async fn show(context: &Context, database: &Database, args: &Show) -> Ended {
    let key = lookup::event(&database.db, &args.id, args.tenant.as_deref()).await?;
    let Some(event) = events::show(&database.db, &key).await? else {
        return Err(Failure::new(
            Exit::Missing,
            format!("event {} is known, its content is gone", key.id),
        )
        .why("retention removed it (retention.events)"));
    };
    let owed = deliveries::of_event(&database.db, &key, MOST_DELIVERIES).await?;
    let now = status::clock(&database.db).await?;
    // The envelope as a text: receivers get these bytes, and no parser in between may change them.
    let document = json!({
        "id": key.id, "tenant": key.tenant, "type": event.event_type, "state": event.state, "problem": event.problem,
        "created_at": key.created_at, "expires_at": event.expires_at, "attributes": event.attributes, "labels": event.labels,
        "ordering_key": event.ordering_key, "traceparent": event.traceparent, "envelope": event.envelope,
        "deliveries": owed.iter().map(delivery_document).collect::<Vec<_>>(),
    });
    context.out.data(&document, || {
        let none = || "none".to_owned();
        let head = pairs([
            ("id", key.id.clone()),
            ("tenant", key.tenant.clone()),
            ("type", event.event_type.clone()),
            ("published", format!("{} ({})", time(key.created_at), ago(key.created_at, now))),
            ("state", state(&event.state, event.problem.as_deref(), owed.len())),
            ("attributes", event.attributes.as_ref().map_or_else(none, Value::to_string)),
            (
                "labels",
                event.labels.as_ref().map_or_else(none, |labels| safe(&labels.join(", "), 500)),
            ),
            ("ordering key", event.ordering_key.clone().map_or_else(none, |key| safe(&key, 256))),
            ("expires", event.expires_at.map_or_else(none, time)),
            ("envelope", safe(&event.envelope, 100_000)),
        ]);
        format!("{head}\n{}", delivery_table(&owed))
    });
    Ok(Exit::Done)
}

fn delivery_table(owed: &[Delivery]) -> String {
    let rows = owed.iter().map(|delivery| {
        [
            delivery.id.to_string(),
            delivery.endpoint.to_string(),
            delivery.status.clone(),
            delivery.attempts.to_string(),
            delivery.last_status.map_or_else(
                || delivery.last_error.clone().unwrap_or_default(),
                |status| status.to_string(),
            ),
        ]
    });
    let table = table(["DELIVERY", "ENDPOINT", "STATUS", "ATTEMPTS", "ANSWER"], rows);
    if table.is_empty() { table } else { format!("\n{table}") }
}

fn state(state: &str, problem: Option<&str>, deliveries: usize) -> String {
    match (state, problem, deliveries) {
        ("fanned_out", _, 0) => "fanned out; no endpoint wanted it".to_owned(),
        ("fanned_out", _, n) => format!("fanned out to {n} endpoints"),
        (state, Some(problem), _) => format!("{state}: {}", safe(problem, 500)),
        (state, None, _) => state.to_owned(),
    }
}
