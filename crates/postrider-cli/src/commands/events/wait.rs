//! `postrider events wait`: until an event has come where it should, or cannot come there any more.

use std::time::{Duration, Instant};

use postrider_store::Db;
use postrider_store::admin::deliveries::{self, Delivery};
use postrider_store::admin::events::{self, EventKey};
use serde_json::json;

use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::{input, lookup};

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Deliveries of one event that are looked at.
const MOST_DELIVERIES: i64 = 10_000;

/// Options of `events wait`.
#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    /// The event: its id or the beginning of it
    #[arg(value_name = "EVENT")]
    id: String,
    /// Whose, where several tenants have this id
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// What to wait for
    #[arg(long = "for", value_name = "WHAT", value_enum, default_value = "delivered")]
    until: Until,
    /// Exit 75 after this time
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = input::span)]
    timeout: Duration,
}

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Until {
    /// All endpoints that wanted it have accepted it
    Delivered,
    /// It is known which endpoints want it
    FannedOut,
}

/// How an event stands.
struct Standing {
    state: String,
    deliveries: usize,
    delivered: usize,
    pending: usize,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Wait) -> Ended {
    let begun = Instant::now();
    let key = lookup::event(&database.db, &args.id, args.tenant.as_deref()).await?;
    loop {
        let standing = look(&database.db, &key).await?;
        if let Some(exit) = standing.judge(args.until) {
            let state = if exit == Exit::Done && args.until == Until::Delivered {
                "delivered"
            } else {
                &standing.state
            };
            let document = json!({
                "id": key.id, "state": state, "deliveries": standing.deliveries, "delivered": standing.delivered,
                "elapsed_ms": begun.elapsed().as_millis(),
            });
            context.out.data(&document, || {
                let (of, all) = (standing.delivered, standing.deliveries);
                format!("{} is {state}: {of} of {all} deliveries accepted", key.id)
            });
            return Ok(exit);
        }
        if begun.elapsed() + LOOK_AGAIN > args.timeout {
            let why = format!(
                "it is {}: {} of {} deliveries accepted, {} pending",
                standing.state, standing.delivered, standing.deliveries, standing.pending
            );
            return Err(Failure::new(Exit::TryLater, format!("{} takes longer", key.id)).why(why));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn look(db: &Db, key: &EventKey) -> Result<Standing, Failure> {
    // The state first: what was fanned out by then has its deliveries.
    let state = events::show(db, key).await?.map_or("fanned_out".to_owned(), |event| event.state);
    let found = deliveries::of_event(db, key, MOST_DELIVERIES).await?;
    let last: Vec<&Delivery> = found
        .iter()
        .filter(|one| !found.iter().any(|o| o.endpoint == one.endpoint && o.replay > one.replay))
        .collect();
    let count = |status: &str| last.iter().filter(|delivery| delivery.status == status).count();
    let (delivered, pending) = (count("delivered"), count("pending"));
    Ok(Standing { state, deliveries: last.len(), delivered, pending })
}

impl Standing {
    /// How the waiting ended, if it did.
    fn judge(&self, until: Until) -> Option<Exit> {
        match (self.state.as_str(), until) {
            ("pending", _) => None,
            ("failed", _) => Some(Exit::Negative),
            (_, Until::FannedOut) => Some(Exit::Done),
            (_, Until::Delivered) if self.pending > 0 => None,
            (_, Until::Delivered) if self.deliveries > 0 && self.delivered == self.deliveries => {
                Some(Exit::Done)
            }
            (_, Until::Delivered) => Some(Exit::Negative),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_nothing_can_change_it_any_more() {
        for (state, deliveries, delivered, pending, until, exit) in [
            ("pending", 0, 0, 0, Until::FannedOut, None),
            ("fanned_out", 0, 0, 0, Until::FannedOut, Some(Exit::Done)),
            ("failed", 0, 0, 0, Until::FannedOut, Some(Exit::Negative)),
            ("fanned_out", 2, 1, 1, Until::Delivered, None),
            ("fanned_out", 2, 2, 0, Until::Delivered, Some(Exit::Done)),
            ("fanned_out", 2, 1, 0, Until::Delivered, Some(Exit::Negative)),
            ("fanned_out", 0, 0, 0, Until::Delivered, Some(Exit::Negative)),
        ] {
            let standing = Standing { state: state.to_owned(), deliveries, delivered, pending };
            assert_eq!(standing.judge(until), exit, "{state} {deliveries} {delivered} {pending}");
        }
    }
}
