//! Deliveries that are owed: leasing what is due, and recording what came back (`record`).
//! Reads and writes `webhook_deliveries_open`; writes `webhook_deliveries_closed` and `webhook_attempts`.
//! Every write names the lease it acts under (`lease_owner`, `lease_no`); what a newer lease took over is not touched.

pub(crate) mod record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::statement::{DELIVERIES_DUE, DELIVERIES_NEXT_DUE, DELIVERIES_PULL, DELIVERIES_RELEASE};
use crate::{Db, StoreError};

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
    let leased_at = Instant::now();
    let rows = session
        .query(&DELIVERIES_PULL, &[&endpoint.0, &limit, &owner, &whole_seconds(lease)])
        .await?;
    let mut events: HashMap<i64, Arc<EventPayload>> = HashMap::with_capacity(rows.len() / 2);
    let mut leased = Vec::with_capacity(rows.len() / 2);
    let (mut held, mut batching) = (false, false);
    for row in &rows {
        let (seq, id): (Option<i64>, Option<Uuid>) = (row.get(0), row.get(1));
        match (seq, id) {
            (Some(seq), Some(id)) => {
                leased.push((seq, id, row.get(2), row.get::<_, i16>(3), row.get(8)));
            }
            (Some(seq), None) => drop(events.insert(seq, Arc::new(payload(row)))),
            // Which of the two it is stands where an event says whether it has an order.
            (None, _) => match row.get(8) {
                Some(true) => held = true,
                _ => batching = true,
            },
        }
    }
    leased.sort_unstable_by_key(|(seq, ..)| *seq);
    let delivery =
        |(seq, id, lease_no, attempts, ordered): (i64, Uuid, i32, i16, bool)| LeasedDelivery {
            id: DeliveryId(id),
            endpoint,
            lease_no,
            attempts: u16::try_from(attempts).unwrap_or(0),
            ordered,
            event: events.get(&seq).cloned(),
            leased_at,
            batch: None,
        };
    Ok(Pulled { deliveries: leased.into_iter().map(delivery).collect(), held, batching })
}

fn payload(row: &Row) -> EventPayload {
    EventPayload {
        id: row.get(4),
        envelope: Bytes::copy_from_slice(row.get::<_, &str>(5).as_bytes()),
        traceparent: row.get(6),
        expires_at: row.get(7),
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

/// What is past is due now.
fn from_now(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// Rounded up: a lease in its row never ends before the one that its owner reckons with.
pub(crate) fn whole_seconds(lease: Duration) -> i32 {
    i32::try_from(lease.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}
