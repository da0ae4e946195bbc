//! A real, signed event for one endpoint alone, to see whether it answers.
//! Writes an event and its one delivery in one transaction; a worker sends it like any other.

use jiff::Timestamp;
use postrider_core::ids::{DeliveryId, EndpointId};

use crate::control::ENDPOINTS_CHANNEL;
use crate::statement::{
    ADMIN_EVENTS_PUBLISH_TEST, ADMIN_EVENTS_TAKE, CONTROL_NOTIFY, DELIVERIES_INSERT,
};
use crate::{Db, StoreError};

/// The type of the event that `endpoints test` sends.
pub const TEST_EVENT: &str = "postrider.test";

/// What came of asking for a test event.
#[derive(Debug, Clone)]
pub enum TestEvent {
    /// It was published and is owed to the endpoint alone.
    Owed { delivery: DeliveryId },
    /// A closed switch forbids publishing.
    SwitchedOff,
    /// The endpoint is gone or disabled.
    NoEndpoint,
}

/// Publishes a test event that is owed to this endpoint alone, in one transaction: the event takes the usual door and is
/// taken off the queue again before anybody sees it, and its delivery is inserted here instead of by fan-out.
///
/// # Errors
/// When the database cannot be asked.
pub async fn publish_test(
    db: &Db,
    tenant: &str,
    id: EndpointId,
    event_id: &str,
) -> Result<TestEvent, StoreError> {
    let mut session = db.session().await?;
    let text = id.to_string();
    let outcome =
        session.begin_with(&ADMIN_EVENTS_PUBLISH_TEST, &[&tenant, &event_id, &text]).await?;
    if outcome.first().map(|row| row.get(0)) != Some("inserted") {
        session.rollback().await?;
        return Ok(TestEvent::SwitchedOff);
    }
    let taken = session.run(&ADMIN_EVENTS_TAKE, &[&tenant, &event_id]).await?;
    let row = taken.first().ok_or_else(|| {
        StoreError::other(ADMIN_EVENTS_TAKE.name, "the event is not on the queue")
    })?;
    let (seq, created_at): (i64, Timestamp) = (row.get(0), row.get(1));
    let created_at_ms = u64::try_from(created_at.as_millisecond()).unwrap_or(0);
    let delivery = DeliveryId::derive(created_at_ms, tenant, event_id, id, 0);
    let inserted = session
        .execute(
            &DELIVERIES_INSERT,
            &[
                &[delivery.0].as_slice(),
                &[id.0].as_slice(),
                &[seq].as_slice(),
                &[created_at].as_slice(),
                &[tenant].as_slice(),
                &[None::<&str>].as_slice(),
                &[false].as_slice(),
                &[id.0].as_slice(),
                &0_i64,
                &0_i32,
                &[None::<uuid::Uuid>].as_slice(),
            ],
        )
        .await?;
    if inserted == 0 {
        session.rollback().await?;
        return Ok(TestEvent::NoEndpoint);
    }
    session.run(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &tenant]).await?;
    session.commit().await?;
    Ok(TestEvent::Owed { delivery })
}
