//! A large backlog: open deliveries that a drain must neither be slowed by nor read into memory.
//!
//! Filled by SQL in a template, once a run. *Future*: due in six hours on 100 endpoints of ten tenants, as after an outage
//! of their receivers. *Hanging*: all due now, behind one endpoint that never answers; ten replays of each event.

use anyhow::{Context as _, Result};

use crate::events::{self, TENANT};
use crate::sink::Sink;
use crate::site::{Database, Site};

const TENANTS: u64 = 10;
const ENDPOINTS_EACH: u64 = 10;
const REPLAYS: u64 = 10;

/// Which backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backlog {
    Future,
    Hanging,
}

impl Backlog {
    pub(crate) const ALL: [Backlog; 2] = [Backlog::Future, Backlog::Hanging];

    /// The template that holds it.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Backlog::Future => "template_future",
            Backlog::Hanging => "template_hanging",
        }
    }

    pub(crate) fn what(self) -> &'static str {
        match self {
            Backlog::Future => "due in the future on 100 endpoints",
            Backlog::Hanging => "due now behind one hanging endpoint",
        }
    }

    /// Makes the template: so many open deliveries, and one good endpoint of the tenant that is measured.
    pub(crate) async fn prepare(self, site: &Site, sink: &Sink, deliveries: u64) -> Result<()> {
        let database = site.template(self.template()).await?;
        site.add_endpoints(&database, TENANT, 1, &sink.url("/hook")).await?;
        match self {
            Backlog::Future => {
                for tenant in 0..TENANTS {
                    let tenant = format!("backlog-{tenant}");
                    site.add_endpoints(&database, &tenant, 10, &sink.url("/hook")).await?;
                }
                fill(&database, deliveries / ENDPOINTS_EACH, TENANTS, 1, "6 hours").await
            }
            Backlog::Hanging => {
                site.add_endpoints(&database, "backlog-0", 1, &sink.url("/hang")).await?;
                fill(&database, deliveries / REPLAYS, 1, REPLAYS, "0").await
            }
        }
    }
}

/// Publishes events of tenants `backlog-…`, and gives each `replays` open deliveries for every endpoint of its tenant.
async fn fill(
    database: &Database,
    events: u64,
    tenants: u64,
    replays: u64,
    due_in: &str,
) -> Result<()> {
    let client = database.connect.client().await?;
    let (events, tenants, replays) =
        (events.cast_signed(), tenants.cast_signed(), replays.cast_signed());
    let data = events::payload(0);
    client
        .execute(
            "SELECT count(postrider.publish_v1('backlog-' || n % $2::bigint, 'evt_' || md5(n::text), 'email.received', $3::text::json,
                NULL, NULL, NULL, NULL, NULL, false)) FROM generate_series(1, $1::bigint) n",
            &[&events, &tenants, &data],
        )
        .await
        .context("publishing the backlog")?;
    client.batch_execute("DELETE FROM postrider.webhook_events_pending").await?;
    // A delivery id: 48 bits of milliseconds, then a hash with the marks of a version-8 UUID.
    client
        .execute(
            "INSERT INTO postrider.webhook_deliveries_open
                (id, endpoint_id, event_seq, event_created_at, next_attempt_at, replay, open, status, tenant_id)
             SELECT (lpad(to_hex(floor(extract(epoch FROM v.created_at) * 1000)::bigint), 12, '0')
                     || '8' || substr(h.h, 1, 3) || '8' || substr(h.h, 4, 15))::uuid,
                 e.id, v.seq, v.created_at, clock_timestamp() + $2::text::interval, r.r, true, 'pending', v.tenant_id
             FROM postrider.webhook_events v
             JOIN postrider.webhook_endpoints e USING (tenant_id)
             CROSS JOIN generate_series(0, $1::bigint - 1) r (r)
             CROSS JOIN LATERAL md5(v.seq || e.id::text || r.r) h (h)",
            &[&replays, &due_in],
        )
        .await
        .context("inserting the backlog")?;
    client.batch_execute("VACUUM (ANALYZE)").await?;
    Ok(())
}
