//! What the operator opened and closed to single tenants. Reads and writes `webhook_egress_rules`, whose trigger makes every
//! worker read that tenant's endpoints again.

use jiff::Timestamp;
use postrider_core::address::TenantRules;
use tokio_postgres::Row;

use crate::statement::{ADMIN_EGRESS_CLEAR, ADMIN_EGRESS_LIST, ADMIN_EGRESS_SET};
use crate::{Db, StoreError};

/// One tenant's rules, as they are stored.
#[derive(Debug, Clone)]
pub struct EgressRules {
    pub tenant: String,
    pub allow_cidrs: Vec<String>,
    pub deny_cidrs: Vec<String>,
    /// Empty: the installation's ports.
    pub ports: Vec<i32>,
    pub updated_at: Timestamp,
}

/// The rules of one tenant, or of all that have some.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(db: &Db, tenant: Option<&str>) -> Result<Vec<EgressRules>, StoreError> {
    let rows = db.session().await?.query(&ADMIN_EGRESS_LIST, &[&tenant]).await?;
    Ok(rows.iter().map(rules).collect())
}

/// Puts these rules in the place of the tenant's.
///
/// # Errors
/// When the database cannot be asked.
pub async fn set(db: &Db, tenant: &str, rules: &TenantRules) -> Result<(), StoreError> {
    let texts = |networks: &[ipnet::IpNet]| -> Vec<String> {
        networks.iter().map(|network| network.trunc().to_string()).collect()
    };
    let (allow, deny) = (texts(&rules.allow), texts(&rules.deny));
    let ports: Vec<i32> = rules.ports.iter().copied().map(i32::from).collect();
    let session = db.session().await?;
    session.execute(&ADMIN_EGRESS_SET, &[&tenant, &allow, &deny, &ports]).await?;
    Ok(())
}

/// Takes the tenant's rules away; false if it had none.
///
/// # Errors
/// When the database cannot be asked.
pub async fn clear(db: &Db, tenant: &str) -> Result<bool, StoreError> {
    let rows = db.session().await?.query(&ADMIN_EGRESS_CLEAR, &[&tenant]).await?;
    Ok(!rows.is_empty())
}

fn rules(row: &Row) -> EgressRules {
    EgressRules {
        tenant: row.get(0),
        allow_cidrs: row.get(1),
        deny_cidrs: row.get(2),
        ports: row.get(3),
        updated_at: row.get(4),
    }
}
