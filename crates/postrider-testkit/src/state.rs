//! The database's side of a run: its rows after the drain, and which transactions committed.
//! Reads the ledger, the bodies, the queue, the failed events and the deliveries; writes nothing.

use std::collections::{HashMap, HashSet};

use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::journal::{Journals, PublisherEntry, data_of_envelope, sha256_hex};

/// A table that publishers of a test write into in the transaction that publishes: a row with the transaction's name.
/// It is the business row that an outbox exists for, and says for certain whether a transaction committed. (The number
/// of a transaction does not: after a crash the server may give it to another one.)
pub const BUSINESS_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS public.testkit_business (txn text NOT NULL)";

/// The rows that matter, after the drain.
#[derive(Debug, Default, Clone)]
pub struct DatabaseState {
    /// The events: ledger and body.
    pub events: Vec<EventRow>,
    /// The `seq` of events that wait for fan-out.
    pub pending: HashSet<i64>,
    /// The `seq` of events that fan-out has given up, with its reason.
    pub failed: HashMap<i64, String>,
    /// The deliveries, open and closed.
    pub deliveries: Vec<DeliveryRow>,
    /// The transactions of the journals that committed, as far as the database can tell.
    pub committed: HashSet<String>,
    /// The transactions of the journals that the database cannot tell anything about.
    pub unknown: HashSet<String>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its number.
    pub seq: i64,
    /// Whose it is.
    pub tenant: String,
    /// Its id.
    pub id: String,
    /// Its type, where there is a body.
    pub event_type: String,
    /// How many bodies there are: one, where nothing is wrong.
    pub bodies: u32,
    /// SHA-256 of the envelope, in hex.
    pub envelope_sha256: String,
    /// SHA-256 of `data`, in hex.
    pub data_sha256: String,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: Uuid,
    /// The endpoint it is owed to.
    pub endpoint: Uuid,
    /// Whose it is.
    pub tenant: String,
    /// The event's number.
    pub event_seq: i64,
    /// 0, or the number of the redelivery.
    pub replay: i16,
    /// Its status.
    pub status: String,
    /// Its reason, where there is one.
    pub reason: Option<String>,
    /// How many attempts it counted.
    pub attempts: i16,
}

impl DatabaseState {
    /// Reads everything, in one snapshot.
    ///
    /// # Errors
    /// When the database does not answer or has another schema.
    pub async fn read(client: &mut Client, journals: &Journals) -> Result<DatabaseState, Error> {
        let builder = client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .read_only(true);
        let tx = builder.start().await?;
        let mut state = DatabaseState::default();

        let events = "SELECT l.seq, l.tenant_id, l.id, coalesce(min(b.type), ''), count(b.seq), coalesce(min(b.envelope), '')
                      FROM postrider.webhook_event_ids l LEFT JOIN postrider.webhook_events b USING (seq)
                      GROUP BY l.seq, l.tenant_id, l.id ORDER BY l.seq";
        for row in tx.query(events, &[]).await? {
            let envelope: String = row.get(5);
            state.events.push(EventRow {
                seq: row.get(0),
                tenant: row.get(1),
                id: row.get(2),
                event_type: row.get(3),
                bodies: u32::try_from(row.get::<_, i64>(4)).unwrap_or(u32::MAX),
                envelope_sha256: sha256_hex(&envelope),
                data_sha256: sha256_hex(data_of_envelope(envelope.as_bytes()).unwrap_or_default()),
            });
        }
        for row in tx.query("SELECT seq FROM postrider.webhook_events_pending", &[]).await? {
            state.pending.insert(row.get(0));
        }
        for row in tx.query("SELECT seq, reason FROM postrider.webhook_events_failed", &[]).await? {
            state.failed.insert(row.get(0), row.get(1));
        }
        let deliveries = "SELECT id, endpoint_id, tenant_id, event_seq, replay, status, reason, attempts FROM postrider.webhook_deliveries";
        for row in tx.query(deliveries, &[]).await? {
            state.deliveries.push(DeliveryRow {
                id: row.get(0),
                endpoint: row.get(1),
                tenant: row.get(2),
                event_seq: row.get(3),
                replay: row.get(4),
                status: row.get(5),
                reason: row.get(6),
                attempts: row.get(7),
            });
        }
        let business: bool = tx
            .query_one("SELECT to_regclass('public.testkit_business') IS NOT NULL", &[])
            .await?
            .get(0);
        if business {
            for row in tx.query("SELECT txn FROM public.testkit_business", &[]).await? {
                state.committed.insert(row.get(0));
            }
        } else {
            state.ask_for_numbers(&tx, journals).await?;
        }
        tx.commit().await?;
        Ok(state)
    }

    /// Without business rows: asks what became of each transaction's number.
    async fn ask_for_numbers(
        &mut self,
        tx: &tokio_postgres::Transaction<'_>,
        journals: &Journals,
    ) -> Result<(), Error> {
        let mut numbers: HashMap<String, Vec<&str>> = HashMap::new();
        for entry in &journals.publisher {
            if let PublisherEntry::Intent { txn, xid, .. } = entry {
                let named = numbers.entry(xid.to_string()).or_default();
                if !named.contains(&txn.as_str()) {
                    named.push(txn);
                }
            }
        }
        let asked: Vec<&String> = numbers.keys().collect();
        // A number that is still to come belonged to a transaction of which a crash left nothing.
        let sql = "SELECT n.x, CASE WHEN n.x::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN 'aborted' ELSE pg_xact_status(n.x::xid8) END
                   FROM unnest($1::text[]) AS n(x)";
        for row in tx.query(sql, &[&asked]).await? {
            let (number, status): (String, Option<String>) = (row.get(0), row.get(1));
            // Given twice: of the earlier transaction a crash left nothing.
            let Some(txn) = numbers.get(&number).and_then(|named| named.last()) else { continue };
            let told = match status.as_deref() {
                Some("committed") => &mut self.committed,
                Some("aborted") => continue,
                _ => &mut self.unknown,
            };
            told.insert((*txn).to_owned());
        }
        Ok(())
    }
}
