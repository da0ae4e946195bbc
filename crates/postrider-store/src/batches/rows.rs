//! What the statements of batches bring back: deliveries, put together with the sizes of their events.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_core::batch::{BatchManner, BatchPolicy, Encoding};
use postrider_core::ids::{BatchId, DeliveryId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{DueDelivery, EventSize, Leased, StoredBatch, StoredMember};
use crate::deliveries::EventPayload;

/// Sizes of events by their `seq`.
pub(super) type Sizes = HashMap<i64, EventSize>;

/// The one row of a look that is about the endpoint itself.
pub(super) fn is_about_endpoint(row: &Row) -> bool {
    row.get::<_, Option<Uuid>>("id").is_none()
}

/// The events of these rows, with the first and the last of their times; `None` if they have none.
pub(super) fn events_of(rows: &[Row]) -> Option<(Vec<i64>, Timestamp, Timestamp)> {
    let seqs = rows.iter().filter_map(|row| row.get("event_seq")).collect();
    let times =
        || rows.iter().filter_map(|row| row.get::<_, Option<Timestamp>>("event_created_at"));
    Some((seqs, times().min()?, times().max()?))
}

/// What `sizes` brought.
pub(super) fn sizes(rows: &[Row]) -> Sizes {
    rows.iter().map(|row| (row.get("seq"), event_size(row))).collect()
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

/// How its batches are made, by columns of the same names and its format.
pub(crate) fn manner(row: &Row) -> Option<BatchManner> {
    Some(BatchManner { policy: policy(row)?, format: row.get::<_, &str>("format").parse().ok()? })
}

/// Puts deliveries and the sizes of their events together, oldest due first.
pub(super) fn due_deliveries(rows: &[Row], sizes: &Sizes) -> Vec<DueDelivery> {
    let due = rows.iter().filter(|row| !is_about_endpoint(row)).map(|row| delivery(row, sizes));
    let mut due: Vec<DueDelivery> = due.collect();
    due.sort_by_key(|delivery| std::cmp::Reverse(delivery.waited));
    due
}

fn delivery(row: &Row, sizes: &Sizes) -> DueDelivery {
    let seq = row.get("event_seq");
    DueDelivery {
        id: DeliveryId(row.get("id")),
        seq,
        attempts: u16::try_from(row.get::<_, i16>("attempts")).unwrap_or(0),
        waited: Duration::try_from_secs_f64(row.get("waited")).unwrap_or_default(),
        batch: row.get::<_, Option<Uuid>>("batch_id").map(BatchId),
        replay: row.get("replay"),
        event: sizes.get(&seq).cloned(),
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
pub(super) fn stored_batches(rows: &[Row], sizes: &Sizes) -> Vec<StoredBatch> {
    let mut batches = Vec::new();
    let mut locked: HashMap<Uuid, LockedMember> = HashMap::new();
    let mut open: HashSet<Uuid> = HashSet::new();
    for row in rows {
        if let Some(id) = row.get::<_, Option<Uuid>>("stored") {
            batches.push((id, row));
            continue;
        }
        match (row.get("id"), row.get::<_, Option<i64>>("event_seq")) {
            (id, Some(seq)) => {
                let (leased, batch) = (row.get("leased"), row.get("batch_id"));
                locked.insert(id, LockedMember { leased, batch, seq });
            }
            (id, None) => drop(open.insert(id)),
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
                    // Without a size its body is gone.
                    let size = sizes.get(&known.seq);
                    batch.members.push(StoredMember {
                        id: DeliveryId(member),
                        unsendable: size.is_none_or(|event| event.expired),
                        bytes: size.map_or(0, |event| event.envelope_bytes),
                    });
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
pub(super) fn leased(rows: &[Row], events: &HashMap<i64, Arc<EventPayload>>) -> Vec<Leased> {
    let leased = |row: &Row| Leased {
        id: DeliveryId(row.get("id")),
        lease_no: row.get("lease_no"),
        attempts: u16::try_from(row.get::<_, i16>("attempts")).unwrap_or(0),
        replay: row.get("replay"),
        event: events.get(&row.get::<_, i64>("event_seq")).cloned(),
    };
    rows.iter().map(leased).collect()
}
