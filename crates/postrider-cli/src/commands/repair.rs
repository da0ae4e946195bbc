//! What people do about single deliveries and events: `deliveries retry`, `deliveries cancel`, `events redeliver`.

use postrider_core::ids::EndpointId;
use postrider_core::status::DeliveryStatus;
use postrider_store::admin::deliveries::Delivery;
use postrider_store::admin::events::EventKey;
use postrider_store::admin::repair::{self, Redelivered};
use serde_json::{Value, json};

use super::Ended;
use super::deliveries::status_text;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::lookup;
use crate::output::table;

/// Options of `events redeliver`.
#[derive(Debug, clap::Args)]
pub(crate) struct Redeliver {
    /// The event: its id or the beginning of it
    #[arg(value_name = "EVENT")]
    event: String,
    /// Whose event it is
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Only to this endpoint, also if it was not sent there before; none: to all that it was sent to
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
}

pub(super) async fn retry(context: &Context, database: &Database, id: &str) -> Ended {
    let delivery = lookup::delivery(&database.db, id).await?;
    if delivery.status != DeliveryStatus::Pending.as_str() {
        return again(context, database, &delivery).await;
    }
    if repair::retry(&database.db, delivery.id).await? {
        context.out.data(&json!({ "id": delivery.id, "due": true, "changed": true }), || {
            format!("{} is due now", delivery.id)
        });
        return Ok(Exit::Done);
    }
    // Zero rows have a reason; the row as it is now says which.
    let delivery = lookup::delivery(&database.db, &delivery.id.to_string()).await?;
    if delivery.status != DeliveryStatus::Pending.as_str() {
        let why = format!("{} has ended just now ({})", delivery.id, status_text(&delivery));
        return Err(Failure::new(Exit::Failed, why));
    }
    let what = if delivery.leased { "a worker holds it now" } else { "it is due already" };
    context.out.data(&json!({ "id": delivery.id, "due": true, "changed": false }), || {
        format!("{}: {what}", delivery.id)
    });
    Ok(Exit::Done)
}

/// A closed delivery is sent once more, as another delivery of the same event.
async fn again(context: &Context, database: &Database, delivery: &Delivery) -> Ended {
    let Some(event_id) = &delivery.event_id else {
        return Err(Failure::new(
            Exit::Failed,
            format!("{} is closed ({})", delivery.id, status_text(delivery)),
        )
        .why("retention removed its event, so there is nothing to send any more"));
    };
    let event = EventKey {
        seq: delivery.event_seq,
        created_at: delivery.event_created_at,
        tenant: delivery.tenant.clone(),
        id: event_id.clone(),
    };
    told(context, database, &event, &[delivery.endpoint]).await
}

pub(super) async fn cancel(context: &Context, database: &Database, id: &str) -> Ended {
    let delivery = lookup::delivery(&database.db, id).await?;
    if repair::cancel(&database.db, delivery.id).await? {
        context.out.data(&json!({ "id": delivery.id, "status": "cancelled" }), || {
            format!("{} is cancelled", delivery.id)
        });
        return Ok(Exit::Done);
    }
    let delivery = lookup::delivery(&database.db, &delivery.id.to_string()).await?;
    let why = format!("{} was not cancelled: {}", delivery.id, status_text(&delivery));
    let failure = Failure::new(Exit::Failed, why);
    Err(match delivery.leased {
        true => failure.remedy("try again when the attempt is over, or disable its endpoint"),
        false => failure,
    })
}

pub(super) async fn redeliver(context: &Context, database: &Database, args: &Redeliver) -> Ended {
    let event = lookup::event(&database.db, &args.event, args.tenant.as_deref()).await?;
    let endpoints = match &args.endpoint {
        Some(text) => {
            let endpoint = lookup::endpoint(&database.db, text).await?;
            if endpoint.tenant != event.tenant {
                let why = format!("{} is of tenant {}", endpoint.id, endpoint.tenant);
                return Err(Failure::new(Exit::Usage, "the event is another tenant's").why(why));
            }
            vec![endpoint.id]
        }
        None => repair::endpoints_of(&database.db, &event).await?,
    };
    if endpoints.is_empty() {
        let what = format!("{} was sent to no endpoint", event.id);
        return Err(Failure::new(Exit::Failed, what).remedy(format!(
            "\"postrider explain {}\" says why; name one with --endpoint",
            event.id
        )));
    }
    told(context, database, &event, &endpoints).await
}

/// Redelivers, and says what came of each.
async fn told(
    context: &Context,
    database: &Database,
    event: &EventKey,
    endpoints: &[EndpointId],
) -> Ended {
    let done = repair::redeliver(&database.db, event, endpoints).await?;
    let of_each = || endpoints.iter().zip(&done);
    let data: Vec<Value> = of_each().map(|(endpoint, done)| document(*endpoint, *done)).collect();
    context.out.data(&json!({ "event": event.id, "data": data }), || {
        let rows = of_each().map(|(endpoint, done)| {
            let (delivery, what) = words(*done);
            [endpoint.to_string(), delivery, what.to_owned()]
        });
        table(["ENDPOINT", "DELIVERY", "WHAT"], rows)
    });
    match done.iter().all(|done| *done == Redelivered::Refused) {
        true => Err(Failure::new(Exit::Failed, format!("{} was not sent again", event.id))
            .why("the endpoint is disabled or deleted, or retention removed the event")),
        false => Ok(Exit::Done),
    }
}

fn words(done: Redelivered) -> (String, &'static str) {
    match done {
        Redelivered::Owed { delivery, .. } => (delivery.to_string(), "is due now"),
        Redelivered::StillOwed { delivery } => {
            (delivery.to_string(), "is still owed: \"deliveries retry\" makes it due now")
        }
        Redelivered::Refused => ("-".to_owned(), "the endpoint is disabled or deleted"),
    }
}

fn document(endpoint: EndpointId, done: Redelivered) -> Value {
    match done {
        Redelivered::Owed { delivery, replay } => {
            json!({ "endpoint": endpoint, "delivery": delivery, "replay": replay, "redelivered": true })
        }
        Redelivered::StillOwed { delivery } => {
            json!({ "endpoint": endpoint, "delivery": delivery, "redelivered": false, "reason": "still_owed" })
        }
        Redelivered::Refused => {
            json!({ "endpoint": endpoint, "delivery": null, "redelivered": false, "reason": "refused" })
        }
    }
}
