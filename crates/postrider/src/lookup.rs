//! A look into the outbox for the tests of a service: what has this transaction published?

use postrider_event::Envelope;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use crate::transaction::{PgTransaction, Statements};

const FIND: &str = include_str!("../sql/event/find.sql");

/// An event as it lies in the outbox.
#[derive(Debug, Clone)]
pub struct PublishedEvent {
    /// The tenant.
    pub tenant: String,
    /// The event id.
    pub id: String,
    /// The event type.
    pub event_type: String,
    /// The body that subscribers will get, verbatim.
    pub envelope: String,
    /// The attributes.
    pub attributes: Option<Value>,
    /// The labels.
    pub labels: Vec<String>,
    /// The ordering key.
    pub ordering_key: Option<String>,
    /// The trace.
    pub traceparent: Option<String>,
}

impl PublishedEvent {
    /// The envelope, parsed.
    ///
    /// # Panics
    /// Never for a row that `postrider.publish_v1` wrote.
    #[must_use]
    pub fn parsed(&self) -> Envelope {
        Envelope::parse(self.envelope.as_bytes()).expect("publish_v1 composes envelopes")
    }
}

/// The events with this id or of this type that the transaction can see, its own included, oldest first. For tests:
///
/// ```no_run
/// # async fn example(tx: tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
/// let events = postrider::published(&tx, "email.received").await?;
/// assert_eq!(events.len(), 1);
/// assert_eq!(events[0].parsed().data.get(), r#"{"subject":"Hello"}"#);
/// # Ok(())
/// # }
/// ```
///
/// It reads the tables, which the role `postrider_publisher` may not, and all of them, which takes long where there is
/// much.
///
/// # Errors
/// When the tables cannot be read.
pub async fn published<T: PgTransaction>(
    tx: &T,
    id_or_type: &str,
) -> Result<Vec<PublishedEvent>, Error> {
    let rows = tx.run(FIND, &[(&id_or_type, Type::TEXT)], Statements::Unnamed).await?;
    rows.iter().map(event_from).collect()
}

fn event_from(row: &Row) -> Result<PublishedEvent, Error> {
    Ok(PublishedEvent {
        tenant: row.try_get("tenant_id")?,
        id: row.try_get("id")?,
        event_type: row.try_get("type")?,
        envelope: row.try_get("envelope")?,
        attributes: row.try_get("attributes")?,
        labels: row.try_get::<_, Option<Vec<String>>>("labels")?.unwrap_or_default(),
        ordering_key: row.try_get("ordering_key")?,
        traceparent: row.try_get("traceparent")?,
    })
}
