//! Event types as publishing and fan-out meet them: the schema to check a payload against, and names that nobody declared.

use postrider_event::schema::{Check, Known, SchemaCache};

use crate::statement::{EVENT_TYPES_SCHEMA, EVENT_TYPES_SEEN};
use crate::{Db, StoreError};

/// How many types there may be before fan-out stops listing more.
const MOST_TYPES: i64 = 10_000;

/// The schema that payloads of a type are checked against and what becomes of those that do not fit; `None`: nobody checks. Compiled once for
/// each of its versions.
///
/// # Errors
/// When the database cannot be asked.
pub async fn schema(
    db: &Db,
    cache: &SchemaCache,
    event_type: &str,
) -> Result<Option<(Check, Known)>, StoreError> {
    let known = cache.get(event_type);
    let version = known.as_ref().map(|known| known.version);
    let mut session = db.session().await?;
    let rows = session.query(&EVENT_TYPES_SCHEMA, &[&event_type, &version]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    // A word of a newer version of us is taken for the one that harms nobody.
    let check = Check::parse(row.get(1)).unwrap_or(Check::Report);
    let known = match (row.get::<_, Option<&str>>(2), known) {
        (Some(text), _) => cache.keep(event_type, row.get(0), text),
        (None, Some(known)) => known,
        (None, None) => return Ok(None),
    };
    Ok(Some((check, known)))
}

/// Lists types that nobody declared. `names` in order, so that two workers do not wait for each other in a circle.
///
/// # Errors
/// When the database cannot be asked.
pub async fn seen(db: &Db, names: &[&str]) -> Result<u64, StoreError> {
    db.session().await?.command(&EVENT_TYPES_SEEN, &[&names, &MOST_TYPES]).await
}
