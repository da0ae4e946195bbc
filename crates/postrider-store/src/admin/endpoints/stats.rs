//! What became of an endpoint's deliveries, by the time of their events. Reads all of them in that time, and gives up where that takes too long.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider_core::ids::{DeliveryId, EndpointId};

use crate::deliveries::milliseconds;
use crate::statement::ADMIN_ENDPOINTS_STATS;
use crate::{Db, StoreError};

/// How long counting may take.
const LIMIT: &str = "SET LOCAL statement_timeout = '10s'";
/// `query_canceled`: it took longer.
const CANCELLED: &str = "57014";

/// How much time is told of together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    Hour,
    Day,
}

impl Bucket {
    /// As PostgreSQL and the API name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// An hour or a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub at: Timestamp,
    /// By status.
    pub deliveries: BTreeMap<String, i64>,
    /// Made for these deliveries so far.
    pub attempts: i64,
}

/// Counts the deliveries of the events from `since` to before `until`; `None`: there are too many. Whoever may see the endpoint may see this.
///
/// # Errors
/// When the database cannot be asked.
pub async fn stats(
    db: &Db,
    endpoint: EndpointId,
    since: Timestamp,
    until: Timestamp,
    bucket: Bucket,
) -> Result<Option<Vec<Period>>, StoreError> {
    let low = DeliveryId::floor(milliseconds(since)).0;
    let high = DeliveryId::floor(milliseconds(until)).0;
    let mut session = db.session().await?;
    session.begin().await?;
    session.limit(LIMIT).await?;
    let counted =
        session.run(&ADMIN_ENDPOINTS_STATS, &[&endpoint.0, &low, &high, &bucket.as_str()]).await;
    let rows = match counted {
        Err(error) if error.sqlstate() == Some(CANCELLED) => {
            session.rollback().await?;
            return Ok(None);
        }
        counted => counted?,
    };
    session.commit().await?;
    let mut periods: Vec<Period> = Vec::new();
    for row in &rows {
        let at = row.get(0);
        if periods.last().is_none_or(|last| last.at != at) {
            periods.push(Period { at, deliveries: BTreeMap::new(), attempts: 0 });
        }
        if let Some(period) = periods.last_mut() {
            period.deliveries.insert(row.get(1), row.get(2));
            period.attempts += row.get::<_, i64>(3);
        }
    }
    Ok(Some(periods))
}
