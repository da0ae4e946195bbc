//! An endpoint is added in the middle of everything, with all that came before: many publishers, some of whom commit late and some never.
//! In the end it has been sent every event that was committed, once. Meanwhile somebody reads the same events from a cursor.

mod crowd;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use postrider_core::ids::EndpointId;
use postrider_testkit::Receiver;
use serde_json::{Value, json};
use tokio_postgres::Client;

use self::crowd::Crowd;
use super::stage::Stage;
use crate::kit::{Ground, Lines, note};

/// How long everything may take to be fanned out and sent.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of one run.
#[derive(Debug, Default)]
struct Counted {
    events: usize,
    gaps: usize,
    doubles: usize,
    skipped: usize,
    read_twice: usize,
}

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let stage = Stage::set(ground, "backfill").await?;
    let receiver = Receiver::start().await;
    let client = stage.installation.client().await?;
    let runs = ground.size(20, 4);
    let (mut all, mut late, mut rolled_back) = (Counted::default(), 0, 0);
    for run in 0..runs {
        let tenant = format!("tenant-{run}");
        let crowd = Crowd::start(&stage.installation, &tenant, run).await?;
        // Something is there already, and fanned out, when the endpoint comes.
        crowd.until(60).await?;
        let reading = read(&stage, &tenant, &crowd);
        let adding = async {
            let endpoint = add(&stage, &receiver, &tenant).await?;
            crowd.until(240).await?;
            crowd.stop();
            anyhow::Ok(endpoint)
        };
        let (read, endpoint) = tokio::try_join!(reading, adding)?;
        let tally = crowd.end().await?;
        (late, rolled_back) = (late + tally.late, rolled_back + tally.rolled_back);
        settled(&client, &tenant).await?;
        let counted = count(&client, &receiver, &tenant, endpoint, &read).await?;
        note(format!("backfill: run {run}: {counted:?}"));
        all.events += counted.events;
        all.gaps += counted.gaps;
        all.doubles += counted.doubles;
        all.skipped += counted.skipped;
        all.read_twice += counted.read_twice;
    }
    put(lines, runs, &all, late, rolled_back);
    drop(client);
    stage.end().await
}

fn put(lines: &mut Lines, runs: u32, all: &Counted, late: u64, rolled_back: u64) {
    let Counted { events, gaps, doubles, skipped, read_twice } = all;
    let crowd =
        format!("{events} events in {runs} runs, {late} committed late, {rolled_back} rolled back");
    lines.put(
        *gaps == 0 && *doubles == 0 && *events > 0 && late > 0,
        "backfill",
        format!("{gaps} gaps, {doubles} doubles; {crowd}"),
        "0 gaps, 0 doubles",
        json!({ "runs": runs, "events": events, "late": late, "rolled_back": rolled_back, "gaps": gaps, "doubles": doubles }),
    );
    lines.put(
        *skipped == 0 && *read_twice == 0 && *events > 0,
        "backfill-read",
        format!("{skipped} skipped, {read_twice} twice; the same events read by GET /events?after= while they were published"),
        "0 skipped, 0 twice",
        json!({ "runs": runs, "events": events, "skipped": skipped, "twice": read_twice }),
    );
}

async fn add(stage: &Stage, receiver: &Receiver, tenant: &str) -> anyhow::Result<EndpointId> {
    let body = json!({
        "url": receiver.url(&format!("/{tenant}")), "tenant_id": tenant, "max_in_flight": 100,
        "backfill": { "since": "2020-01-01T00:00:00Z", "rate": 10_000 },
    });
    let made = stage.post(&stage.admin, "/endpoints", &body.to_string()).await?;
    if made["backfill_job_id"].is_null() {
        bail!("there is no job: {made}");
    }
    made["id"].as_str().and_then(|id| id.parse().ok()).context("the id of the endpoint")
}

