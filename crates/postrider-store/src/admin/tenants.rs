//! What tenants may do at once. Reads and writes `tenants`, whose trigger makes every worker read that tenant's endpoints again.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::endpoints::Change;
use crate::statement::{ADMIN_TENANTS_LIMITS, ADMIN_TENANTS_SET_LIMITS};
use crate::{Db, StoreError};

/// One tenant's limits, of all its endpoints together in the whole fleet.
#[derive(Debug, Clone)]
pub struct TenantLimits {
    pub tenant: String,
    /// Requests in flight; `None`: as many as its endpoints may have.
    pub max_in_flight: Option<i32>,
    /// Requests a second; `None`: as many as its endpoints take.
    pub rate_limit: Option<i32>,
    pub updated_at: Timestamp,
}

/// The limits of one tenant, or of all that have some.
///
/// # Errors
/// When the database cannot be asked.
pub async fn limits(db: &Db, tenant: Option<&str>) -> Result<Vec<TenantLimits>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_TENANTS_LIMITS, &[&tenant]).await?;
    Ok(rows.iter().map(of_row).collect())
}

/// Changes a tenant's limits; what they are then.
///
/// # Errors
/// When the database cannot be asked.
pub async fn set_limits(
    db: &Db,
    tenant: &str,
    max_in_flight: Change<i32>,
    rate_limit: Change<i32>,
) -> Result<TenantLimits, StoreError> {
    let ((set_flight, in_flight), (set_rate, rate)) = (max_in_flight.parts(), rate_limit.parts());
    let mut session = db.session().await?;
    let rows = session
        .query(&ADMIN_TENANTS_SET_LIMITS, &[&tenant, &set_flight, &in_flight, &set_rate, &rate])
        .await?;
    rows.first().map(of_row).ok_or_else(|| {
        StoreError::other("setting a tenant's limits", "no row came back".to_owned())
    })
}

fn of_row(row: &Row) -> TenantLimits {
    TenantLimits {
        tenant: row.get(0),
        max_in_flight: row.get(1),
        rate_limit: row.get(2),
        updated_at: row.get(3),
    }
}
