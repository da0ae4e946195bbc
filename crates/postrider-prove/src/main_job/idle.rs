//! An idle worker and its sessions in the server cost next to nothing.
//! Counts the processor time of the worker, and of every process of the server: that of its own sessions could not be told
//! from that of sessions that came and went, so all of the server is counted against the target.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::{Ground, Installation, Lines, cpu_of, server_cpu};

/// Of one core.
const TARGET: f64 = 1.0;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let settling = Duration::from_secs(ground.size(30, 5));
    let watched = Duration::from_secs(ground.size(60, 15));
    let mut installation = Installation::new(ground, "idle").await?;
    // One endpoint that once had something to do, as in an installation that is in use.
    let sink = crate::kit::Sink::start(&installation.folder).await?;
    installation.add_endpoint(&sink.base, "all", "default", "*", &[]).await?;
    let worker = installation.worker(&[]).await?;
    installation.succeed(&["events", "publish", "email.sent"]).await?;
    installation.drained(Duration::from_secs(10)).await?;
    tokio::time::sleep(settling).await;

    let (worker_before, server_before) = (cpu_of(worker.pid())?, server_cpu(&installation.server)?);
    let begun = Instant::now();
    tokio::time::sleep(watched).await;
    let seconds = begun.elapsed().as_secs_f64();
    let worker_share = (cpu_of(worker.pid())? - worker_before) / seconds * 100.0;
    let server_share = (server_cpu(&installation.server)? - server_before) / seconds * 100.0;
    let sum = worker_share + server_share;
    lines.put(
        sum < TARGET,
        "idle",
        format!(
            "{sum:.2} % of a core over {seconds:.0} s: worker {worker_share:.2} %, PostgreSQL {server_share:.2} %"
        ),
        format!("< {TARGET} %"),
        json!({ "worker_percent": worker_share, "server_percent": server_share, "seconds": seconds,
                "settled_s": settling.as_secs() }),
    );
    worker.stop().await?;
    installation.end().await
}
