//! Jobs, as people see them: made, listed, stopped. Reads and writes `jobs`; workers do them (`crate::jobs`).

use jiff::Timestamp;
use postrider_core::filter::{FilterError, Subscription};
use postrider_core::ids::{EndpointId, JobId};
use postrider_core::status::DeliveryStatus;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::admin::endpoints;
use crate::recover::{Recovery, Wants};
use crate::statement::{
    ADMIN_JOBS_FIND, ADMIN_JOBS_INSERT, ADMIN_JOBS_LIST, ADMIN_JOBS_LIST_OF_TENANT, ADMIN_JOBS_STOP,
};
use crate::{Db, StoreError};

/// What is sent once more if nothing is said: what was given up.
pub const FAILED: [DeliveryStatus; 4] = [
    DeliveryStatus::Exhausted,
    DeliveryStatus::Rejected,
    DeliveryStatus::Skipped,
    DeliveryStatus::Cancelled,
];

/// A job as it stands.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: JobId,
    pub tenant: String,
    pub kind: String,
    pub endpoint: EndpointId,
    pub since: Timestamp,
    pub until: Timestamp,
    pub wanted: Value,
    /// Deliveries a second.
    pub rate: i32,
    /// `queued`, `running`, `done`, `stopped` or `failed`.
    pub state: String,
    /// What was counted before it was made.
    pub expected: Option<i64>,
    /// Deliveries made so far.
    pub made: i64,
    /// When the event was published up to which it has looked.
    pub looked_at: Option<Timestamp>,
    pub reason: Option<String>,
    pub error: Option<String>,
    /// Somebody asked it to stop.
    pub stop: bool,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

/// Queues the recovery of an endpoint; `None`: one is under way.
///
/// # Errors
/// When the database cannot be asked.
pub async fn recover(
    db: &Db,
    recovery: &Recovery,
    rate: u16,
    expected: Option<u64>,
    reason: Option<&str>,
) -> Result<Option<JobId>, StoreError> {
    let id = JobId(Uuid::now_v7());
    let expected = expected.and_then(|count| i64::try_from(count).ok());
    let (endpoint, wanted, rate) = (recovery.endpoint.0, wanted(recovery), i32::from(rate));
    let (since, until) = (&recovery.since, &recovery.until);
    let mut session = db.session().await?;
    let queued = session
        .query(
            &ADMIN_JOBS_INSERT,
            &[&id.0, &recovery.tenant, &endpoint, since, until, &wanted, &rate, &expected, &reason],
        )
        .await;
    match queued {
        Err(error) if error.sqlstate() == Some(UNIQUE_VIOLATION) => Ok(None),
        queued => queued.map(|_| Some(id)),
    }
}

const UNIQUE_VIOLATION: &str = "23505";

/// One page of jobs, newest first, of one tenant or of all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    db: &Db,
    tenant: Option<&str>,
    before: Option<JobId>,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let before = before.map_or(Uuid::max(), |id| id.0);
    let mut session = db.session().await?;
    let rows = match tenant {
        None => session.query(&ADMIN_JOBS_LIST, &[&before, &limit]).await?,
        Some(tenant) => {
            session.query(&ADMIN_JOBS_LIST_OF_TENANT, &[&tenant, &before, &limit]).await?
        }
    };
    Ok(rows.iter().map(job).collect())
}

/// One job, if there is one of this id.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(db: &Db, id: JobId) -> Result<Option<Job>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_JOBS_FIND, &[&id.0]).await?;
    Ok(rows.first().map(job))
}

/// Asks a job to stop, which it does within its next step; false if it is over, or was asked before.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stop(db: &Db, id: JobId) -> Result<bool, StoreError> {
    let none = None::<&str>;
    let rows = db.session().await?.query(&ADMIN_JOBS_STOP, &[&id.0, &none]).await?;
    Ok(!rows.is_empty())
}

/// What a recovery goes by: the endpoint as it is now. `None`: it was deleted.
///
/// # Errors
/// When the database cannot be asked.
pub async fn wants(
    db: &Db,
    recovery: &Recovery,
) -> Result<Option<Result<Wants, FilterError>>, StoreError> {
    let id = recovery.endpoint;
    let Some(endpoint) = endpoints::find(db, id, id).await?.into_iter().next() else {
        return Ok(None);
    };
    let compile = || {
        Ok(Wants {
            subscription: Subscription::compile(&endpoint.event_types, endpoint.filter.as_ref())?,
            types: match recovery.types.is_empty() {
                true => None,
                false => Some(Subscription::compile(&recovery.types, None)?),
            },
        })
    };
    Ok(Some(compile()))
}

/// What is stored of a recovery beside its columns.
fn wanted(recovery: &Recovery) -> Value {
    let statuses: Vec<&str> = recovery.statuses.iter().map(|status| status.as_str()).collect();
    json!({ "statuses": statuses, "missed": recovery.missed, "event_types": recovery.types })
}

/// The same of a backfill: what the endpoint wants and never got.
pub(crate) fn backfill_wanted() -> Value {
    json!({ "statuses": [], "missed": true, "event_types": [] })
}

/// Reads what [`recover`] stored; what cannot be read is left out.
#[must_use]
pub fn recovery(job: &crate::jobs::ClaimedJob) -> Recovery {
    let texts = |key: &str| {
        let list = job.wanted[key].as_array().map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    Recovery {
        tenant: job.tenant.clone(),
        endpoint: job.endpoint,
        since: job.since,
        until: job.until,
        statuses: texts("statuses").into_iter().filter_map(|word| word.parse().ok()).collect(),
        missed: job.wanted["missed"].as_bool().unwrap_or(false),
        types: texts("event_types").into_iter().map(str::to_owned).collect(),
    }
}

fn job(row: &Row) -> Job {
    Job {
        id: JobId(row.get(0)),
        tenant: row.get(1),
        kind: row.get(2),
        endpoint: EndpointId(row.get(3)),
        since: row.get(4),
        until: row.get(5),
        wanted: row.get(6),
        rate: row.get(7),
        state: row.get(8),
        expected: row.get(9),
        made: row.get(10),
        looked_at: row.get(11),
        reason: row.get(12),
        error: row.get(13),
        stop: row.get(14),
        created_at: row.get(15),
        started_at: row.get(16),
        finished_at: row.get(17),
    }
}
