//! Deliveries that are owed: leasing what is due, and recording what came back (`record`).
//! Reads and writes `webhook_deliveries_open`; writes `webhook_deliveries_closed` and `webhook_attempts`.
//! Every write names the lease it acts under (`lease_owner`, `lease_no`); what a newer lease took over is not touched.

pub(crate) mod record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join;
use jiff::Timestamp;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::control::ENDPOINTS_CHANNEL;
use crate::statement::{
    CONTROL_NOTIFY, DELIVERIES_BODIES, DELIVERIES_DUE, DELIVERIES_NEXT_DUE, DELIVERIES_PULL,
    DELIVERIES_PULL_ORDERED, DELIVERIES_RELEASE,
};
use crate::{Db, Session, StoreError};

pub use record::{AttemptRecord, Close, Recorded, Records, Reschedule, record};

/// What is sent: shared by all deliveries of an event.
#[derive(Debug)]
pub struct EventPayload {
    /// The event's id, sent as `webhook-id`.
    pub id: String,
    pub envelope: Bytes,
    pub traceparent: Option<String>,
    /// Not delivered by then: the delivery ends as `expired`.
    pub expires_at: Option<Timestamp>,
}

/// A delivery that belongs to this worker until its lease ends.
#[derive(Debug, Clone)]
pub struct LeasedDelivery {
    pub id: DeliveryId,
    pub endpoint: EndpointId,
    pub lease_no: i32,
    /// Attempts made before this lease.
    pub attempts: u16,
    /// Others of its order key wait for its end.
    pub ordered: bool,
    /// The event was sent there before, and this is once more: what comes of it says nothing of the endpoint's health.
    pub replay: bool,
    /// `None`: the body is gone, nothing can be sent any more.
    pub event: Option<Arc<EventPayload>>,
    /// From before the leasing statement was sent; the lease certainly holds until `leased_at` + lease time.
    pub leased_at: Instant,
    /// The request carries all of these, of which this is the first; `event` is then the batch as it is sent.
    pub batch: Option<Arc<LeasedBatch>>,
}

/// Several deliveries of one endpoint that go in one request. All are leased together.
#[derive(Debug)]
pub struct LeasedBatch {
    pub id: BatchId,
    /// In the order in which they stand in the body.
    pub members: Vec<BatchMember>,
    /// The request's `content-type`.
    pub content_type: &'static str,
    /// When the first of them must not be sent any more, and so the batch.
    pub expires_at: Option<Timestamp>,
}

/// One delivery of a batch.
#[derive(Debug, Clone)]
pub struct BatchMember {
    pub id: DeliveryId,
    pub lease_no: i32,
    /// Attempts made before this lease.
    pub attempts: u16,
    pub event_id: String,
}

impl LeasedDelivery {
    /// The leases that this holds: its own, or those of all its batch's members.
    pub fn leases(&self) -> impl Iterator<Item = (DeliveryId, i32)> + '_ {
        let members = self.batch.as_deref().map_or(&[][..], |batch| &batch.members);
        let own = self.batch.is_none().then_some((self.id, self.lease_no));
        own.into_iter().chain(members.iter().map(|member| (member.id, member.lease_no)))
    }

    /// The same taken apart: each delivery by itself, without its event. For those that end without a request.
    #[must_use]
    pub fn singles(&self) -> Vec<Self> {
        let single = |id, lease_no, attempts| Self {
            id,
            lease_no,
            attempts,
            event: None,
            batch: None,
            ..self.clone()
        };
        match &self.batch {
            None => vec![single(self.id, self.lease_no, self.attempts)],
            Some(batch) => {
                batch.members.iter().map(|m| single(m.id, m.lease_no, m.attempts)).collect()
            }
        }
    }
}

/// What a pull leased.
#[derive(Debug, Default)]
pub struct Pulled {
    /// In the order of their events.
    pub deliveries: Vec<LeasedDelivery>,
    /// Ordered deliveries wait until events before theirs are fanned out.
    pub held: bool,
    /// What has no order goes in batches, or did: it is for `batches`, and nothing of it was leased.
    pub batching: bool,
}

