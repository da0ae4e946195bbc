//! An idle worker learns of every commit at once, and publishers notify only while it sleeps.
//! The fallback poll is at an hour, so that nothing but the wake-up can find an event. When an event was claimed is noted
//! by a trigger on its pending row; when it was committed, the server itself knows.

mod awake;

use std::time::Duration;

use serde_json::json;
use tokio_postgres::Client;

use crate::child::gaps::Report;
use crate::kit::{Ground, Installation, Lines, Listener, Sink, Talk};

/// Publishers knock here.
const CHANNEL: &str = "webhook_events_new";
/// Without the wake-up an event would wait so long.
const FALLBACK: (&str, &str) = ("POSTRIDER_WORKER_FALLBACK_POLL", "1h");
const TENANT: &str = "acme";
const SEED: u64 = 0x3a_7e;
/// How long publishers with gaps may take.
const PUBLISH_LIMIT: Duration = Duration::from_secs(300);
/// The slowest and the median, in milliseconds.
const SLOWEST: f64 = 1_000.0;
const MEDIAN: f64 = 5.0;

/// The delete of a pending row ends its claim, so the time noted is a little later than the claim.
const NOTE_CLAIMS: &str = "
    CREATE TABLE public.prove_claims (seq bigint NOT NULL, at timestamptz NOT NULL);
    CREATE FUNCTION public.prove_note_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN INSERT INTO public.prove_claims VALUES (OLD.seq, clock_timestamp()); RETURN NULL; END $$;
    CREATE TRIGGER prove_note_claim AFTER DELETE ON postrider.webhook_events_pending
        FOR EACH ROW EXECUTE FUNCTION public.prove_note_claim()";

/// Milliseconds from each commit to its claim; null where there was none.
const WAITS: &str = "
    SELECT (extract(epoch FROM c.at - pg_xact_commit_timestamp(l.xmin)) * 1000)::float8
    FROM postrider.webhook_event_ids l LEFT JOIN public.prove_claims c USING (seq)
    WHERE l.seq > $1";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::new(ground, "wake-up").await?;
    let client = installation.client().await?;
    client.batch_execute(NOTE_CLAIMS).await?;
    let sink = Sink::start(&installation.folder).await?;
    installation.add_endpoint(&sink.base, "all", TENANT, "*", &[]).await?;
    let worker = installation.worker(&[FALLBACK]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await; // it goes to sleep
    let events = ground.size(10_000, 1_000);
    for (connections, gap) in [(1, 4_000), (16, 40_000)] {
        idle(&installation, &client, lines, connections, gap, events).await?;
    }
    installation.drained(Duration::from_secs(30)).await?;
    worker.stop().await?;
    awake::prove(ground, &mut installation, &sink, &client, lines).await?;
    installation.end().await
}

/// Publishers with gaps, and a worker that sleeps in between.
async fn idle(
    installation: &Installation,
    client: &Client,
    lines: &mut Lines,
    connections: u64,
    gap: u64,
    events: u64,
) -> anyhow::Result<()> {
    let last: i64 = client
        .query_one("SELECT coalesce(max(seq), 0) FROM postrider.webhook_event_ids", &[])
        .await?
        .get(0);
    let listener = Listener::start(installation.server.url(), CHANNEL).await?;
    publish(installation, connections, gap, events).await?;
    tokio::time::sleep(Duration::from_secs(2)).await; // whoever is claimed later is late enough to fail
    let notifications = listener.heard().await?;
    let rows = client.query(WAITS, &[&last]).await?;
    let mut waits: Vec<f64> = rows.iter().filter_map(|row| row.get(0)).collect();
    waits.sort_by(f64::total_cmp);
    let unclaimed = rows.len() - waits.len();
    let at = |share: usize| waits.get((waits.len().saturating_sub(1)) * share / 1_000).copied();
    let (p50, p99, slowest) = (at(500), at(990), at(1_000));
    let shown = |wait: Option<f64>| wait.map_or("none".to_owned(), |ms| format!("{ms:.2} ms"));
    let passed = rows.len() == usize::try_from(events)?
        && unclaimed == 0
        && slowest.is_some_and(|ms| ms <= SLOWEST)
        && p50.is_some_and(|ms| ms <= MEDIAN);
    let name = if connections == 1 { "wake-up.1-connection" } else { "wake-up.16-connections" };
    lines.put(
        passed,
        name,
        format!(
            "{} publishes, {unclaimed} never claimed: commit → claim p50 {}, p99 {}, slowest {}; {notifications} notifications",
            rows.len(), shown(p50), shown(p99), shown(slowest)
        ),
        format!("all ≤ {SLOWEST} ms, p50 ≤ {MEDIAN} ms, fallback poll at {}", FALLBACK.1),
        json!({ "publishes": rows.len(), "connections": connections, "unclaimed": unclaimed, "p50_ms": p50, "p99_ms": p99,
                "slowest_ms": slowest, "notifications": notifications, "mean_gap_us": gap, "seed": SEED,
                "load": load() }),
    );
    Ok(())
}

/// The load of the machine in the last minute: what else it did counts too.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Runs a process that publishes, to its end.
async fn publish(
    installation: &Installation,
    connections: u64,
    gap: u64,
    events: u64,
) -> anyhow::Result<Report> {
    let numbers = [connections, events, gap, SEED + connections].map(|number| number.to_string());
    let [connections, events, gap, seed] = &numbers;
    let arguments = [
        "gaps",
        "--url",
        installation.server.url(),
        "--tenant",
        TENANT,
        "--connections",
        connections,
        "--events",
        events,
        "--gap",
        gap,
        "--seed",
        seed,
    ];
    let mut process = Talk::start("gaps", &arguments, &installation.folder)?;
    process.hear(PUBLISH_LIMIT).await
}
