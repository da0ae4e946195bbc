//! Where the failures of best-effort publishing go: a counter, the log, and a row in `webhook_publish_failures`,
//! written on a connection of its own because the caller's transaction may yet roll back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Pool, PoolError};
use postrider_event::Event;
use tokio_postgres::types::Type;
use tracing::{error, warn};

use crate::PublishError;
use crate::error::with_causes;
use crate::transaction::Param;

const RECORD: &str = include_str!("../sql/failure/record.sql");
const LIMITS: &str = include_str!("../sql/failure/limits.sql");

/// The longest wait for a free connection. Callers hold one of their own meanwhile, perhaps of the same pool.
const MAX_WAIT: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Default)]
pub(crate) struct Failures {
    pub(crate) pool: Option<Pool>,
    count: Arc<AtomicU64>,
}

impl Failures {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts, logs and records that `event` was not published.
    pub(crate) async fn record(&self, event: &Event, failure: &PublishError) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let reason = failure.reason();
        let (id, tenant, event_type) = (event.id(), event.tenant(), event.event_type());
        let not_recorded = match &self.pool {
            None => Some("no pool was given".to_owned()),
            Some(pool) => insert(pool, event, &reason).await.err(),
        };
        match not_recorded {
            None => warn!(
                event.id = ?id, event.tenant = ?tenant, "event.type" = %event_type, reason,
                "a best-effort publish of {event_type} failed and was recorded: {reason}"
            ),
            Some(why) => error!(
                event.id = ?id, event.tenant = ?tenant, "event.type" = %event_type, reason, not_recorded = why,
                "a best-effort publish of {event_type} failed: {reason}; not recorded: {why}"
            ),
        }
    }
}

async fn insert(pool: &Pool, event: &Event, reason: &str) -> Result<(), String> {
    let mut client = connect(pool).await.map_err(|error| with_causes(&error))?;
    let written = async {
        let tx = client.transaction().await?;
        tx.batch_execute(LIMITS).await?;
        let [tenant, id, event_type, reason] =
            [event.tenant(), event.id(), event.event_type().as_str(), reason].map(without_nul);
        let params: [Param<'_>; 4] = [
            (&tenant, Type::TEXT),
            (&id, Type::TEXT),
            (&event_type, Type::TEXT),
            (&reason, Type::TEXT),
        ];
        tx.query_typed(RECORD, &params).await?;
        tx.commit().await
    };
    written.await.map_err(|error: tokio_postgres::Error| with_causes(&error))
}

async fn connect(pool: &Pool) -> Result<deadpool_postgres::Object, PoolError> {
    let mut timeouts = pool.timeouts();
    timeouts.wait = Some(timeouts.wait.map_or(MAX_WAIT, |wait| wait.min(MAX_WAIT)));
    match pool.timeout_get(&timeouts).await {
        // A pool without a runtime cannot wait for a while, only for ever or not at all.
        Err(PoolError::NoRuntimeSpecified) => {
            timeouts.wait = Some(Duration::ZERO);
            pool.timeout_get(&timeouts).await
        }
        connected => connected,
    }
}

/// PostgreSQL's text cannot hold a NUL, which may be the very reason of the failure.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
