//! Batches: several deliveries of one endpoint that go in one request.
//! Reads and leases `webhook_deliveries_open`; writes `webhook_delivery_batches`. What came of a batch is in `record`.
//!
//! [`look`] says what there is without touching it. [`BatchClaim`] is a transaction: what is due is locked, the caller decides, what
//! it chose is leased and committed. Nothing is sent before that.

mod formed;
mod record;
mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::batch::{BatchManner, Encoding};
use postrider_core::format::Format;
use postrider_core::ids::{BatchId, DeliveryId, EndpointId};
use tokio_postgres::Row;
use uuid::Uuid;

use self::rows::{
    Sizes, due_deliveries, events_of, is_about_endpoint, leased, sizes, stored_batches,
};
use crate::deliveries::{EventPayload, commit_with_bodies, whole_seconds};
use crate::statement::{
    BATCHES_CLAIM, BATCHES_FORGET, BATCHES_LEASE, BATCHES_LOOK, BATCHES_SIZES, BATCHES_STORED,
};
use crate::{Db, Session, StoreError};

pub use formed::{FormedBatches, together};
pub use record::{BatchRecords, MemberAttempt, Request, record, record_together};
pub(crate) use rows::manner;

/// A delivery that is due at an endpoint with batches.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    pub id: DeliveryId,
    /// Its event's place among all.
    pub seq: i64,
    /// Attempts made.
    pub attempts: u16,
    /// Since it fell due.
    pub waited: Duration,
    /// The batch it was last sent in, over or not.
    pub batch: Option<BatchId>,
    /// The event was sent there before, and this is once more.
    pub replay: bool,
    /// `None`: the body is gone.
    pub event: Option<EventSize>,
}

/// What has to be known of an event to form a batch.
#[derive(Debug, Clone)]
pub struct EventSize {
    pub id_bytes: usize,
    pub envelope_bytes: usize,
    pub event_type: String,
    /// It is not to be delivered any more.
    pub expired: bool,
}

/// What there is to do for an endpoint with batches.
#[derive(Debug)]
pub struct Look {
    /// In due order, oldest first.
    pub due: Vec<DueDelivery>,
    pub tenant: String,
    /// Whether it asks for batches.
    pub asks: bool,
    /// How they are made; `None` also where this binary cannot read what it asks for.
    pub manner: Option<BatchManner>,
    /// Deliveries with an order key are left, from before it asked for batches.
    pub ordered: bool,
    /// What is due has batches that are to be sent again; or, where it asks for none, some are left of when it did.
    pub batched: bool,
    /// When something that is not due yet will be.
    pub next_due: Option<Duration>,
    /// What the look cost, without the wait for a connection.
    pub took: Duration,
}

/// A batch that was formed before, as it is found now. All of its open members are locked.
#[derive(Debug)]
pub struct StoredBatch {
    pub id: BatchId,
    pub format: Option<Format>,
    pub encoding: Option<Encoding>,
    /// In the order of the body; without those that ended or are in another batch by now.
    pub members: Vec<StoredMember>,
    /// Members have gone: it is never sent again.
    pub broken: bool,
    /// A member belongs to somebody else just now: it has to wait.
    pub busy: bool,
}

/// A member of a batch that is still owed.
#[derive(Debug, Clone, Copy)]
pub struct StoredMember {
    pub id: DeliveryId,
    /// It has no body any more, or has expired.
    pub unsendable: bool,
    /// Of its envelope.
    pub bytes: usize,
}

/// What to lease.
#[derive(Debug, Default)]
pub struct Plan {
    pub alone: Vec<DeliveryId>,
    pub batches: Vec<PlannedBatch>,
    /// Batches that are followed by another, or by nothing.
    pub forget: Vec<BatchId>,
}

/// A batch to be leased.
#[derive(Debug)]
pub struct PlannedBatch {
    pub id: BatchId,
    pub members: Vec<DeliveryId>,
    pub format: Format,
    pub encoding: Encoding,
    /// It is stored already.
    pub stored: bool,
}

/// A delivery that was leased, with its event.
#[derive(Debug)]
pub struct Leased {
    pub id: DeliveryId,
    pub lease_no: i32,
    pub attempts: u16,
    /// The event was sent there before, and this is once more.
    pub replay: bool,
    pub event: Option<Arc<EventPayload>>,
}