/// Reads all events of a tenant from the first one on, until the publishers have ended and nothing is left; how often each came.
async fn read(stage: &Stage, tenant: &str, crowd: &Crowd) -> anyhow::Result<BTreeMap<String, u32>> {
    let (mut cursor, mut came) = ("start".to_owned(), BTreeMap::new());
    loop {
        // Asked before the page: what is committed after the last page would be missing.
        let over = crowd.is_over();
        let path = format!("/events?tenant_id={tenant}&limit=100&after={cursor}");
        let page = stage.get(&stage.admin, &path).await?;
        let events = page["data"].as_array().context("a list")?;
        for event in events {
            let id = event["id"].as_str().context("an id")?;
            *came.entry(id.to_owned()).or_default() += 1;
        }
        if over && events.is_empty() && page["has_more"] == Value::Bool(false) {
            return Ok(came);
        }
        cursor = page["next_cursor"].as_str().context("a cursor")?.to_owned();
    }
}

/// Waits until nothing is pending or open, and the job is done.
async fn settled(client: &Client, tenant: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let sql = "SELECT (SELECT count(*) FROM postrider.webhook_events_pending), (SELECT count(*) FROM postrider.webhook_deliveries_open),
               (SELECT string_agg(j.state || coalesce(': ' || j.error, ''), ', ') FROM postrider.jobs j WHERE j.tenant_id = $1)";
    loop {
        let row = client.query_one(sql, &[&tenant]).await?;
        let (pending, open): (i64, i64) = (row.get(0), row.get(1));
        let job: Option<String> = row.get(2);
        if pending == 0 && open == 0 && job.as_deref() == Some("done") {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            bail!("{pending} events and {open} deliveries are left, and the job is {job:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Compares what was committed with what was delivered, sent and read.
async fn count(
    client: &Client,
    receiver: &Receiver,
    tenant: &str,
    endpoint: EndpointId,
    read: &BTreeMap<String, u32>,
) -> anyhow::Result<Counted> {
    let committed = "SELECT id FROM postrider.webhook_events WHERE tenant_id = $1";
    let committed: Vec<String> =
        client.query(committed, &[&tenant]).await?.iter().map(|row| row.get(0)).collect();
    let owed = "SELECT e.id, d.replay, d.status FROM postrider.webhook_deliveries d
                JOIN postrider.webhook_events e ON e.seq = d.event_seq AND e.created_at = d.event_created_at WHERE d.endpoint_id = $1";
    let mut deliveries: BTreeMap<String, u32> = BTreeMap::new();
    let mut doubles = 0;
    for row in client.query(owed, &[&endpoint.0]).await? {
        let (replay, status): (i16, String) = (row.get(1), row.get(2));
        doubles += usize::from(replay != 0);
        *deliveries.entry(row.get(0)).or_default() += u32::from(status == "delivered");
    }
    let mut requests: BTreeMap<String, u32> = BTreeMap::new();
    for request in receiver.received_at(&format!("/{tenant}")) {
        *requests.entry(request.header("webhook-id").to_owned()).or_default() += 1;
    }
    let once = |counts: &BTreeMap<String, u32>, id: &String| counts.get(id).copied().unwrap_or(0);
    let mut counted = Counted { events: committed.len(), doubles, ..Counted::default() };
    for id in &committed {
        let (delivered, sent, came) = (once(&deliveries, id), once(&requests, id), once(read, id));
        counted.gaps += usize::from(delivered == 0 || sent == 0);
        counted.doubles += usize::from(delivered > 1 || sent > 1);
        counted.skipped += usize::from(came == 0);
        counted.read_twice += usize::from(came > 1);
    }
    // What nobody committed is nobody's to see.
    let invented =
        |counts: &BTreeMap<String, u32>| counts.keys().filter(|id| !committed.contains(id)).count();
    counted.doubles += invented(&requests);
    counted.read_twice += invented(read);
    Ok(counted)
}
