//! What is known about endpoints that fail. Reads and writes `webhook_endpoint_health`, by compare-and-set on its revision; a
//! transition's operator event is published in the same transaction, so it is told once.

use std::time::Duration;

use jiff::Timestamp;
use postrider_core::health::{Circuit, Health};
use postrider_core::ids::EndpointId;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::control::ENDPOINTS_CHANNEL;
use crate::deliveries::whole_seconds;
use crate::statement::{
    ADMIN_ENDPOINTS_SET_ENABLED, CONTROL_NOTIFY, ENDPOINT_HEALTH_GIVE_BACK,
    ENDPOINT_HEALTH_IMPATIENT, ENDPOINT_HEALTH_PROBE, ENDPOINT_HEALTH_READ, ENDPOINT_HEALTH_TELL,
    ENDPOINT_HEALTH_UNWELL, ENDPOINT_HEALTH_WRITE,
};
use crate::{Db, StoreError};

/// What is known about one endpoint, as it is stored.
#[derive(Debug, Clone)]
pub struct HealthRow {
    pub endpoint: EndpointId,
    /// Counted up by every write; 0: there is no row, and the record is clean.
    pub revision: i64,
    pub health: Health,
    /// The worker that has the one probe, and until when it is its own; both while the circuit is half open.
    pub probe: Option<(i64, Timestamp)>,
    /// Somebody paused the endpoint: no attempt starts until somebody lets it go on, however well it is.
    pub paused: bool,
}

/// What is to be known about one endpoint from now on.
#[derive(Debug, Clone)]
pub struct HealthChange {
    pub endpoint: EndpointId,
    /// As it was read: only then it is written.
    pub revision: i64,
    pub health: Health,
    /// Operator events: their types, and what their data say besides the endpoint's id.
    pub events: Vec<(&'static str, Value)>,
    /// Whether its deliveries begin or cease to flow, so that the other workers are told to look.
    pub knock: bool,
}

impl HealthRow {
    /// The record of an endpoint that has none.
    #[must_use]
    pub fn clean(endpoint: EndpointId) -> Self {
        Self { endpoint, revision: 0, health: Health::default(), probe: None, paused: false }
    }
}

/// What is known about these endpoints, in their order; a clean record for those that never failed.
///
/// # Errors
/// When the database cannot be asked.
pub async fn read(db: &Db, endpoints: &[EndpointId]) -> Result<Vec<HealthRow>, StoreError> {
    let ids: Vec<Uuid> = endpoints.iter().map(|endpoint| endpoint.0).collect();
    let rows = db.session().await?.query(&ENDPOINT_HEALTH_READ, &[&ids]).await?;
    let mut found: std::collections::HashMap<_, _> =
        rows.iter().map(health_row).map(|row| (row.endpoint, row)).collect();
    Ok(endpoints
        .iter()
        .map(|endpoint| found.remove(endpoint).unwrap_or_else(|| HealthRow::clean(*endpoint)))
        .collect())
}

/// What is known about every endpoint that is not well, or that somebody paused.
///
/// # Errors
/// When the database cannot be asked.
pub async fn unwell(db: &Db) -> Result<Vec<HealthRow>, StoreError> {
    let rows = db.session().await?.query(&ENDPOINT_HEALTH_UNWELL, &[]).await?;
    Ok(rows.iter().map(health_row).collect())
}

/// Writes what nobody else has changed since it was read, and publishes its events, in one transaction; returns whom it wrote.
/// The changes are in the order of their endpoints, which is that of the locks.
///
/// # Errors
/// When the database cannot be asked, or somebody else holds one of the rows for half a second; nothing is written then.
pub async fn write(db: &Db, changes: &[HealthChange]) -> Result<Vec<EndpointId>, StoreError> {
    let column = |time: fn(&Health) -> Option<Timestamp>| -> Vec<Option<Timestamp>> {
        changes.iter().map(|change| time(&change.health)).collect()
    };
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let endpoints: Vec<Uuid> = changes.iter().map(|c| c.endpoint.0).collect();
    let revisions: Vec<i64> = changes.iter().map(|c| c.revision).collect();
    let circuits: Vec<&str> = changes.iter().map(|c| c.health.circuit.as_str()).collect();
    let failures: Vec<i32> =
        changes.iter().map(|c| number(c.health.consecutive_failures)).collect();
    let probes: Vec<i32> = changes.iter().map(|c| number(c.health.failed_probes)).collect();
    let mut session = db.session().await?;
    session.begin_with(&ENDPOINT_HEALTH_IMPATIENT, &[]).await?;
    let rows = session
        .run(
            &ENDPOINT_HEALTH_WRITE,
            &[
                &endpoints,
                &revisions,
                &circuits,
                &failures,
                &probes,
                &column(|h| h.opened_at),
                &column(|h| h.next_probe_at),
                &column(|h| h.paused_until),
                &column(|h| h.first_failure_at),
                &column(|h| h.last_success_at),
                &column(|h| h.warned_at),
            ],
        )
        .await?;
    let written: Vec<EndpointId> = rows.iter().map(|row| EndpointId(row.get(0))).collect();
    for change in changes.iter().filter(|change| written.contains(&change.endpoint)) {
        for (name, data) in &change.events {
            session.run(&ENDPOINT_HEALTH_TELL, &[&change.endpoint.0, name, data]).await?;
        }
    }
    if changes.iter().any(|change| change.knock) {
        // The other workers look at once.
        session.run(&CONTROL_NOTIFY, &[&ENDPOINTS_CHANNEL, &""]).await?;
    }
    session.commit().await?;
    Ok(written)
}

/// Takes the one probe of an endpoint for `owner`; false if its time has not come, or another worker has it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn probe(
    db: &Db,
    endpoint: EndpointId,
    owner: i64,
    lease: Duration,
) -> Result<bool, StoreError> {
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&endpoint.0, &owner, &whole_seconds(lease)];
    Ok(db.session().await?.command(&ENDPOINT_HEALTH_PROBE, &params).await? > 0)
}

