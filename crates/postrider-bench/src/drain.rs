//! A drain: events are published while no worker runs; then the product is started, and delivers them.
//!
//! The rate counts from the first arrival at the sink to the last. Beside it stands the whole way, from the start of the
//! process to the last outcome in the database. Every drain ends with a check that nothing is lost or doubled.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio_postgres::Client;

use crate::progress::Progress;
use crate::sink::{Sink, Tally};
use crate::site::{Database, Site};
use crate::worker::Worker;

const SLICE: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(180);

/// What one drain came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    /// Deliveries a second, from the first arrival to the last.
    pub(crate) rate: f64,
    /// Deliveries a second, from the start of the process until all is recorded.
    pub(crate) whole: f64,
    /// Processor time of the worker for one delivery, in microseconds, with its start.
    pub(crate) worker_cpu: f64,
    /// The same of the database server.
    pub(crate) server_cpu: f64,
    /// The most memory the worker had, in bytes.
    pub(crate) peak_memory: u64,
}

/// What is left of a drain's work: counted before and after it.
#[derive(Debug, Clone, Copy)]
struct Counts {
    delivered: i64,
    open: i64,
    pending: i64,
}

/// Starts a worker, waits until `deliveries` of `tenant` have arrived and are recorded, and stops it. `name` is for people.
pub(crate) async fn drain(
    site: &Site,
    sink: &mut Sink,
    database: &Database,
    tenant: &str,
    deliveries: u64,
    name: &str,
    progress: &Progress,
) -> Result<Drained> {
    let client = database.connect.client().await?;
    let before = counts(&client, tenant).await?;
    client.batch_execute("CHECKPOINT").await?;
    sink.reset(false).await?;
    let (server_before, started) = (site.server_cpu(), Instant::now());
    let mut worker = Worker::start(site, database)?;
    let tally = arrive(sink, &mut worker, deliveries, name, progress).await?;
    recorded(&client, tenant, &mut worker).await?;
    let whole = started.elapsed().as_secs_f64();
    let (worker_cpu, server_cpu) = (worker.cpu(), site.server_cpu() - server_before);
    let peak_memory = worker.peak_memory()?;
    worker.stop().await?;
    let after = counts(&client, tenant).await?;
    let (arrived, delivered) = (sink.tally().await?.count, after.delivered - before.delivered);
    if arrived != deliveries || delivered.unsigned_abs() != deliveries {
        bail!(
            "{name}: {deliveries} deliveries were owed, {arrived} arrived and {delivered} are recorded ({after:?})"
        );
    }
    let owed = deliveries as f64;
    Ok(Drained {
        rate: tally.per_second(),
        whole: owed / whole,
        worker_cpu: worker_cpu * 1e6 / owed,
        server_cpu: server_cpu * 1e6 / owed,
        peak_memory,
    })
}

/// Waits until so many requests have arrived.
pub(crate) async fn arrive(
    sink: &mut Sink,
    worker: &mut Worker,
    count: u64,
    name: &str,
    progress: &Progress,
) -> Result<Tally> {
    let started = Instant::now();
    loop {
        let tally = sink.wait(count, SLICE).await?;
        if tally.count >= count {
            return Ok(tally);
        }
        worker.check()?;
        progress.say(|| format!("{name}: {} of {count} arrived", tally.count));
        if started.elapsed() > LONGEST {
            bail!("{name}: only {} of {count} deliveries arrived within {LONGEST:?}", tally.count);
        }
    }
}

/// Waits until no event is pending and no delivery of the tenant is open.
async fn recorded(client: &Client, tenant: &str, worker: &mut Worker) -> Result<()> {
    let sql = "SELECT NOT EXISTS (SELECT FROM postrider.webhook_events_pending)
        AND NOT EXISTS (SELECT FROM postrider.webhook_deliveries_open o JOIN postrider.webhook_endpoints e ON e.id = o.endpoint_id
                        WHERE e.tenant_id = $1)";
    let statement = client.prepare(sql).await?;
    let started = Instant::now();
    while !client.query_one(&statement, &[&tenant]).await?.get::<_, bool>(0) {
        worker.check()?;
        if started.elapsed() > LONGEST {
            bail!("everything arrived, but not everything is recorded after {LONGEST:?}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn counts(client: &Client, tenant: &str) -> Result<Counts> {
    let sql = "SELECT (SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE tenant_id = $1 AND status = 'delivered'),
        (SELECT count(*) FROM postrider.webhook_deliveries_open WHERE tenant_id = $1),
        (SELECT count(*) FROM postrider.webhook_events_pending)";
    let row = client.query_one(sql, &[&tenant]).await?;
    Ok(Counts { delivered: row.get(0), open: row.get(1), pending: row.get(2) })
}
