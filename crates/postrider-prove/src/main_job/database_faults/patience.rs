//! A worker waits for its database: for one that is not there yet, and for one that has become read-only.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::{Ground, Installation, Lines, Sink, Worker, exit_text, free_port};

const EVENTS: u64 = 20;
/// How long a worker may take to be back after its database is: its longest pause, and some.
const BACK: Duration = Duration::from_secs(30);
/// In five seconds of waiting a worker says no more than this.
const MOST_LINES: usize = 40;
const WAIT: Duration = Duration::from_secs(5);

/// The server is down when the worker starts.
pub(super) async fn late_server(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::new(ground, "late-server").await?;
    let mut sink = Sink::start(&installation.folder).await?;
    installation.add_endpoint(&sink.base, "all", "default", "*", &[]).await?;
    publish(&installation, EVENTS).await?;
    installation.server.down().await?;

    let port = free_port()?;
    let listen = format!("127.0.0.1:{port}");
    let mut worker = installation.start_worker(&[("POSTRIDER_ADMIN_LISTEN", &listen)])?;
    tokio::time::sleep(WAIT).await;
    let alive = worker.is_running();
    let said = worker.printed().lines().count();
    let ready_before = ready(port).await;
    installation.server.up().await?;
    let begun = Instant::now();
    installation.drained(BACK).await?;
    let back = begun.elapsed();
    let ready_after = ready(port).await;
    let arrived = sink.state().await?.count;
    let clean = worker.stop().await?.success();
    lines.put(
        alive && !ready_before && ready_after && arrived == EVENTS && said <= MOST_LINES && clean,
        "database-faults.late-server",
        format!(
            "started without its database: alive {alive}, ready {ready_before}, {said} lines in {} s; {:.1} s after the database came: \
             ready {ready_after}, {arrived} of {EVENTS} arrived",
            WAIT.as_secs(),
            back.as_secs_f32()
        ),
        format!("it waits and says so; all within {} s", BACK.as_secs()),
        json!({ "alive": alive, "ready_before": ready_before, "ready_after": ready_after, "lines": said,
                "back_s": back.as_secs_f64(), "arrived": arrived, "clean_stop": clean }),
    );
    installation.end().await
}

/// The server becomes a standby under a running worker, and is promoted again.
pub(super) async fn read_only(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::new(ground, "read-only").await?;
    let mut sink = Sink::start(&installation.folder).await?;
    installation.add_endpoint(&sink.base, "all", "default", "*", &[]).await?;
    let mut worker = installation.worker(&[]).await?;
    publish(&installation, 1).await?;
    installation.drained(BACK).await?;
    demote(&mut installation).await?;

    let refused = installation.run(&["events", "publish", "email.sent"]).await?;
    let before = said(&worker);
    tokio::time::sleep(WAIT).await;
    let lines_said = said(&worker) - before;
    let alive = worker.is_running();
    let client = installation.client().await?;
    client.query_one("SELECT pg_promote()", &[]).await.context("promote the standby")?;
    let begun = Instant::now();
    publish(&installation, EVENTS).await?;
    installation.drained(BACK).await?;
    let back = begun.elapsed();
    let arrived = sink.state().await?.count;
    let clean = worker.stop().await?.success();
    let one_message = refused.err.lines().filter(|line| line.starts_with("error:")).count() == 1;
    lines.put(
        alive && refused.exit == Some(69) && one_message && arrived == EVENTS + 1 && lines_said <= MOST_LINES && clean,
        "database-faults.read-only",
        format!(
            "on a standby: publishing ended with {} ({}), the worker alive {alive}, {lines_said} lines in {} s; promoted: {arrived} of {} \
             arrived after {:.1} s",
            exit_text(refused.exit),
            refused.first_line(),
            WAIT.as_secs(),
            EVENTS + 1,
            back.as_secs_f32()
        ),
        format!("69; the worker waits, all arrive within {} s", BACK.as_secs()),
        json!({ "exit": refused.exit, "message": refused.err, "alive": alive, "lines": lines_said, "back_s": back.as_secs_f64(),
                "arrived": arrived, "clean_stop": clean }),
    );
    installation.end().await
}

/// Restarts the server as a standby, with nobody to follow: it answers, and takes no writes.
async fn demote(installation: &mut Installation) -> anyhow::Result<()> {
    installation.server.down().await?;
    let cluster = installation.server.cluster();
    let signal = cluster.join("standby.signal");
    std::fs::write(&signal, "").context("write standby.signal")?;
    // The server removes it when it is promoted, and therefore has to own it.
    let owner = std::fs::metadata(&cluster)?;
    let (uid, gid) =
        (std::os::unix::fs::MetadataExt::uid(&owner), std::os::unix::fs::MetadataExt::gid(&owner));
    std::os::unix::fs::chown(&signal, Some(uid), Some(gid))?;
    installation.server.up().await
}

async fn publish(installation: &Installation, count: u64) -> anyhow::Result<()> {
    let client = installation.client().await?;
    let sql = "SELECT p.outcome FROM generate_series(1, $1::bigint) n, LATERAL postrider.publish(type => 'email.sent', data => n::text) p";
    client.query(sql, &[&i64::try_from(count)?]).await?;
    Ok(())
}

fn said(worker: &Worker) -> usize {
    worker.printed().lines().count()
}

/// Whether `/readyz` says so.
async fn ready(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    ask.await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