/// What is due to an endpoint with batches, at most `limit` deliveries of it; nothing is locked.
///
/// # Errors
/// When the database cannot be asked.
pub async fn look(
    db: &Db,
    endpoint: EndpointId,
    limit: usize,
    owner: i64,
) -> Result<Look, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut session = db.session().await?;
    let begun = Instant::now();
    let rows = session.query(&BATCHES_LOOK, &[&endpoint.0, &limit, &owner]).await?;
    let sizes = match events_of(&rows) {
        Some((seqs, first, last)) => {
            sizes(&session.query(&BATCHES_SIZES, &[&seqs, &first, &last]).await?)
        }
        None => Sizes::new(),
    };
    drop(session);
    let took = begun.elapsed();
    let about = rows.iter().find(|row| is_about_endpoint(row));
    let text = |column: &str| about.and_then(|row| row.get::<_, Option<String>>(column));
    Ok(Look {
        due: due_deliveries(&rows, &sizes),
        tenant: text("tenant_id").unwrap_or_default(),
        asks: about.is_some_and(|row| row.get::<_, Option<i16>>("max_events").is_some()),
        manner: about.and_then(manner),
        ordered: about.is_some_and(|row| row.get("ordered")),
        batched: about.is_some_and(|row| row.get("batched")),
        next_due: about
            .and_then(|row| row.get::<_, Option<f64>>("next_due"))
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        took,
    })
}

/// An open transaction that holds due deliveries of one endpoint. Dropped unfinished, nothing has happened.
pub struct BatchClaim {
    session: Session,
}

impl BatchClaim {
    /// Locks up to `limit` due deliveries, oldest first, passing over those that others hold.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn begin(
        db: &Db,
        endpoint: EndpointId,
        limit: usize,
        owner: i64,
    ) -> Result<(Self, Vec<DueDelivery>), StoreError> {
        let mut session = db.session().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = session.begin_with(&BATCHES_CLAIM, &[&endpoint.0, &limit, &owner]).await?;
        let claim = Self { session };
        let sizes = claim.sizes(&rows).await?;
        Ok((claim, due_deliveries(&rows, &sizes)))
    }

    /// Reads batches that were formed before and locks their members. Those that are over are left out.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn stored(&self, ids: &[BatchId]) -> Result<Vec<StoredBatch>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = self.session.run(&BATCHES_STORED, &[&ids]).await?;
        let sizes = self.sizes(&rows).await?;
        Ok(stored_batches(&rows, &sizes))
    }

    async fn sizes(&self, rows: &[Row]) -> Result<Sizes, StoreError> {
        let Some((seqs, first, last)) = events_of(rows) else { return Ok(Sizes::new()) };
        Ok(sizes(&self.session.run(&BATCHES_SIZES, &[&seqs, &first, &last]).await?))
    }

    /// Leases what was chosen and commits; the leased, in no order, and the moment from which their leases count.
    ///
    /// # Errors
    /// When a statement or the commit fails; nothing is leased then, unless the commit's answer was lost.
    pub async fn lease(
        self,
        endpoint: EndpointId,
        plan: &Plan,
        owner: i64,
        lease: Duration,
    ) -> Result<(Vec<Leased>, Instant), StoreError> {
        let mut columns = Columns::default();
        let mut formed = FormedBatches::default();
        for batch in &plan.batches {
            batch.members.iter().for_each(|member| columns.push(*member, Some(batch.id)));
            if !batch.stored {
                formed.push(endpoint, batch);
            }
        }
        plan.alone.iter().for_each(|id| columns.push(*id, None));
        let session = &self.session;
        if !plan.forget.is_empty() {
            let gone: Vec<Uuid> = plan.forget.iter().map(|id| id.0).collect();
            session.execute(&BATCHES_FORGET, &[&gone]).await?;
        }
        formed.insert(session).await?;
        let leased_at = Instant::now();
        let (ids, of) = (&columns.ids, &columns.of);
        let rows = match ids.is_empty() {
            true => Vec::new(),
            false => session.run(&BATCHES_LEASE, &[ids, of, &owner, &whole_seconds(lease)]).await?,
        };
        let events = commit_with_bodies(self.session, &rows).await?;
        Ok((leased(&rows, &events), leased_at))
    }

    /// Gives everything back.
    ///
    /// # Errors
    /// When the session is lost, which gives it back too.
    pub async fn abandon(mut self) -> Result<(), StoreError> {
        self.session.rollback().await
    }
}

/// The columns of the statement that leases.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    of: Vec<Option<Uuid>>,
}

impl Columns {
    fn push(&mut self, id: DeliveryId, batch: Option<BatchId>) {
        self.ids.push(id.0);
        self.of.push(batch.map(|batch| batch.0));
    }
}
