//! What an endpoint failed to get, or missed, is owed to it once more. A walk over the events of a time, piece by piece: [`look`] finds
//! what there is to do in the next piece and writes nothing, [`owe`] does it.
//!
//! Ids of deliveries are a function of event, endpoint and replay number, so nothing has to be searched for: of each event it is asked
//! whether its deliveries are there.

use std::collections::HashMap;

use jiff::Timestamp;
use postrider_core::filter::{Attributes, Data, EventView, Subscription, is_operator_event};
use postrider_core::ids::{DeliveryId, EndpointId};
use postrider_core::status::DeliveryStatus;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::deliveries::milliseconds;
use crate::statement::{RECOVER_DELIVERIES, RECOVER_EVENTS, RECOVER_OWE, RECOVER_TAKE_BACK};
use crate::{Db, Session, StoreError};

/// Events that one piece looks at, whoever they are of.
const PIECE: i64 = 5_000;
/// The same where their envelopes are read, for filters on data.
const PIECE_WITH_DATA: i64 = 200;
/// Times that one event is sent to one endpoint once more.
const MOST_REPLAYS: u16 = 1_000;

/// What is to be recovered.
#[derive(Debug, Clone)]
pub struct Recovery {
    pub tenant: String,
    pub endpoint: EndpointId,
    /// Of events published not before this…
    pub since: Timestamp,
    /// …and before this.
    pub until: Timestamp,
    /// What the last delivery of an event has become, for it to be sent once more.
    pub statuses: Vec<DeliveryStatus>,
    /// What the endpoint would want by its types and filter, and never got, too.
    pub missed: bool,
    /// Only these types, exact names or `email.*`; none: all, operator events too.
    pub types: Vec<String>,
}

/// An event that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    pub delivery: DeliveryId,
    pub seq: i64,
    pub created_at: Timestamp,
    pub replay: u16,
    /// The event's own.
    pub ordering_key: Option<String>,
}

/// What a piece of the walk found.
#[derive(Debug, Default)]
pub struct Piece {
    pub owed: Vec<Owed>,
    /// The event up to which it looked, and when that was published.
    pub looked_to: i64,
    pub looked_at: Option<Timestamp>,
    /// There are no more events in that time.
    pub last: bool,
    /// The next event is wanted and still to be fanned out: by what the endpoint was before, perhaps. The walk goes on when it is.
    pub waits: bool,
}

/// What decides whether an event that was never sent there was missed.
#[derive(Debug)]
pub struct Wants {
    /// What the endpoint asks for now.
    pub subscription: Subscription,
    /// What is asked for here; `None`: all.
    pub types: Option<Subscription>,
}

/// An event of a piece.
struct Looked {
    seq: i64,
    created_at: Timestamp,
    id: String,
    ordering_key: Option<String>,
    /// It is still to be fanned out.
    pending: bool,
    /// It matches what is asked for here; and besides what the endpoint asks for.
    named: bool,
    wanted: bool,
}

/// What becomes of events that are wanted and still to be fanned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// The piece ends before the first of them.
    Ends,
    /// They are left out: for a count.
    LeftOut,
}

/// Looks at the next piece after an event.
///
/// # Errors
/// When the database cannot be asked.
pub async fn look(
    db: &Db,
    recovery: &Recovery,
    wants: &Wants,
    after: i64,
    waiting: Waiting,
) -> Result<Piece, StoreError> {
    let needs_data = recovery.missed && wants.subscription.needs_data();
    let (since, until) = (recovery.since, recovery.until);
    let size = if needs_data { PIECE_WITH_DATA } else { PIECE };
    let mut session = db.session().await?;
    let rows = session
        .query(&RECOVER_EVENTS, &[&recovery.tenant, &since, &until, &after, &size, &needs_data])
        .await?;
    let mut piece = Piece { looked_to: after, last: true, ..Piece::default() };
    let mut events = Vec::new();
    for row in &rows {
        match row.get::<_, Option<i64>>("looked") {
            Some(looked) => {
                piece.looked_to = row.get::<_, Option<i64>>(0).unwrap_or(after);
                piece.looked_at = row.get(1);
                piece.last = looked < size;
            }
            // What could not be fanned out is left to whoever puts that right.
            None if row.get::<_, Option<bool>>("failed") == Some(true) => {}
            None => events.extend(event(row, recovery, wants)),
        }
    }
    events.sort_unstable_by_key(|event| event.seq);
    if recovery.missed && waiting == Waiting::Ends {
        end_before_what_waits(&mut piece, &mut events, after);
    }
    events.retain(|event| !event.pending);
    piece.owed = owed(&mut session, recovery, &events).await?;
    Ok(piece)
}