/// Gives a probe back by which nothing could be judged; the next one may be made after `wait`.
///
/// # Errors
/// When the database cannot be asked; the probe's lease ends by itself then.
pub async fn give_back(
    db: &Db,
    endpoint: EndpointId,
    owner: i64,
    wait: Duration,
) -> Result<(), StoreError> {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&endpoint.0, &owner, &wait];
    let mut session = db.session().await?;
    session.begin_with(&ENDPOINT_HEALTH_IMPATIENT, &[]).await?;
    session.execute(&ENDPOINT_HEALTH_GIVE_BACK, &params).await?;
    session.commit().await
}

/// Disables an endpoint that asked for it or failed for too long; false if it is gone or was so already.
///
/// # Errors
/// When the database cannot be asked, or somebody else holds its row for half a second.
pub async fn disable(db: &Db, endpoint: EndpointId, reason: &str) -> Result<bool, StoreError> {
    let mut session = db.session().await?;
    session.begin_with(&ENDPOINT_HEALTH_IMPATIENT, &[]).await?;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&endpoint.0, &false, &reason];
    let rows = session.run(&ADMIN_ENDPOINTS_SET_ENABLED, &params).await?;
    session.commit().await?;
    Ok(!rows.is_empty())
}

fn health_row(row: &Row) -> HealthRow {
    let number = |index: usize| u32::try_from(row.get::<_, i32>(index)).unwrap_or(0);
    HealthRow {
        endpoint: EndpointId(row.get(0)),
        revision: row.get(1),
        health: Health {
            circuit: Circuit::from_stored(row.get(2)),
            consecutive_failures: number(3),
            failed_probes: number(4),
            opened_at: row.get(5),
            next_probe_at: row.get(6),
            paused_until: row.get(7),
            first_failure_at: row.get(8),
            last_success_at: row.get(9),
            warned_at: row.get(10),
        },
        probe: row.get::<_, Option<i64>>(11).zip(row.get(12)),
        paused: row.get(13),
    }
}
