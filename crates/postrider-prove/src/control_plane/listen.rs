//! `postrider listen --forward-to`: how long after their commit a developer's own receiver has the event. One by one, by the real binary,
//! through the daemon's stream; every request is verified.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use postrider_core::signing::{Secret, verify};
use postrider_testkit::{Received, Receiver};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio_postgres::Client;

use super::stage::Stage;
use crate::kit::{Ground, Lines};

const TENANT: &str = "developer";
const TARGET: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(20);
/// Between two events, so that each finds everybody at rest.
const PAUSE: u64 = 37;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let events: usize = ground.size(500, 50);
    let stage = Stage::set(ground, "listen").await?;
    let receiver = Receiver::start().await;
    let key = stage.key_of(TENANT).await?;
    let file = stage.installation.folder.join("key");
    std::fs::write(&file, key)?;
    let (mut listener, secret) = listen(&stage, &receiver, &file).await?;
    let client = stage.installation.client().await?;
    let mut took = Vec::new();
    for n in 0..events {
        took.push(publish(&client, &receiver, n).await?);
        tokio::time::sleep(Duration::from_millis(PAUSE + u64::try_from(n % 7)?)).await;
    }
    let received = receiver.received();
    let unverified = received.iter().filter(|request| !is_verified(request, &secret)).count();
    let doubles = received.len().saturating_sub(events);
    took.sort_unstable();
    let (half, most, last) =
        (took[events / 2], took[(events * 99).div_ceil(100) - 1], took[events - 1]);
    let ms = |took: Duration| took.as_secs_f64() * 1_000.0;
    lines.put(
        last <= TARGET && unverified == 0 && doubles == 0,
        "listen",
        format!(
            "{events} events after their commit: p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms; {unverified} not verified, {doubles} twice",
            ms(half),
            ms(most),
            ms(last)
        ),
        "all within 100 ms, verified, once",
        json!({ "events": events, "p50_ms": ms(half), "p99_ms": ms(most), "slowest_ms": ms(last), "unverified": unverified, "doubles": doubles }),
    );
    listener.start_kill()?;
    listener.wait().await?;
    drop(client);
    stage.end().await
}

/// Starts it, and waits until it listens.
async fn listen(stage: &Stage, receiver: &Receiver, key: &Path) -> anyhow::Result<(Child, Secret)> {
    let (server, url) = (format!("http://{}", stage.address), receiver.url("/hook"));
    // A file: a pipe that nobody reads would be full in the middle of it.
    let log = stage.installation.folder.join("listen.jsonl");
    let mut command = stage.installation.command(&["listen", "--forward-to", &url, "--jsonl"]);
    command.arg("--server").arg(server).arg("--api-key-file").arg(key);
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&log)?).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().context("start postrider listen")?;
    let err = child.stderr.take().context("listen has no pipe")?;
    let mut err = BufReader::new(err).lines();
    let said = tokio::time::timeout(LIMIT, err.next_line()).await.context("listen says nothing")?;
    let said = said?.unwrap_or_default();
    let secret = said.strip_prefix("Secret: ").with_context(|| format!("listen said: {said}"))?;
    let secret = Secret::parse(secret).context("the secret that listen made")?;
    let begun = Instant::now();
    while !std::fs::read_to_string(&log)?.contains('\n') {
        if begun.elapsed() > LIMIT {
            bail!("it does not listen");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.stderr = Some(err.into_inner().into_inner());
    Ok((child, secret))
}

/// Commits one event, and waits until the receiver has it; how long after the commit that was.
async fn publish(client: &Client, receiver: &Receiver, n: usize) -> anyhow::Result<Duration> {
    let id = format!("evt-{n}");
    let publish = "SELECT postrider.publish_v1($1, $2, 'email.sent', '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, true)";
    client.batch_execute("BEGIN").await?;
    client.query_one(publish, &[&TENANT, &id]).await?;
    client.batch_execute("COMMIT").await?;
    let committed = Instant::now();
    loop {
        let all = receiver.received();
        if let Some(request) = all.iter().find(|request| request.header("webhook-id") == id) {
            return Ok(request.at.saturating_duration_since(committed));
        }
        if committed.elapsed() > LIMIT {
            bail!("{id} has not arrived after {} s", LIMIT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn is_verified(request: &Received, secret: &Secret) -> bool {
    let at = request.header("webhook-timestamp");
    let Some(now) = at.parse().ok().and_then(|at| Timestamp::from_second(at).ok()) else {
        return false;
    };
    let (id, signature) = (request.header("webhook-id"), request.header("webhook-signature"));
    verify(std::slice::from_ref(secret), id, at, signature, &request.body, now, LIMIT).is_ok()
}
