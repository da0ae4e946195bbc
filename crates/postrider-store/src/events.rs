//! Fan-out's one transaction: claim pending events, insert what they matched, take them off the queue.
//! Reads `webhook_events_pending`, `webhook_events`, `webhook_routing_versions`, `webhook_endpoints`.
//! Writes `webhook_deliveries_open`, `webhook_events_pending`, `webhook_events_failed`.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join5;
use jiff::{SignedDuration, Timestamp};
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use postrider_core::ordering::Ordering;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::batches::{self, FormedBatches, PlannedBatch};
use crate::deliveries::whole_seconds;
use crate::endpoints::{Route, TenantRoutes};
use crate::statement::{
    BATCHES_INSERT, DELIVERIES_INSERT, DELIVERIES_KEPT, ENDPOINTS_ROUTES, EVENTS_ANY_DUE,
    EVENTS_BODIES, EVENTS_CLAIM, EVENTS_DONE, EVENTS_FAIL, EVENTS_POSTPONE, EVENTS_TRY,
};
use crate::{Db, Session, StoreError};

/// Where a claim looks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The `seq` after which it begins.
    pub after: i64,
    /// The most events it takes.
    pub limit: i64,
    pub days: Days,
}

/// The days in whose bodies a claim looks first: half a day before and after a time. Events of other times are found too, by
/// one more statement, so that the default, long ago, is no mistake.
#[derive(Debug, Clone, Copy, Default)]
pub struct Days {
    around: Timestamp,
}

impl Days {
    const HALF: SignedDuration = SignedDuration::from_hours(12);

    /// Those around a time.
    #[must_use]
    pub const fn around(time: Timestamp) -> Self {
        Self { around: time }
    }

    fn bounds(self) -> (Timestamp, Timestamp) {
        let bound = |time: Result<Timestamp, _>| time.unwrap_or(self.around);
        (bound(self.around.checked_sub(Self::HALF)), bound(self.around.checked_add(Self::HALF)))
    }
}

/// Claimed events whose bodies lie outside the days of the claim.
struct Elsewhere {
    seqs: Vec<i64>,
    first: Timestamp,
    last: Timestamp,
}

impl Elsewhere {
    fn of(events: &[ClaimedEvent], days: Days) -> Option<Self> {
        let (from, to) = days.bounds();
        let outside = || events.iter().filter(|e| e.created_at < from || e.created_at > to);
        Some(Self {
            seqs: outside().map(|event| event.seq).collect(),
            first: outside().map(|event| event.created_at).min()?,
            last: outside().map(|event| event.created_at).max()?,
        })
    }
}

/// An event taken off the queue by this transaction.
#[derive(Debug)]
pub struct ClaimedEvent {
    pub seq: i64,
    pub created_at: Timestamp,
    /// Tries that failed for a reason of the event's own.
    pub attempts: i16,
    /// `None` when the body is missing, which must never happen silently.
    pub body: Option<EventBody>,
}

/// What an event says and what routes it.
#[derive(Debug)]
pub struct EventBody {
    pub tenant_id: String,
    pub id: String,
    pub event_type: String,
    /// A JSON object, or nothing.
    pub attributes: Option<String>,
    pub labels: Vec<String>,
    pub ordering_key: Option<String>,
    pub envelope: Bytes,
    pub traceparent: Option<String>,
    pub expires_at: Option<Timestamp>,
    /// The tenant's routing version in the snapshot of the claim; 0 if it has none.
    pub routing_version: i64,
}

/// Deliveries to insert, column by column as the statement takes them.
#[derive(Debug, Default)]
pub struct NewDeliveries<'a> {
    ids: Vec<Uuid>,
    endpoints: Vec<Uuid>,
    seqs: Vec<i64>,
    created_ats: Vec<Timestamp>,
    tenants: Vec<&'a str>,
    order_keys: Vec<Option<&'a str>>,
    handed_off: Vec<bool>,
    batches: Vec<Option<Uuid>>,
    formed: FormedBatches,
    distinct: Vec<Uuid>,
}

/// How a delivery is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted<'a> {
    /// Due, for whoever pulls it.
    Due,
    /// Out of sight of the due, until its turn among those of its key.
    Ordered(&'a str),
    /// Leased to this worker.
    HandedOff,
    /// Leased to this worker, as a member of a batch.
    InBatch(BatchId),
}

