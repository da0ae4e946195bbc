//! What the statements of batches bring back: rows of several kinds, put together by the event that they share.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use postrider_core::batch::{BatchPolicy, Encoding};
use postrider_core::ids::{BatchId, DeliveryId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{DueDelivery, EventSize, Leased, StoredBatch, StoredMember};
use crate::deliveries::EventPayload;

/// The one row of a look that is about the endpoint itself.
pub(super) fn is_about_endpoint(row: &Row) -> bool {
    row.get::<_, Option<i64>>("event_seq").is_none()
}

/// What the endpoint asks for.
pub(super) fn policy(row: &Row) -> Option<BatchPolicy> {
    let events = row.get::<_, Option<i16>>("max_events")?;
    let wait = row.get::<_, Option<i32>>("max_wait_ms")?;
    let bytes = row.get::<_, Option<i32>>("max_bytes")?;
    let encoding = Encoding::parse(row.get::<_, Option<&str>>("encoding")?).ok()?;
    let wait = Duration::from_millis(u64::try_from(wait).ok()?);
    // The table's limits are the same.
    BatchPolicy::new(events.into(), wait, bytes.into(), encoding).ok()
}

/// Puts deliveries and the sizes of their events together.
pub(super) fn due_deliveries(rows: &[Row]) -> Vec<DueDelivery> {
    let mut due: Vec<DueDelivery> = Vec::with_capacity(rows.len() / 2);
    let mut events: HashMap<i64, EventSize> = HashMap::with_capacity(rows.len() / 2);
    for row in rows {
        let Some(seq) = row.get::<_, Option<i64>>("event_seq") else { continue };
        match row.get::<_, Option<Uuid>>("id") {
            Some(id) => due.push(delivery(row, id, seq)),
            None => drop(events.insert(seq, event_size(row))),
        }
    }
    for delivery in &mut due {
        delivery.event = events.get(&delivery.seq).cloned();
    }
    due.sort_by_key(|delivery| std::cmp::Reverse(delivery.waited));
    due
}

fn delivery(row: &Row, id: Uuid, seq: i64) -> DueDelivery {
    DueDelivery {
        id: DeliveryId(id),
        seq,
        attempts: u16::try_from(row.get::<_, i16>("attempts")).unwrap_or(0),
        waited: Duration::try_from_secs_f64(row.get("waited")).unwrap_or_default(),
        batch: row.get::<_, Option<Uuid>>("batch_id").map(BatchId),
        event: None,
    }
}

fn event_size(row: &Row) -> EventSize {
    let bytes = |column| usize::try_from(row.get::<_, i32>(column)).unwrap_or(0);
    EventSize {
        id_bytes: bytes("id_bytes"),
        envelope_bytes: bytes("envelope_bytes"),
        event_type: row.get("type"),
        expired: row.get("expired"),
    }
}

/// What is known of a member that is locked.
struct LockedMember {
    leased: bool,
    batch: Option<Uuid>,
    seq: i64,
}

/// Puts batches, their members and what became of them together.
pub(super) fn stored_batches(rows: &[Row]) -> Vec<StoredBatch> {
    let mut batches = Vec::new();
    let mut locked: HashMap<Uuid, LockedMember> = HashMap::new();
    let mut expired: HashMap<i64, bool> = HashMap::new();
    let mut open: HashSet<Uuid> = HashSet::new();
    for row in rows {
        let seq: Option<i64> = row.get("event_seq");
        match (row.get::<_, Option<Uuid>>("stored"), row.get::<_, Option<Uuid>>("id"), seq) {
            (Some(id), _, _) => batches.push((id, row)),
            (None, Some(id), Some(seq)) => {
                let (leased, batch) = (row.get("leased"), row.get("batch_id"));
                locked.insert(id, LockedMember { leased, batch, seq });
            }
            (None, None, Some(seq)) => drop(expired.insert(seq, row.get("expired"))),
            (None, Some(id), None) => drop(open.insert(id)),
            (None, None, None) => {}
        }
    }
    let stored = |(id, row): (Uuid, &Row)| {
        let mut batch = StoredBatch {
            id: BatchId(id),
            format: row.get::<_, &str>("format").parse().ok(),
            encoding: Encoding::parse(row.get("encoding")).ok(),
            members: Vec::new(),
            broken: false,
            busy: false,
        };
        for member in row.get::<_, Vec<Uuid>>("members") {
            match locked.get(&member) {
                Some(known) if known.batch == Some(id) => {
                    batch.busy |= known.leased;
                    // No entry: the body is gone.
                    let unsendable = expired.get(&known.seq).copied().unwrap_or(true);
                    batch.members.push(StoredMember { id: DeliveryId(member), unsendable });
                }
                None if open.contains(&member) => batch.busy = true,
                Some(_) | None => batch.broken = true,
            }
        }
        batch
    };
    batches.into_iter().map(stored).collect()
}

/// Puts what was leased and its events together.
pub(super) fn leased(rows: &[Row]) -> Vec<Leased> {
    let mut leased = Vec::with_capacity(rows.len() / 2);
    let mut events: HashMap<i64, &Row> = HashMap::with_capacity(rows.len() / 2);
    for row in rows {
        let seq: i64 = row.get("event_seq");
        match row.get::<_, Option<Uuid>>("id") {
            Some(id) => leased.push((seq, id, row)),
            None => drop(events.insert(seq, row)),
        }
    }
    leased
        .into_iter()
        .map(|(seq, id, row)| Leased {
            id: DeliveryId(id),
            lease_no: row.get("lease_no"),
            attempts: u16::try_from(row.get::<_, i16>("attempts")).unwrap_or(0),
            event: events.get(&seq).map(|row| payload(row)),
        })
        .collect()
}

fn payload(row: &Row) -> EventPayload {
    EventPayload {
        id: row.get("event_id"),
        envelope: Bytes::copy_from_slice(row.get::<_, &str>("envelope").as_bytes()),
        traceparent: row.get("traceparent"),
        expires_at: row.get::<_, Option<Timestamp>>("expires_at"),
    }
}
