//! Events as people look for them: by id here, by what they are in [`query`], counted in [`stats`].
//! Reads the ledger, the bodies and the queue; [`publish`] writes them, by the one function that does.

pub mod query;
pub mod stats;

use jiff::Timestamp;
use postrider_event::Event;
use serde_json::Value;
use tokio_postgres::Row;

use crate::statement::{ADMIN_EVENTS_FIND, ADMIN_EVENTS_PUBLISH, ADMIN_EVENTS_SHOW};
use crate::{Db, StoreError};

/// An event in a listing.
#[derive(Debug, Clone)]
pub struct EventSummary {
    pub seq: i64,
    pub created_at: Timestamp,
    pub tenant: String,
    pub id: String,
    pub event_type: String,
    pub attributes: Option<Value>,
    pub labels: Option<Vec<String>>,
    pub ordering_key: Option<String>,
    pub expires_at: Option<Timestamp>,
    /// `pending`, `failed` or `fanned_out`.
    pub state: String,
}

/// Where the ledger keeps an event.
#[derive(Debug, Clone)]
pub struct EventKey {
    pub seq: i64,
    pub created_at: Timestamp,
    pub tenant: String,
    pub id: String,
}

/// An event with all that was published.
#[derive(Debug, Clone)]
pub struct EventDetail {
    pub event_type: String,
    pub attributes: Option<Value>,
    pub labels: Option<Vec<String>>,
    pub ordering_key: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub traceparent: Option<String>,
    /// The body of every request, byte for byte.
    pub envelope: String,
    /// `pending`, `failed` or `fanned_out`.
    pub state: String,
    /// Why it is not fanned out yet, or never will be.
    pub problem: Option<String>,
}

/// The events whose ids begin with `prefix`, five at most, of one tenant or of any. An id that is exactly the prefix
/// stands alone.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(
    db: &Db,
    prefix: &str,
    tenant: Option<&str>,
) -> Result<Vec<EventKey>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_EVENTS_FIND, &[&prefix, &tenant]).await?;
    let mut keys: Vec<EventKey> = rows
        .iter()
        .map(|row| EventKey {
            seq: row.get(0),
            created_at: row.get(1),
            tenant: row.get(2),
            id: row.get(3),
        })
        .collect();
    if keys.iter().any(|key| key.id == prefix) {
        keys.retain(|key| key.id == prefix);
    }
    Ok(keys)
}

/// What came of publishing an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Inserted,
    /// It was published before, with the same content.
    Duplicate,
    /// Its id was published before with other content; nothing was written.
    Conflict,
    /// Publishing is switched off; nothing was written.
    Disabled,
    /// It breaks a rule that only the database knows, such as a smaller limit of this installation.
    Refused {
        field: String,
        code: String,
        detail: String,
    },
}

/// Publishes an event, in a transaction of its own.
///
/// # Errors
/// When the database cannot be asked. Then it may have been published, and publishing it again says so.
pub async fn publish(db: &Db, event: &Event) -> Result<Outcome, StoreError> {
    let ends = event.expires_after().map(|span| span.as_secs_f64());
    let mut session = db.session().await?;
    let published = session
        .query(
            &ADMIN_EVENTS_PUBLISH,
            &[
                &event.tenant(),
                &event.id(),
                &event.event_type().as_str(),
                &event.data(),
                &event.attributes_json(),
                &event.labels(),
                &event.ordering_key(),
                &ends,
                &event.traceparent(),
            ],
        )
        .await;
    let rows = match published {
        Err(error) if error.sqlstate() == Some(REFUSED) => {
            return Ok(refused(&error.message().unwrap_or_default()));
        }
        published => published?,
    };
    match rows.first().map(|row| row.get(0)) {
        Some("inserted") => Ok(Outcome::Inserted),
        Some("duplicate") => Ok(Outcome::Duplicate),
        Some("conflict") => Ok(Outcome::Conflict),
        Some("disabled") => Ok(Outcome::Disabled),
        _ => Err(StoreError::other(ADMIN_EVENTS_PUBLISH.name, "an outcome that is not known")),
    }
}

/// `invalid_parameter_value`: the database's own check of an event.
const REFUSED: &str = "22023";

/// Reads `postrider: field: detail (code)`.
fn refused(message: &str) -> Outcome {
    let message = message.trim_start_matches("postrider: ");
    let (field, rest) = message.split_once(": ").unwrap_or(("", message));
    let (detail, code) = rest.rsplit_once(" (").unwrap_or((rest, "event"));
    Outcome::Refused {
        field: field.to_owned(),
        code: code.trim_end_matches(')').to_owned(),
        detail: detail.to_owned(),
    }
}

/// All of one event; `None` if retention removed its body.
///
/// # Errors
/// When the database cannot be asked.
pub async fn show(db: &Db, key: &EventKey) -> Result<Option<EventDetail>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_EVENTS_SHOW, &[&key.seq, &key.created_at]).await?;
    Ok(rows.first().map(|row| EventDetail {
        event_type: row.get(0),
        attributes: row.get(1),
        labels: row.get(2),
        ordering_key: row.get(3),
        expires_at: row.get(4),
        traceparent: row.get(5),
        envelope: row.get(6),
        state: row.get(7),
        problem: row.get(8),
    }))
}

fn summary(row: &Row) -> EventSummary {
    EventSummary {
        seq: row.get(0),
        created_at: row.get(1),
        tenant: row.get(2),
        id: row.get(3),
        event_type: row.get(4),
        attributes: row.get(5),
        labels: row.get(6),
        ordering_key: row.get(7),
        expires_at: row.get(8),
        state: row.get(9),
    }
}