impl<'a> NewDeliveries<'a> {
    /// Adds one.
    pub fn push(
        &mut self,
        id: DeliveryId,
        endpoint: EndpointId,
        event: &'a ClaimedEvent,
        body: &'a EventBody,
        inserted: Inserted<'a>,
    ) {
        let (order_key, batch) = match inserted {
            Inserted::Due | Inserted::HandedOff => (None, None),
            Inserted::Ordered(key) => (Some(key), None),
            Inserted::InBatch(batch) => (None, Some(batch.0)),
        };
        self.ids.push(id.0);
        self.endpoints.push(endpoint.0);
        self.seqs.push(event.seq);
        self.created_ats.push(event.created_at);
        self.tenants.push(&body.tenant_id);
        self.order_keys.push(order_key);
        self.handed_off.push(matches!(inserted, Inserted::HandedOff | Inserted::InBatch(_)));
        self.batches.push(batch);
    }

    /// Adds a batch, whose members are added besides.
    pub fn form(&mut self, endpoint: EndpointId, batch: &PlannedBatch) {
        self.formed.push(endpoint, batch);
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// An open fan-out transaction. Dropped without [`Claim::finish`], everything is pending again.
pub struct Claim {
    session: Session,
}

impl Claim {
    /// Claims due events in `seq` order, with their bodies.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn begin(db: &Db, look: Look) -> Result<(Self, Vec<ClaimedEvent>), StoreError> {
        let mut session = db.session().await?;
        let (first, last) = look.days.bounds();
        let rows =
            session.begin_with(&EVENTS_CLAIM, &[&look.after, &look.limit, &first, &last]).await?;
        let mut events = claimed(&rows);
        let elsewhere = Elsewhere::of(&events, look.days);
        if let Some(Elsewhere { seqs, first, last }) = elsewhere {
            let rows = session.run(&EVENTS_BODIES, &[&seqs, &first, &last]).await?;
            embody(&mut events, &rows);
        }
        Ok((Self { session }, events))
    }

    /// The enabled endpoints of a tenant and their version, as this transaction sees them now.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn routes(&self, tenant: &str) -> Result<TenantRoutes, StoreError> {
        let rows = self.session.run(&ENDPOINTS_ROUTES, &[&tenant]).await?;
        Ok(TenantRoutes {
            version: rows.first().and_then(|row| row.get::<_, Option<i64>>(0)).unwrap_or(0),
            routes: rows
                .iter()
                .filter_map(|row| {
                    let id: Option<Uuid> = row.get(1);
                    id.map(|id| Route {
                        endpoint: EndpointId(id),
                        event_types: row.get(2),
                        filter: row.get(3),
                        // The table holds no other word.
                        ordering: Ordering::parse(row.get(4)).unwrap_or_default(),
                        batched: row.get::<_, Option<i16>>("max_events").is_some(),
                        manner: batches::manner(row),
                    })
                })
                .collect(),
        })
    }

    /// Inserts the deliveries, takes `done` off the queue, moves `bodiless` to the failed, and commits: one round trip.
    /// Returns the deliveries that were *not* inserted for `owner`: their endpoint is gone or disabled, or they existed.
    ///
    /// # Errors
    /// When a statement or the commit fails; nothing is kept then.
    pub async fn finish(
        self,
        mut deliveries: NewDeliveries<'_>,
        done: &[i64],
        bodiless: &[i64],
        owner: i64,
        lease: Duration,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let Self { mut session } = self;
        deliveries.distinct = deliveries.endpoints.clone();
        deliveries.distinct.sort_unstable();
        deliveries.distinct.dedup();
        let lease = whole_seconds(lease);
        let d = &deliveries;
        for statement in [&DELIVERIES_INSERT, &EVENTS_DONE] {
            session.prepare(statement).await?;
        }
        let insert = async {
            if d.is_empty() {
                return Ok(0);
            }
            session
                .execute(
                    &DELIVERIES_INSERT,
                    &[
                        &d.ids,
                        &d.endpoints,
                        &d.seqs,
                        &d.created_ats,
                        &d.tenants,
                        &d.order_keys,
                        &d.handed_off,
                        &d.distinct,
                        &owner,
                        &lease,
                        &d.batches,
                    ],
                )
                .await
        };
        let fail = async {
            if bodiless.is_empty() {
                return Ok(0);
            }
            session
                .execute(
                    &EVENTS_FAIL,
                    &[&bodiless, &"body_missing", &"the pending row points at no event"],
                )
                .await
        };
        if !bodiless.is_empty() {
            session.prepare(&EVENTS_FAIL).await?;
        }
        if !d.formed.is_empty() {
            session.prepare(&BATCHES_INSERT).await?;
        }
        let (inserted, formed, failed, taken, committed) = join5(
            insert,
            d.formed.insert(&session),
            fail,
            session.execute(&EVENTS_DONE, &[&done]),
            session.commit_pipelined(),
        )
        .await;
        if committed.is_ok() {
            session.committed();
        }
        let inserted = inserted?;
        formed?;
        failed?;
        taken?;
        committed?;
        if usize::try_from(inserted).unwrap_or(0) == d.len() {
            return Ok(Vec::new());
        }
        let kept: std::collections::HashSet<Uuid> = session
            .query(&DELIVERIES_KEPT, &[&d.ids, &owner])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        Ok(d.ids.iter().filter(|id| !kept.contains(id)).map(|id| DeliveryId(*id)).collect())
    }

