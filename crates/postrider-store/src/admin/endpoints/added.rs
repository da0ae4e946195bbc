//! What comes with a new endpoint: a backfill; and endpoints of the kind `pull`, which have no URL, no secret and no deliveries.

use jiff::Timestamp;
use postrider_core::ids::{EndpointId, JobId};
use serde_json::Value;

use super::change::BY_HAND;
use crate::admin::jobs::backfill_wanted;
use crate::statement::{ADMIN_ENDPOINTS_INSERT_PULL, ADMIN_JOBS_BACKFILL};
use crate::{Db, Session, StoreError};

/// The events of a time that a new endpoint gets besides those to come.
#[derive(Debug, Clone, Copy)]
pub struct Backfill {
    pub job: JobId,
    /// Of events published not before this.
    pub since: Timestamp,
    /// Deliveries a second.
    pub rate: u16,
}

impl Backfill {
    /// Queues it in the open transaction that adds the endpoint.
    pub(super) async fn queue(
        &self,
        session: &Session,
        tenant: &str,
        endpoint: EndpointId,
    ) -> Result<(), StoreError> {
        let (wanted, rate) = (backfill_wanted(), i32::from(self.rate));
        session
            .execute(
                &ADMIN_JOBS_BACKFILL,
                &[&self.job.0, &tenant, &endpoint.0, &self.since, &wanted, &rate],
            )
            .await
            .map(drop)
    }
}

/// An endpoint to be added whose events are read. Everything in it was checked.
#[derive(Debug)]
pub struct NewPull<'a> {
    pub id: EndpointId,
    pub tenant: &'a str,
    pub description: &'a str,
    pub event_types: &'a [String],
    pub filter: Option<&'a Value>,
    pub enabled: bool,
    pub metadata: &'a Value,
}

/// Adds an endpoint whose events are read; when it was created.
///
/// # Errors
/// When the tenant has reached its limit (SQLSTATE 54000), or the database cannot be asked.
pub async fn create_pull(db: &Db, new: &NewPull<'_>) -> Result<Timestamp, StoreError> {
    let reason = (!new.enabled).then_some(BY_HAND);
    let mut session = db.session().await?;
    let rows = session
        .query(
            &ADMIN_ENDPOINTS_INSERT_PULL,
            &[
                &new.id.0,
                &new.tenant,
                &new.description,
                &new.event_types,
                &new.filter,
                &new.enabled,
                &reason,
                &new.metadata,
            ],
        )
        .await?;
    let row = rows.first().ok_or_else(|| {
        StoreError::other(ADMIN_ENDPOINTS_INSERT_PULL.name, "nothing was inserted")
    })?;
    Ok(row.get(0))
}
