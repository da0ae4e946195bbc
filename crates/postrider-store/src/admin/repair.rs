//! What people do about single deliveries: make one due now, end one, or owe an event to an endpoint once more.
//! Writes `webhook_deliveries_open` and `webhook_deliveries_closed`; workers are knocked for.

use postrider_core::ids::{DeliveryId, EndpointId};

use crate::admin::deliveries;
use crate::admin::events::EventKey;
use crate::control::ENDPOINTS_CHANNEL;
use crate::deliveries::milliseconds;
use crate::statement::{
    ADMIN_DELIVERIES_CANCEL, ADMIN_DELIVERIES_REDELIVER, ADMIN_DELIVERIES_RETRY, CONTROL_NOTIFY,
};
use crate::{Db, StoreError};

/// The reason of deliveries that somebody ended.
pub const BY_HAND: &str = "by_hand";
/// Deliveries of one event that are looked at, of all endpoints together.
const MOST_OF_EVENT: i64 = 10_000;

/// What came of redelivering an event to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivered {
    /// It is owed once more, as this delivery.
    Owed { delivery: DeliveryId, replay: u16 },
    /// It is still owed, as this delivery, which can be retried.
    StillOwed { delivery: DeliveryId },
    /// The endpoint is disabled or deleted, or the event's body is gone, or somebody else did it just now: nothing was written.
    Refused,
}

/// Makes an open delivery due now and knocks for a worker; false if it is due already, held by a worker, or closed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn retry(db: &Db, id: DeliveryId) -> Result<bool, StoreError> {
    let mut session = db.session().await?;
    let changed = !session.query(&ADMIN_DELIVERIES_RETRY, &[&id.0]).await?.is_empty();
    if changed {
        session.query(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await?;
    }
    Ok(changed)
}

/// Ends an open delivery as `cancelled`; false if it is closed, or a worker holds it just now.
///
/// # Errors
/// When the database cannot be asked.
pub async fn cancel(db: &Db, id: DeliveryId) -> Result<bool, StoreError> {
    let mut session = db.session().await?;
    let cancelled = session.command(&ADMIN_DELIVERIES_CANCEL, &[&id.0, &BY_HAND]).await? > 0;
    if cancelled {
        // Others of its order key may have waited for its end.
        session.query(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await?;
    }
    Ok(cancelled)
}

/// The endpoints that an event was sent to, or was to be.
///
/// # Errors
/// When the database cannot be asked.
pub async fn endpoints_of(db: &Db, event: &EventKey) -> Result<Vec<EndpointId>, StoreError> {
    let found = deliveries::of_event(db, event, MOST_OF_EVENT).await?;
    let mut endpoints: Vec<EndpointId> = found.iter().map(|delivery| delivery.endpoint).collect();
    endpoints.dedup();
    Ok(endpoints)
}

/// Owes an event to endpoints once more, in their order, and knocks for a worker. The request has the event's id as before; the delivery
/// has one of its own, by its replay number.
///
/// # Errors
/// When the database cannot be asked. What was written before stays.
pub async fn redeliver(
    db: &Db,
    event: &EventKey,
    endpoints: &[EndpointId],
) -> Result<Vec<Redelivered>, StoreError> {
    let known = deliveries::of_event(db, event, MOST_OF_EVENT).await?;
    let created_at_ms = milliseconds(event.created_at);
    let mut session = db.session().await?;
    let mut done = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let own = || known.iter().filter(|delivery| delivery.endpoint == *endpoint);
        if let Some(open) = own().find(|delivery| delivery.closed_at.is_none()) {
            done.push(Redelivered::StillOwed { delivery: open.id });
            continue;
        }
        let replay = own().map(|delivery| delivery.replay.saturating_add(1)).max().unwrap_or(0);
        let replay = u16::try_from(replay).unwrap_or(0);
        let delivery =
            DeliveryId::derive(created_at_ms, &event.tenant, &event.id, *endpoint, replay);
        let number = i16::try_from(replay).unwrap_or(i16::MAX);
        let inserted = session
            .command(
                &ADMIN_DELIVERIES_REDELIVER,
                &[&delivery.0, &endpoint.0, &event.seq, &event.created_at, &number],
            )
            .await?;
        done.push(match inserted {
            0 => Redelivered::Refused,
            _ => Redelivered::Owed { delivery, replay },
        });
    }
    if done.iter().any(|done| matches!(done, Redelivered::Owed { .. })) {
        session.query(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await?;
    }
    Ok(done)
}