    /// Gives everything back.
    ///
    /// # Errors
    /// When the session is lost, which gives it back too.
    pub async fn abandon(mut self) -> Result<(), StoreError> {
        self.session.rollback().await
    }
}

/// Whether no event is due to be fanned out; one that was put off is not.
///
/// # Errors
/// When the database cannot be asked.
pub async fn none_due(db: &Db) -> Result<bool, StoreError> {
    Ok(db.session().await?.query(&EVENTS_ANY_DUE, &[]).await?.is_empty())
}

/// Counts a try of an event, committed before the work, so that a crash counts.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count_try(db: &Db, seq: i64) -> Result<(), StoreError> {
    db.session().await?.query(&EVENTS_TRY, &[&seq]).await.map(drop)
}

/// Puts off an event that failed for its own reason.
///
/// # Errors
/// When the database cannot be asked.
pub async fn postpone(db: &Db, seq: i64, wait: Duration, error: &str) -> Result<(), StoreError> {
    let seconds = i32::try_from(wait.as_secs()).unwrap_or(i32::MAX);
    db.session().await?.query(&EVENTS_POSTPONE, &[&seq, &seconds, &error]).await.map(drop)
}

/// Moves an event that can never be fanned out to the failed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn fail(db: &Db, seq: i64, reason: &str, error: &str) -> Result<(), StoreError> {
    db.session().await?.query(&EVENTS_FAIL, &[&[seq].as_slice(), &reason, &error]).await.map(drop)
}

/// The claimed events, with what came of their bodies in the same rows.
fn claimed(rows: &[Row]) -> Vec<ClaimedEvent> {
    let mut claimed = Vec::with_capacity(rows.len() / 2);
    for row in rows {
        let (seq, created_at): (Option<i64>, Option<Timestamp>) = (row.get(0), row.get(1));
        if let (Some(seq), Some(created_at)) = (seq, created_at) {
            claimed.push(ClaimedEvent { seq, created_at, attempts: row.get(2), body: None });
        }
    }
    embody(&mut claimed, rows);
    claimed
}

/// Gives the events their bodies, and those their tenants' routing versions: the other two kinds of row.
fn embody(events: &mut [ClaimedEvent], rows: &[Row]) {
    let mut bodies: HashMap<i64, EventBody> = HashMap::with_capacity(events.len());
    let mut versions: HashMap<&str, i64> = HashMap::new();
    for row in rows {
        let (seq, created_at): (Option<i64>, Option<Timestamp>) = (row.get(0), row.get(1));
        match seq {
            Some(seq) if created_at.is_none() => drop(bodies.insert(seq, body(row))),
            Some(_) => {}
            None => drop(versions.insert(row.get(3), row.get(12))),
        }
    }
    for event in events.iter_mut().filter(|event| event.body.is_none()) {
        event.body = bodies.remove(&event.seq);
        if let Some(body) = &mut event.body {
            body.routing_version = versions.get(body.tenant_id.as_str()).copied().unwrap_or(0);
        }
    }
}

/// A body without its tenant's routing version.
fn body(row: &Row) -> EventBody {
    EventBody {
        tenant_id: row.get(3),
        id: row.get(4),
        event_type: row.get(5),
        attributes: row.get(6),
        labels: row.get::<_, Option<Vec<String>>>(7).unwrap_or_default(),
        ordering_key: row.get(8),
        envelope: Bytes::copy_from_slice(row.get::<_, &str>(9).as_bytes()),
        traceparent: row.get(10),
        expires_at: row.get(11),
        routing_version: 0,
    }
}