/// What waits for fan-out will be sent by that, unless it was claimed before the endpoint was what it is now: nobody can tell before it is
/// over. So the piece ends before the first of them that is wanted.
fn end_before_what_waits(piece: &mut Piece, events: &mut Vec<Looked>, after: i64) {
    let waits = events.iter().position(|event| event.pending && event.wanted);
    if let Some(place) = waits {
        events.truncate(place);
        piece.looked_to = events.last().map_or(after, |event| event.seq);
        piece.looked_at = events.last().map(|event| event.created_at);
        (piece.last, piece.waits) = (false, true);
    }
}

fn event(row: &Row, recovery: &Recovery, wants: &Wants) -> Option<Looked> {
    let (event_type, labels): (&str, Option<Vec<String>>) = (row.get(3), row.get(5));
    // An event that cannot be read matched nothing when it was fanned out.
    let attributes = row.get::<_, Option<&str>>(4).map(Attributes::parse).transpose().ok()?;
    let data = row.get::<_, Option<&str>>(6).map(|text| Data::of_envelope(text.as_bytes()));
    let data = data.transpose().ok()?;
    let view = EventView {
        tenant: &recovery.tenant,
        event_type,
        attributes: &attributes.unwrap_or_default(),
        labels: labels.as_deref().unwrap_or_default(),
        data: data.as_ref().unwrap_or(&Data::NONE),
    };
    let named = wants.types.as_ref().is_none_or(|types| types.matches(&view));
    Some(Looked {
        seq: row.get(0),
        created_at: row.get(1),
        id: row.get(2),
        ordering_key: row.get("ordering_key"),
        pending: row.get::<_, Option<bool>>("pending") == Some(true),
        named,
        // Of an operator event only its own fan-out knows whom it is about.
        wanted: named && !is_operator_event(event_type) && wants.subscription.matches(&view),
    })
}

/// Which of the events are to be sent, and with which replay number: asked for in rounds, one for each number that some of them have.
async fn owed(
    session: &mut Session,
    recovery: &Recovery,
    events: &[Looked],
) -> Result<Vec<Owed>, StoreError> {
    let derive = |event: &Looked, replay| {
        let ms = milliseconds(event.created_at);
        DeliveryId::derive(ms, &recovery.tenant, &event.id, recovery.endpoint, replay)
    };
    let mut owed = Vec::new();
    // Those whose last delivery is not known yet, and what the one before it has become.
    let mut open: Vec<(&Looked, Option<DeliveryStatus>)> =
        events.iter().filter(|event| event.named).map(|event| (event, None)).collect();
    for replay in 0..MOST_REPLAYS {
        let ids: Vec<Uuid> = open.iter().map(|(event, _)| derive(event, replay).0).collect();
        let (Some(low), Some(high)) = (ids.iter().min(), ids.iter().max()) else { break };
        let rows = session.query(&RECOVER_DELIVERIES, &[&ids, low, high]).await?;
        let known: HashMap<Uuid, Option<DeliveryStatus>> =
            rows.iter().map(|row| (row.get(0), row.get::<_, &str>(1).parse().ok())).collect();
        let mut next = Vec::new();
        for ((event, before), id) in open.into_iter().zip(&ids) {
            match known.get(id) {
                Some(status) => next.push((event, *status)),
                None => {
                    let due = match before {
                        Some(status) => recovery.statuses.contains(&status),
                        None => replay == 0 && recovery.missed && event.wanted,
                    };
                    if due {
                        owed.push(Owed {
                            delivery: DeliveryId(*id),
                            seq: event.seq,
                            created_at: event.created_at,
                            replay,
                            ordering_key: event.ordering_key.clone(),
                        });
                    }
                }
            }
        }
        open = next;
    }
    owed.sort_unstable_by_key(|owed| owed.seq);
    Ok(owed)
}

/// Owes what was found, in the open transaction; how many deliveries that made. What somebody else has sent since it was looked at is not
/// owed: open, it is met by the insert, which waits for who closes it; closed, it is taken back with a newer snapshot (protocol P9).
pub(crate) async fn owe(
    session: &Session,
    endpoint: EndpointId,
    owed: &[Owed],
) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> = owed.iter().map(|owed| owed.delivery.0).collect();
    let seqs: Vec<i64> = owed.iter().map(|owed| owed.seq).collect();
    let times: Vec<Timestamp> = owed.iter().map(|owed| owed.created_at).collect();
    let replays: Vec<i16> =
        owed.iter().map(|owed| i16::try_from(owed.replay).unwrap_or(i16::MAX)).collect();
    let keys: Vec<Option<&str>> = owed.iter().map(|owed| owed.ordering_key.as_deref()).collect();
    let rows =
        session.run(&RECOVER_OWE, &[&ids, &seqs, &times, &replays, &endpoint.0, &keys]).await?;
    let made: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let (Some(low), Some(high)) = (made.iter().min(), made.iter().max()) else { return Ok(0) };
    let taken_back = session.execute(&RECOVER_TAKE_BACK, &[&made, low, high]).await?;
    Ok(u64::try_from(made.len()).unwrap_or(u64::MAX).saturating_sub(taken_back))
}
