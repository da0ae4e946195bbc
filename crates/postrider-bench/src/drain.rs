//! A drain: events are published while no worker runs; then the product is started, and delivers them.
//!
//! The rate counts from the first arrival at the sink to the last. Beside it stands the whole way, from the start of the
//! process to the last outcome in the database. Every drain ends with a check that nothing is lost or doubled.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio_postgres::Client;
use uuid::Uuid;

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

/// What is to be drained, and how.
#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    /// For people.
    pub(crate) name: &'a str,
    /// Whose events they are; everything of other tenants is left alone.
    pub(crate) tenant: &'a str,
    /// How many deliveries are owed.
    pub(crate) deliveries: u64,
    /// What becomes of the worker afterwards.
    pub(crate) after: After,
}

/// What becomes of the worker when everything is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It is stopped, and has to end tidily.
    Stop,
    /// It runs on for so long, so that its memory shows, and is then killed: it waits for an endpoint that never answers.
    Linger(Duration),
}

/// Starts a worker, waits until everything owed has arrived and is recorded, and ends it.
pub(crate) async fn drain(
    site: &Site,
    sink: &mut Sink,
    database: &Database,
    plan: &Plan<'_>,
    progress: &Progress,
) -> Result<Drained> {
    let client = database.connect.client().await?;
    let before = delivered(&client, plan.tenant).await?;
    client.batch_execute("CHECKPOINT").await?;
    sink.reset(false).await?;
    let (server_before, started) = (site.server_cpu(), Instant::now());
    let mut worker = Worker::start(site, database)?;
    let tally = arrive(sink, &mut worker, plan.deliveries, plan.name, progress).await?;
    recorded(&client, plan.tenant, &mut worker).await?;
    let whole = started.elapsed().as_secs_f64();
    let (worker_cpu, server_cpu) = (worker.cpu(), site.server_cpu() - server_before);
    if let After::Linger(span) = plan.after {
        tokio::time::sleep(span).await;
    }
    let peak_memory = worker.peak_memory()?;
    match plan.after {
        After::Stop => worker.stop().await?,
        After::Linger(_) => worker.kill().await?,
    }
    let recorded = delivered(&client, plan.tenant).await? - before;
    let arrived = sink.tally().await?.count;
    if arrived != plan.deliveries || recorded != plan.deliveries {
        bail!(
            "{}: {} deliveries were owed, {arrived} arrived and {recorded} are recorded",
            plan.name,
            plan.deliveries
        );
    }
    let owed = plan.deliveries as f64;
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

/// Waits until no event is pending and no delivery of the tenant is open. Asks by index: other tenants may own a million.
pub(crate) async fn recorded(client: &Client, tenant: &str, worker: &mut Worker) -> Result<()> {
    client.batch_execute("SET enable_seqscan = off; SET enable_hashjoin = off").await?;
    let own = "SELECT id FROM postrider.webhook_endpoints WHERE tenant_id = $1";
    let rows = client.query(own, &[&tenant]).await?;
    let endpoints: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    let open = "SELECT EXISTS (SELECT FROM postrider.webhook_events_pending)
        OR EXISTS (SELECT FROM postrider.webhook_deliveries_open WHERE endpoint_id = ANY ($1))";
    let open = client.prepare(open).await?;
    let started = Instant::now();
    while client.query_one(&open, &[&endpoints]).await?.get(0) {
        worker.check()?;
        if started.elapsed() > LONGEST {
            bail!("everything arrived, but not everything is recorded after {LONGEST:?}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    client.batch_execute("RESET enable_seqscan; RESET enable_hashjoin").await?;
    Ok(())
}

/// How many deliveries of the tenant are recorded as delivered.
async fn delivered(client: &Client, tenant: &str) -> Result<u64> {
    let sql = "SELECT count(*) FROM postrider.webhook_deliveries_closed WHERE tenant_id = $1 AND status = 'delivered'";
    let count: i64 = client.query_one(sql, &[&tenant]).await?.get(0);
    Ok(count.unsigned_abs())
}
