//! `postrider endpoints test`: a real event, signed and delivered like any other, for one endpoint alone.

use std::time::Duration;

use postrider_core::ids::DeliveryId;
use postrider_event::EventId;
use postrider_store::admin::deliveries::{self, Delivery};
use postrider_store::admin::endpoints::{self, Endpoint, TestEvent};
use postrider_store::admin::status;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::pairs;
use crate::{input, lookup};

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Options of `endpoints test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// How long to wait for the outcome
    #[arg(long, value_name = "SPAN", default_value = "20s", value_parser = input::span)]
    timeout: Duration,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    let endpoint = lookup::endpoint(&database.db, &args.id).await?;
    if endpoint.enabled && endpoint.paused_at.is_some() {
        return Err(Failure::new(Exit::Failed, format!("{} is paused", endpoint.id))
            .why("a test event would wait until it goes on")
            .remedy(format!("postrider endpoints resume {}", endpoint.id)));
    }
    let event_id: String = EventId::random().into();
    let delivery = publish(database, &endpoint, &event_id).await?;
    let alive = status::workers(&database.db)
        .await?
        .into_iter()
        .any(|worker| worker.alive && worker.roles.iter().any(|role| role == "delivery"));
    if !alive {
        return Err(Failure::new(
            Exit::TryLater,
            format!("the test event {event_id} waits: no worker delivers now"),
        )
        .why("it is sent when a worker starts within the hour")
        .remedy(format!("postrider run, then: postrider deliveries show {delivery}")));
    }
    match outcome(database, delivery, args.timeout).await? {
        Some(delivery) => report(context, database, &event_id, &delivery).await,
        None => Err(Failure::new(Exit::TryLater, format!("no outcome within {:?}", args.timeout))
            .remedy(format!("postrider deliveries show {delivery}"))),
    }
}

async fn publish(
    database: &Database,
    endpoint: &Endpoint,
    event_id: &str,
) -> Result<DeliveryId, Failure> {
    match endpoints::publish_test(&database.db, &endpoint.tenant, endpoint.id, event_id).await? {
        TestEvent::Owed { delivery } => Ok(delivery),
        TestEvent::SwitchedOff => Err(Failure::new(Exit::Failed, "publishing is switched off")
            .remedy("postrider switch list")),
        TestEvent::NoEndpoint => {
            Err(Failure::new(Exit::Failed, format!("{} is disabled", endpoint.id))
                .remedy(format!("postrider endpoints enable {}", endpoint.id)))
        }
    }
}

/// The delivery after its first attempt, or `None` if that takes too long.
async fn outcome(
    database: &Database,
    id: DeliveryId,
    limit: Duration,
) -> Result<Option<Delivery>, Failure> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        let found = deliveries::find(&database.db, id, id).await?.into_iter().next();
        match found {
            Some(delivery) if delivery.attempts > 0 || delivery.status != "pending" => {
                return Ok(Some(delivery));
            }
            _ => sleep(LOOK_AGAIN).await,
        }
    }
    Ok(None)
}

async fn report(
    context: &Context,
    database: &Database,
    event_id: &str,
    delivery: &Delivery,
) -> Ended {
    let delivered = delivery.status == "delivered";
    let next = (delivery.status == "pending").then_some(delivery.next_attempt_at).flatten();
    let document = json!({
        "delivered": delivered, "event_id": event_id, "delivery": delivery.id, "status": delivery.status, "reason": delivery.reason,
        "http_status": delivery.last_status, "error": delivery.last_error, "duration_ms": delivery.last_duration_ms, "next_attempt_at": next,
    });
    context.out.data(&document, || {
        let answer = match (delivery.last_status, &delivery.last_error) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => format!("none ({error})"),
            (None, None) => "none".to_owned(),
        };
        pairs([
            ("event", event_id.to_owned()),
            ("delivery", delivery.id.to_string()),
            ("outcome", if delivered { "delivered".to_owned() } else { not_delivered(delivery) }),
            ("answer", answer),
            ("took", delivery.last_duration_ms.map_or("-".to_owned(), |ms| format!("{ms} ms"))),
        ])
    });
    if delivered {
        return Ok(Exit::Done);
    }
    let mut hint = format!("postrider deliveries show {}", delivery.id);
    let now = status::clock(&database.db).await?;
    if let Some(next) = next {
        hint.push_str(&format!("   (the next attempt is {})", crate::output::ago(next, now)));
    }
    context.out.note(&format!("More:  {hint}"));
    Ok(Exit::Negative)
}

fn not_delivered(delivery: &Delivery) -> String {
    match &delivery.reason {
        Some(reason) => format!("{} ({reason})", delivery.status),
        None => "failed".to_owned(),
    }
}
