//! Events in the order of their `seq`, piece by piece, for who reads on from a position: [`Horizon`](crate::horizon::Horizon) says how far.
//!
//! A piece is bounded by the events in it, whoever they are of: the pool that sees all finds where it ends, and the reader's own connection,
//! which may see one tenant alone, looks at no more than that.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use postrider_core::filter::{Attributes, Data, EventView, Subscription, is_operator_event};
use postrider_core::ids::EndpointId;
use tokio_postgres::Row;

use crate::statement::{EVENTS_BETWEEN, EVENTS_SPAN, PULL_ACKNOWLEDGE, PULL_ACKNOWLEDGED};
use crate::{Db, StoreError};

/// Events that a piece spans, whoever they are of.
const SPAN: i64 = 5_000;
/// Events that one statement reads, with their envelopes.
const ROWS: usize = 50;
/// Envelopes of one answer: a page that has as many is full.
const MOST_BYTES: usize = 4 << 20;
/// How long is looked for something that matches before the answer is "nothing up to here".
const LOOKING: Duration = Duration::from_millis(250);

/// A place between two events. As text `<seq>.<removed>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The event before it.
    pub seq: i64,
    /// Up to where retention had removed bodies when it was given.
    pub removed_to: i64,
}

impl Position {
    /// Whether something between here and now may have been removed unread, if by now everything up to `removed_to` is gone.
    #[must_use]
    pub fn is_gone(&self, removed_to: i64) -> bool {
        removed_to > self.removed_to && self.seq < removed_to
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.seq, self.removed_to)
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seq, removed_to) = text.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        match (number(seq), number(removed_to)) {
            (Some(seq), Some(removed_to)) => Ok(Self { seq, removed_to }),
            _ => Err(()),
        }
    }
}

/// What is read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub tenant: Option<&'a str>,
    /// An exact type, or a prefix as `email.*`; `None`: whatever it is.
    pub event_type: Option<&'a str>,
    /// Published not before this.
    pub since: Timestamp,
    /// And besides what matches this.
    pub by: Option<&'a Interest>,
}

/// What a reader wants to be told of, decided here and not by the database.
#[derive(Debug, Clone)]
pub struct Interest {
    pub subscription: Subscription,
    /// Who reads for an endpoint is not told of its own troubles, nor of what has expired.
    pub endpoint: Option<EndpointId>,
}

/// An event, with all that was published.
#[derive(Debug, Clone)]
pub struct PlacedEvent {
    pub seq: i64,
    pub created_at: Timestamp,
    pub tenant: String,
    pub id: String,
    pub event_type: String,
    /// JSON.
    pub attributes: Option<String>,
    pub labels: Vec<String>,
    pub ordering_key: Option<String>,
    pub expires_at: Option<Timestamp>,
    /// Byte for byte.
    pub envelope: String,
    /// `pending`, `failed` or `fanned_out`.
    pub state: String,
    expired: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    pub events: Vec<PlacedEvent>,
    /// The `seq` up to which nothing was left out.
    pub to: i64,
}

/// Reads up to `limit` events after one `seq` and up to another. What matches nothing ends too: then `to` is further on, and there are
/// fewer. `all` sees everything, `own` what the reader may see.
///
/// # Errors
/// When the database cannot be asked.
pub async fn read(
    all: &Db,
    own: &Db,
    wanted: &Wanted<'_>,
    after: i64,
    up_to: i64,
    limit: usize,
) -> Result<Read, StoreError> {
    let begun = Instant::now();
    let mut read = Read { events: Vec::new(), to: after };
    let mut bytes = 0;
    while read.to < up_to && begun.elapsed() < LOOKING {
        let end = span(all, wanted, read.to, up_to).await?;
        while read.to < end {
            // Envelopes are large: no more of them are read than are wanted, where nothing else decides that.
            let most = match wanted.by {
                None => ROWS.min(limit - read.events.len()),
                Some(_) => ROWS,
            };
            let rows = between(own, wanted, read.to, end, most).await?;
            let full = rows.len() >= most;
            for event in rows.iter().map(event) {
                read.to = event.seq;
                if wanted.by.is_none_or(|by| by.wants(&event)) {
                    bytes += event.envelope.len();
                    read.events.push(event);
                }
                if read.events.len() >= limit || bytes >= MOST_BYTES {
                    return Ok(read);
                }
            }
            if !full {
                read.to = end;
            }
            if begun.elapsed() >= LOOKING {
                break;
            }
        }
    }
    Ok(read)
}

