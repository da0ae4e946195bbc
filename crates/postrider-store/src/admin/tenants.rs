//! What is set of tenants: what they may do at once, and what becomes of what people do with their e-mails.
//! Reads and writes `tenants`, whose trigger makes every worker read that tenant's endpoints again. A tenant is there by its name: it needs
//! no row.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::endpoints::Change;
use crate::statement::{
    ADMIN_TENANTS_LIMITS, ADMIN_TENANTS_LIST, ADMIN_TENANTS_SET_CAPTURE, ADMIN_TENANTS_SET_LIMITS,
    ADMIN_TENANTS_SHOW,
};
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

/// A tenant, with all that is set of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: String,
    /// Requests in flight; `None`: as many as its endpoints may have.
    pub max_in_flight: Option<i32>,
    /// Requests a second; `None`: as many as its endpoints take.
    pub rate_limit: Option<i32>,
    /// Whether events about what people did with its e-mails go to analytics.
    pub capture_engagement_events: bool,
    /// `None`: nothing was ever set.
    pub updated_at: Option<Timestamp>,
}

/// What to change about a tenant. What is left out stays.
#[derive(Debug, Clone, Default)]
pub struct TenantChange {
    pub max_in_flight: Change<i32>,
    pub rate_limit: Change<i32>,
    pub capture_engagement_events: Option<bool>,
}

/// One page of the tenants that ever published, had an endpoint or have settings, in the order of their names.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db, after: Option<&str>, limit: i64) -> Result<Vec<Tenant>, StoreError> {
    let after = after.unwrap_or_default();
    let rows = db.session().await?.query(&ADMIN_TENANTS_LIST, &[&after, &limit]).await?;
    Ok(rows.iter().map(tenant_of_row).collect())
}

/// A tenant, whether anything was ever set of it or not.
///
/// # Errors
/// When the database cannot be asked.
pub async fn show(db: &Db, tenant: &str) -> Result<Tenant, StoreError> {
    let rows = db.session().await?.query(&ADMIN_TENANTS_SHOW, &[&tenant]).await?;
    Ok(rows.first().map_or_else(|| unset(tenant), tenant_of_row))
}

/// Changes a tenant in one transaction; what is set of it then.
///
/// # Errors
/// When the database cannot be asked, or whoever asks may not change this (SQLSTATE 42501): limits are not a tenant's own business.
pub async fn update(db: &Db, tenant: &str, change: TenantChange) -> Result<Tenant, StoreError> {
    let (set_flight, in_flight) = change.max_in_flight.parts();
    let (set_rate, rate) = change.rate_limit.parts();
    let mut session = db.session().await?;
    session.begin().await?;
    if set_flight || set_rate {
        session
            .run(&ADMIN_TENANTS_SET_LIMITS, &[&tenant, &set_flight, &in_flight, &set_rate, &rate])
            .await?;
    }
    if let Some(capture) = change.capture_engagement_events {
        session.run(&ADMIN_TENANTS_SET_CAPTURE, &[&tenant, &capture]).await?;
    }
    let rows = session.run(&ADMIN_TENANTS_SHOW, &[&tenant]).await?;
    session.commit().await?;
    Ok(rows.first().map_or_else(|| unset(tenant), tenant_of_row))
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

impl TenantChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_limits() && self.capture_engagement_events.is_none()
    }

    /// Whether it changes what the tenant may do at once, which is not for itself to say.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        !matches!((&self.max_in_flight, &self.rate_limit), (Change::Keep, Change::Keep))
    }
}

fn unset(tenant: &str) -> Tenant {
    Tenant {
        id: tenant.to_owned(),
        max_in_flight: None,
        rate_limit: None,
        capture_engagement_events: false,
        updated_at: None,
    }
}

fn tenant_of_row(row: &Row) -> Tenant {
    Tenant {
        id: row.get(0),
        max_in_flight: row.get(1),
        rate_limit: row.get(2),
        capture_engagement_events: row.get(3),
        updated_at: row.get(4),
    }
}

fn of_row(row: &Row) -> TenantLimits {
    TenantLimits {
        tenant: row.get(0),
        max_in_flight: row.get(1),
        rate_limit: row.get(2),
        updated_at: row.get(3),
    }
}