/// Leases due deliveries of one endpoint for `owner`: up to `limit` without order, and the first ones of up to `limit` order keys.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pull(
    db: &Db,
    endpoint: EndpointId,
    limit: usize,
    owner: i64,
    lease: Duration,
) -> Result<Pulled, StoreError> {
    let mut session = db.session().await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let lease = whole_seconds(lease);
    let leased_at = Instant::now();
    let rows = session.begin_with(&DELIVERIES_PULL, &[&endpoint.0, &limit, &owner, &lease]).await?;
    let mut leased: Vec<Row> = Vec::with_capacity(rows.len());
    let (mut some_ordered, mut batching, mut held) = (false, false, false);
    for row in rows {
        match row.get::<_, Option<Uuid>>(0) {
            Some(_) => leased.push(row),
            None => (some_ordered, batching) = (row.get(5), row.get(6)),
        }
    }
    let unordered = leased.len();
    if some_ordered {
        for row in
            session.run(&DELIVERIES_PULL_ORDERED, &[&endpoint.0, &limit, &owner, &lease]).await?
        {
            match row.get::<_, Option<Uuid>>(0) {
                Some(_) => leased.push(row),
                None => held = true,
            }
        }
    }
    let events = commit_with_bodies(session, &leased).await?;
    let mut deliveries: Vec<(i64, LeasedDelivery)> = Vec::with_capacity(leased.len());
    for (place, row) in leased.iter().enumerate() {
        let seq = row.get(3);
        deliveries.push((
            seq,
            LeasedDelivery {
                id: DeliveryId(row.get(0)),
                endpoint,
                lease_no: row.get(1),
                attempts: u16::try_from(row.get::<_, i16>(2)).unwrap_or(0),
                ordered: place >= unordered,
                // What is ordered is sent once more without an order.
                replay: place < unordered && row.get("replay"),
                event: events.get(&seq).cloned(),
                leased_at,
                batch: None,
            },
        ));
    }
    deliveries.sort_unstable_by_key(|(seq, _)| *seq);
    let deliveries = deliveries.into_iter().map(|(_, delivery)| delivery).collect();
    Ok(Pulled { deliveries, held, batching })
}

/// Commits the leases of a pull and reads what they send, in one round trip. Dropped before, nothing is leased. The rows are (id, lease
/// number, attempts, event's seq, event's time).
pub(crate) async fn commit_with_bodies(
    mut session: Session,
    leased: &[Row],
) -> Result<HashMap<i64, Arc<EventPayload>>, StoreError> {
    let published = || leased.iter().map(|row| row.get::<_, Timestamp>(4));
    let (Some(first), Some(last)) = (published().min(), published().max()) else {
        session.commit().await?;
        return Ok(HashMap::new());
    };
    let seqs: Vec<i64> = leased.iter().map(|row| row.get(3)).collect();
    session.prepare(&DELIVERIES_BODIES).await?;
    let (rows, committed) =
        join(session.run(&DELIVERIES_BODIES, &[&seqs, &first, &last]), session.commit_pipelined())
            .await;
    if committed.is_ok() {
        session.committed();
    }
    let rows = rows?;
    committed?;
    Ok(rows.iter().map(|row| (row.get(0), Arc::new(payload(row)))).collect())
}

fn payload(row: &Row) -> EventPayload {
    EventPayload {
        id: row.get(1),
        envelope: Bytes::copy_from_slice(row.get::<_, &str>(2).as_bytes()),
        traceparent: row.get(3),
        expires_at: row.get(4),
    }
}

/// When each endpoint that has open deliveries is next due; zero if it is due now.
///
/// # Errors
/// When the database cannot be asked.
pub async fn due(db: &Db) -> Result<Vec<(EndpointId, Duration)>, StoreError> {
    let rows = db.session().await?.query(&DELIVERIES_DUE, &[]).await?;
    Ok(rows.iter().map(|row| (EndpointId(row.get(0)), from_now(row.get(1)))).collect())
}

/// When an endpoint is next due, zero if it is due now; `None` if nothing is owed to it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn next_due(db: &Db, endpoint: EndpointId) -> Result<Option<Duration>, StoreError> {
    let rows = db.session().await?.query(&DELIVERIES_NEXT_DUE, &[&endpoint.0]).await?;
    Ok(rows.first().map(|row| from_now(row.get(0))))
}

/// Gives leases back unused; how many were still ours.
///
/// # Errors
/// When the database cannot be asked.
pub async fn release(db: &Db, owner: i64, leases: &[(DeliveryId, i32)]) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> = leases.iter().map(|(id, _)| id.0).collect();
    let lease_nos: Vec<i32> = leases.iter().map(|(_, lease_no)| *lease_no).collect();
    let mut session = db.session().await?;
    session.begin().await?;
    let released = session.execute(&DELIVERIES_RELEASE, &[&ids, &lease_nos, &owner]).await?;
    session.commit().await?;
    Ok(released)
}

/// Tells every worker that LISTENs to look for what is due.
///
/// # Errors
/// When the database cannot be asked; who polls finds it within seconds.
pub async fn tell_workers(db: &Db) -> Result<(), StoreError> {
    db.session().await?.query(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await.map(drop)
}

/// What is past is due now.
fn from_now(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// Rounded up: a lease in its row never ends before the one that its owner reckons with.
pub(crate) fn whole_seconds(lease: Duration) -> i32 {
    i32::try_from(lease.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// A time as ids have it: since the epoch, in milliseconds.
pub(crate) fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}