/// Where a piece ends that has no more than so many events, whoever they are of.
async fn span(all: &Db, wanted: &Wanted<'_>, after: i64, up_to: i64) -> Result<i64, StoreError> {
    // Between so few numbers there are no more events.
    if up_to - after <= SPAN {
        return Ok(up_to);
    }
    let mut session = all.session().await?;
    let rows = session.query(&EVENTS_SPAN, &[&after, &up_to, &wanted.since, &SPAN]).await?;
    let (last, events): (Option<i64>, i64) =
        rows.first().map_or((None, 0), |row| (row.get(0), row.get(1)));
    Ok(last.filter(|_| events >= SPAN).unwrap_or(up_to))
}

async fn between(
    own: &Db,
    wanted: &Wanted<'_>,
    after: i64,
    end: i64,
    most: usize,
) -> Result<Vec<Row>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let event_type = wanted.event_type.filter(|pattern| *pattern != "*");
    let prefix = event_type.and_then(|pattern| pattern.strip_suffix('*'));
    let exact = event_type.filter(|_| prefix.is_none());
    own.session()
        .await?
        .query(
            &EVENTS_BETWEEN,
            &[&after, &end, &wanted.since, &wanted.tenant, &exact, &prefix, &most],
        )
        .await
}

impl Interest {
    /// Whether the event is wanted. One that cannot be read matches nothing, as in fan-out.
    fn wants(&self, event: &PlacedEvent) -> bool {
        let about_itself = |endpoint: EndpointId| {
            let attributes = event.attributes.as_deref().unwrap_or_default();
            is_operator_event(&event.event_type) && attributes.contains(&endpoint.to_string())
        };
        if self.endpoint.is_some_and(|endpoint| event.expired || about_itself(endpoint)) {
            return false;
        }
        let attributes = event.attributes.as_deref().map(Attributes::parse).transpose();
        let data = match self.subscription.needs_data() {
            true => Data::of_envelope(event.envelope.as_bytes()).map(Some),
            false => Ok(None),
        };
        let (Ok(attributes), Ok(data)) = (attributes, data) else { return false };
        self.subscription.matches(&EventView {
            tenant: &event.tenant,
            event_type: &event.event_type,
            attributes: &attributes.unwrap_or_default(),
            labels: &event.labels,
            data: data.as_ref().unwrap_or(&Data::NONE),
        })
    }
}

/// Where the reader of an endpoint has come to, and when it said so.
///
/// # Errors
/// When the database cannot be asked.
pub async fn acknowledged(
    db: &Db,
    endpoint: EndpointId,
) -> Result<Option<(Position, Timestamp)>, StoreError> {
    let rows = db.session().await?.query(&PULL_ACKNOWLEDGED, &[&endpoint.0]).await?;
    Ok(rows.first().map(|row| (Position { seq: row.get(0), removed_to: row.get(1) }, row.get(2))))
}

/// Notes how far the reader of an endpoint has come. Never goes back.
///
/// # Errors
/// When the database cannot be asked.
pub async fn acknowledge(
    db: &Db,
    endpoint: EndpointId,
    tenant: &str,
    at: Position,
) -> Result<(), StoreError> {
    let mut session = db.session().await?;
    session.command(&PULL_ACKNOWLEDGE, &[&endpoint.0, &tenant, &at.seq, &at.removed_to]).await?;
    Ok(())
}

fn event(row: &Row) -> PlacedEvent {
    PlacedEvent {
        seq: row.get(0),
        created_at: row.get(1),
        tenant: row.get(2),
        id: row.get(3),
        event_type: row.get(4),
        attributes: row.get(5),
        labels: row.get::<_, Option<Vec<String>>>(6).unwrap_or_default(),
        ordering_key: row.get(7),
        expires_at: row.get(8),
        envelope: row.get(9),
        state: row.get(11),
        expired: row.get::<_, Option<bool>>(10) == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written_and_nothing_else_is() {
        let at = Position { seq: 17, removed_to: 4 };
        assert_eq!(at.to_string().parse(), Ok(at));
        for wrong in ["", "17", "17.", ".4", "-1.4", "17.-4", "17.4.1", "a.b"] {
            assert_eq!(wrong.parse::<Position>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_gap_is_seen_if_something_went_unread_since() {
        for (seq, known, removed_to, gone) in [
            (10, 0, 0, false),
            (10, 0, 20, true),
            (20, 0, 20, false),
            // It began there when that was gone already.
            (10, 20, 20, false),
            (10, 20, 30, true),
        ] {
            let at = Position { seq, removed_to: known };
            assert_eq!(at.is_gone(removed_to), gone, "{seq} {known} {removed_to}");
        }
    }
}
