//! Receivers at their worst: each ends its attempt in its own error class, within the endpoint's time-out, and a worker that
//! meets them all at once grows by next to nothing.

mod certificates;
mod receivers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use self::receivers::{Hostile, Town};
use crate::kit::{Ground, Installation, Lines};

/// The endpoints' time-out, and how late an attempt may end on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_millis(1_500);
/// How much the worker may grow, in MiB.
const GROWTH: f64 = 20.0;
const TENANT: &str = "hostile";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::new(ground, "hostile").await?;
    let town = Town::start(&installation.folder).await?;
    installation.set("POSTRIDER_EGRESS_CA_FILE", town.ca_file.display().to_string());
    let client = installation.client().await?;
    client
        .batch_execute("UPDATE postrider.installation SET max_endpoints_per_tenant = 1000")
        .await?;
    let worker = installation.worker(&[]).await?;

    // What a worker that works needs anyway: sessions, buffers, certificates, threads.
    installation.add_endpoint(&town.good, "good", "good", "*", &[]).await?;
    for _ in 0..ground.size(200, 50) {
        publish(&client, "good").await?;
    }
    installation.drained(Duration::from_secs(30)).await?;
    let before = resident(worker.pid())?;

    let mut endpoints = BTreeMap::new();
    for hostile in &town.receivers {
        let options = ["--timeout", "5s", "--retry-schedule", "1h", "--capture-responses"];
        let endpoint =
            installation.add_endpoint(&hostile.base, hostile.name, TENANT, "*", &options).await?;
        endpoints.insert(hostile.name, endpoint.id);
    }
    let rounds = ground.size(8, 2);
    for _ in 0..rounds {
        publish(&client, TENANT).await?;
    }
    let peak = attempted(&client, &endpoints, worker.pid()).await?;
    for hostile in &town.receivers {
        let seen = Seen::of(&client, endpoints[hostile.name]).await?;
        put(lines, hostile, &seen);
    }
    put_growth(lines, before, peak, town.receivers.len() * rounds);
    worker.stop().await?;
    installation.end().await
}

async fn publish(client: &Client, tenant: &str) -> anyhow::Result<()> {
    let sql = "SELECT outcome FROM postrider.publish(type => 'email.sent', tenant => $1, data => '{\"n\":1}')";
    client.query_one(sql, &[&tenant]).await.context("publish an event")?;
    Ok(())
}

/// Waits until every endpoint has had an attempt at a delivery and none is under way; the worker's largest size meanwhile, in bytes.
async fn attempted(
    client: &Client,
    endpoints: &BTreeMap<&str, Uuid>,
    worker: u32,
) -> anyhow::Result<u64> {
    let limit = 6 * TIMEOUT + LATE;
    let ids: Vec<Uuid> = endpoints.values().copied().collect();
    let sql = "SELECT (SELECT count(DISTINCT a.endpoint_id) FROM postrider.webhook_attempts a WHERE a.endpoint_id = ANY ($1)), \
                      (SELECT count(*) FROM postrider.webhook_deliveries_open d WHERE d.endpoint_id = ANY ($1) AND d.lease_owner IS NOT NULL)";
    let (begun, mut peak) = (Instant::now(), 0);
    let mut looked = Instant::now();
    loop {
        peak = peak.max(resident(worker)?);
        if looked.elapsed() > Duration::from_millis(250) {
            looked = Instant::now();
            let row = client.query_one(sql, &[&ids]).await?;
            let (tried, held): (i64, i64) = (row.get(0), row.get(1));
            if usize::try_from(tried)? == ids.len() && held == 0 {
                return Ok(peak);
            }
            if begun.elapsed() > limit {
                bail!(
                    "after {} s {tried} of {} endpoints had an attempt recorded, {held} deliveries are held",
                    limit.as_secs(),
                    ids.len()
                );
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What was recorded of the first attempts at an endpoint's deliveries.
#[derive(Debug)]
struct Seen {
    attempts: usize,
    /// Each answer once: class, status, detail.
    answers: Vec<(Option<String>, Option<i16>, Option<String>)>,
    shortest: Duration,
    longest: Duration,
    kept: usize,
}

impl Seen {
    async fn of(client: &Client, endpoint: Uuid) -> anyhow::Result<Self> {
        let sql = "SELECT error, status, detail, duration_ms, coalesce(length(response_body), 0) FROM postrider.webhook_attempts \
                   WHERE endpoint_id = $1 AND attempt = 1";
        let rows = client.query(sql, &[&endpoint]).await?;
        let mut answers: Vec<_> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        answers.sort_unstable();
        answers.dedup();
        let times = rows
            .iter()
            .map(|row| Duration::from_millis(row.get::<_, i32>(3).unsigned_abs().into()));
        let kept = rows.iter().map(|row| row.get::<_, i32>(4).unsigned_abs()).max().unwrap_or(0);
        Ok(Self {
            attempts: rows.len(),
            answers,
            shortest: times.clone().min().unwrap_or_default(),
            longest: times.max().unwrap_or_default(),
            kept: usize::try_from(kept)?,
        })
    }
}

/// A body is kept up to here, in bytes.
const KEPT: usize = 4096;

fn put(lines: &mut Lines, hostile: &Hostile, seen: &Seen) {
    let expected = &hostile.expected;
    let wanted =
        (expected.class.map(str::to_owned), expected.status, expected.detail.map(str::to_owned));
    let in_time = seen.longest <= TIMEOUT + LATE && (!expected.waits || seen.shortest >= TIMEOUT);
    let text = |(class, status, detail): &(Option<String>, Option<i16>, Option<String>)| {
        let class = class.as_deref().unwrap_or("delivered");
        let status = status.map(|status| format!(" {status}")).unwrap_or_default();
        let detail = detail.as_ref().map(|detail| format!(" {detail}")).unwrap_or_default();
        format!("{class}{status}{detail}")
    };
    let answers: Vec<String> = seen.answers.iter().map(text).collect();
    lines.put(
        seen.answers == [wanted.clone()] && in_time && seen.kept <= KEPT,
        &format!("hostile.{}", hostile.name),
        format!("{} in {} to {} ms, {} attempts", answers.join(" or "), seen.shortest.as_millis(), seen.longest.as_millis(), seen.attempts),
        format!("{} within {} ms", text(&wanted), TIMEOUT.as_millis()),
        json!({ "answers": answers, "longest_ms": seen.longest.as_secs_f64() * 1e3, "attempts": seen.attempts, "body_bytes_kept": seen.kept }),
    );
}

fn put_growth(lines: &mut Lines, before: u64, peak: u64, attempts: usize) {
    let mib = |bytes: u64| {
        #[expect(clippy::cast_precision_loss, reason = "sizes of a process")]
        let bytes = bytes as f64;
        bytes / f64::from(1 << 20)
    };
    let growth = mib(peak.saturating_sub(before));
    lines.put(
        growth <= GROWTH,
        "hostile.memory",
        format!("the worker grew by {growth:.1} MiB from {:.1} MiB while {attempts} deliveries met them", mib(before)),
        format!("≤ {GROWTH} MiB"),
        json!({ "before_mib": mib(before), "peak_mib": mib(peak), "deliveries": attempts, "unit": Value::from("MiB") }),
    );
}

/// The memory that a process has in use, in bytes.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read /proc")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("/proc has another format")? * 1024)
}
