//! A full disk under the database: publishing fails cleanly, the worker keeps what it can and does not rage, and when there
//! is room again everything that was committed is delivered.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use postrider::{CommitError, EMAIL_SENT, Event, checked_commit, publish_tx};
use postrider_testkit::{
    BUSINESS_TABLE, DatabaseState, EndpointEntry, FaultEntry, Journal, Journals, PublisherEntry,
    check, monotonic_ns, sha256_hex,
};
use serde_json::json;

use crate::kit::{Dice, Ground, Installation, Lines, Server, Sink, note};

const SIZE: &str = "96m";
/// Given back when the disk has been full for a while: room for a segment of the log, and some.
const BALLAST: u64 = 20 << 20;
const TENANT: &str = "acme";
/// A receiver takes so long.
const LATENCY: Duration = Duration::from_secs(2);
/// So long it stays full.
const FULL: Duration = Duration::from_secs(5);
/// So many requests an endpoint has in flight at most.
const IN_FLIGHT: u64 = 10;
const MOST_LINES: usize = 400;
const DRAIN: Duration = Duration::from_secs(90);

/// A file system of its own, taken away with this.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: PathBuf) -> anyhow::Result<Self> {
        let options = format!("size={SIZE},mode=755");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&folder)
            .output();
        let mount = mount.context("run mount")?;
        let said = String::from_utf8_lossy(&mount.stderr).into_owned();
        ensure!(
            mount.status.success(),
            "a small disk cannot be mounted (only root can): {}",
            said.trim()
        );
        Ok(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

pub(super) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let disk = Disk::mount(ground.folder("small-disk")?)?;
    let folder = ground.folder("full-disk")?;
    let settings = [("min_wal_size", "32MB"), ("max_wal_size", "32MB")];
    let server = Server::start(&disk.0, &settings).await?;
    let mut installation = Installation::on(ground, folder.clone(), server);
    installation.succeed(&["migrate", "up"]).await?;
    let mut client = installation.client().await?;
    client.batch_execute(BUSINESS_TABLE).await?;
    let mut sink = Sink::start(&folder).await?;
    let endpoint = installation.add_endpoint(&sink.base, "all", TENANT, "*", &[]).await?;
    sink.know(&endpoint).await?;
    Journal::append(&folder.join("endpoints.jsonl"))?.write(&EndpointEntry {
        token: endpoint.token,
        endpoint: endpoint.id,
        tenant: endpoint.tenant,
        event_types: endpoint.types,
        since: monotonic_ns(),
        until: None,
    });
    // Deliveries are under way when the disk fills up, and their outcomes find no room.
    sink.hold(LATENCY).await?;
    let mut worker = installation.worker(&[]).await?;
    let ballast = disk.0.join("ballast");
    fill(&ballast)?;

    let refused = publish_until_full(&installation, &folder).await?;
    let from = monotonic_ns();
    let before = worker.printed().lines().count();
    tokio::time::sleep(FULL).await;
    let said = worker.printed().lines().count() - before;
    let (alive, server_survived) = (worker.is_running(), installation.server.is_up());
    std::fs::remove_file(&ballast)?;
    if !server_survived {
        note("the server went down with the full disk; starting it again");
        installation.server.has_ended();
        installation.server.up().await?;
    }
    let begun = Instant::now();
    installation.drained(DRAIN).await?;
    let drained = begun.elapsed();
    let clean = worker.stop().await?.success();

    let unsigned = sink.state().await?.unsigned;
    let mut journals = Journals::read(&folder)?;
    // A worker whose outcomes find no room keeps them: only a server that went down excuses what it had in flight.
    if !server_survived {
        let until = monotonic_ns();
        let fault = "full_disk".to_owned();
        journals.faults.push(FaultEntry { fault, from, until, in_flight: IN_FLIGHT });
    }
    client = installation.client().await?;
    let state = DatabaseState::read(&mut client, &journals).await?;
    let verdict = check(&journals, &state);
    lines.put(
        verdict.is_clean() && alive && clean && said <= MOST_LINES && unsigned == 0,
        "database-faults.full-disk",
        format!(
            "a disk of {SIZE} full after {} events ({refused}); {} s of it: the worker alive {alive}, {said} lines, PostgreSQL alive \
             {server_survived}; with room again drained in {:.1} s: {} lost, {} duplicates",
            verdict.totals.events,
            FULL.as_secs(),
            drained.as_secs_f32(),
            verdict.lost.len(),
            verdict.totals.duplicates
        ),
        "nothing lost; the publisher's error is the database's",
        json!({ "totals": verdict.totals, "broken": verdict.broken(), "refused": refused, "alive": alive, "lines": said,
                "server_survived": server_survived, "drained_s": drained.as_secs_f64(), "clean_stop": clean }),
    );
    drop(client);
    let ended = installation.end().await;
    drop(disk);
    ended
}

fn fill(ballast: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(ballast)?;
    let block = vec![0; 1 << 20];
    for _ in 0..BALLAST >> 20 {
        std::io::Write::write_all(&mut &file, &block).context("put ballast on the small disk")?;
    }
    Ok(())
}

/// Publishes large events until the database refuses one; says how.
async fn publish_until_full(installation: &Installation, folder: &Path) -> anyhow::Result<String> {
    let journal = Journal::append(&folder.join("publisher.jsonl"))?;
    let mut client = installation.client().await?;
    let mut dice = Dice::new(96);
    for number in 0..4_000 {
        let txn = format!("full-{number}");
        // Nothing that compresses.
        let text: String = (0..6_000).map(|_| format!("{:016x}", dice.next())).collect();
        let event = Event::new(EMAIL_SENT, TENANT).id_from([&txn]).data_text(format!("\"{text}\""));
        let work = async {
            let tx = client.transaction().await?;
            let sql = "INSERT INTO public.testkit_business (txn) VALUES ($1) RETURNING pg_current_xact_id()::text";
            let row = tx.query_one(sql, &[&txn]).await?;
            let _ = publish_tx(&tx, &event).await?;
            journal.write(&PublisherEntry::Intent {
                txn: txn.clone(),
                xid: row.get::<_, String>(0).parse()?,
                tenant: event.tenant().to_owned(),
                id: event.id().to_owned(),
                event_type: event.event_type().as_str().to_owned(),
                body_sha256: sha256_hex(event.data()),
                t: monotonic_ns(),
            });
            anyhow::Ok(checked_commit(tx).await?)
        };
        match work.await {
            Ok(()) => journal.write(&PublisherEntry::Ok { txn, t: monotonic_ns() }),
            Err(error) => {
                // A commit whose answer never came stays in doubt; the business row will tell.
                if !matches!(error.downcast_ref(), Some(CommitError::Unknown { .. })) {
                    journal.write(&PublisherEntry::Abort { txn, t: monotonic_ns() });
                }
                return Ok(cause(&error));
            }
        }
    }
    anyhow::bail!("the small disk is never full")
}

fn cause(error: &anyhow::Error) -> String {
    error.chain().last().map_or_else(String::new, |cause| {
        cause.to_string().lines().next().unwrap_or_default().to_owned()
    })
}
