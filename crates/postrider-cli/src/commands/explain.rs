//! `postrider explain`: for an event, every endpoint of its tenant, matched or not, and the exact reason.

use postrider_store::admin::explain::{self, Reason, Verdict};
use serde_json::{Value, json};

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::lookup;
use crate::output::{pairs, safe, table, time};

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event: its id or the beginning of it
    #[arg(value_name = "EVENT")]
    event: String,
    /// Whose event it is
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let key = lookup::event(&database.db, &args.event, args.tenant.as_deref()).await?;
    let explained = explain::event(&database.db, &key).await?;
    let event = explained.event.as_ref();
    let data: Vec<Value> = explained.verdicts.iter().map(document).collect();
    let answer = json!({
        "event": key.id, "tenant": key.tenant, "created_at": key.created_at,
        "event_type": event.map(|event| &event.event_type), "state": event.map(|event| &event.state), "data": data,
    });
    context.out.data(&answer, || {
        let gone = || "gone by retention".to_owned();
        let head = pairs([
            ("event", key.id.clone()),
            ("tenant", key.tenant.clone()),
            ("type", event.map_or_else(gone, |event| event.event_type.clone())),
            ("state", event.map_or_else(gone, |event| event.state.clone())),
            ("published", time(key.created_at)),
        ]);
        let rows = explained.verdicts.iter().map(|verdict| {
            [
                verdict.endpoint.to_string(),
                word(verdict.reason).to_owned(),
                safe(&verdict.detail, 300),
                verdict
                    .deliveries
                    .iter()
                    .map(|(id, status)| format!("{id} {status}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            ]
        });
        let rows = table(["ENDPOINT", "REASON", "WHY", "DELIVERIES"], rows);
        if rows.is_empty() { head } else { format!("{head}\n\n{rows}") }
    });
    if explained.verdicts.is_empty() {
        context.out.note(&format!("tenant {} has no endpoints", key.tenant));
    }
    Ok(Exit::Done)
}

/// The word for a reason, as in JSON.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Matched => "matched",
        Reason::Pending => "pending",
        Reason::Failed => "failed",
        Reason::Type => "type",
        Reason::Filter => "filter",
        Reason::BrokenFilter => "broken_filter",
        Reason::Disabled => "disabled",
        Reason::CreatedLater => "created_later",
        Reason::ChangedSince => "changed_since",
        Reason::Read => "read",
        Reason::OwnTrouble => "own_trouble",
    }
}

fn document(verdict: &Verdict) -> Value {
    let delivery = |(id, status): &(_, String)| json!({ "id": id, "status": status });
    json!({
        "endpoint": verdict.endpoint, "url": verdict.url, "reason": verdict.reason, "detail": verdict.detail,
        "deliveries": verdict.deliveries.iter().map(delivery).collect::<Vec<_>>(),
        "clauses": verdict.explanation.as_ref().map(|explanation| &explanation.clauses),
    })
}
