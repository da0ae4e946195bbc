//! Requests of a real worker during a rotation with three live secrets, a key pair beside them, and e2a's header with one secret
//! and with two: judged by Node's own cryptography. The packages of Standard Webhooks judge too, in a line of their own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use postrider_testkit::{Received, Receiver};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::kit::{Ground, Installation, Lines, page};
use crate::main_job::standardwebhooks;

const CHECK: &str = include_str!("signing/check.mjs");
const VECTOR: &str = include_str!("../../../postrider-core/tests/e2a-signing-vector.json");
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let judged = judged(ground).await?;
    let list = |name: &str| -> Vec<String> {
        let names = judged[name].as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let (held, broken) = (list("held"), list("broken"));
    let figure = match broken.is_empty() {
        true => format!("{} checks hold", held.len()),
        false => format!("{} checks hold, and not: {}", held.len(), broken.join(", ")),
    };
    lines.put(
        broken.is_empty() && held.len() == 9,
        "signing",
        figure,
        "9: three live secrets, ed25519 by the published key, e2a's header single and dual, by OpenSSL",
        judged,
    );
    standardwebhooks::prove(ground, lines).await
}

/// What Node says of the requests of a worker.
async fn judged(ground: &Ground) -> anyhow::Result<Value> {
    let mut installation = Installation::new(ground, "signing").await?;
    let receiver = Receiver::start().await;
    let vector: Value = serde_json::from_str(VECTOR)?;
    let file = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = installation.folder.join(name);
        std::fs::write(&path, text).context("write a secret")?;
        Ok(path.display().to_string())
    };
    let current = file("current", vector["current_secret"].as_str().unwrap_or_default())?;
    let previous = file("previous", vector["previous_secret"].as_str().unwrap_or_default())?;
    let base = receiver.url("").trim_end_matches('/').to_owned();

    let rotating = installation.add_endpoint(&base, "rotating", "default", "*", &[]).await?;
    let id = format!("whk_{}", rotating.id.simple());
    let mut secrets = vec![rotating.secret.clone()];
    for _ in 0..2 {
        let rotated = installation.ask(&["endpoints", "secrets", "rotate", &id]).await?;
        secrets.push(rotated["secret"].as_str().context("a secret")?.to_owned());
    }
    let pair = ["endpoints", "secrets", "rotate", &id, "--kind", "ed25519", "--overlap", "forever"];
    installation.ask(&pair).await?;
    let opaque =
        ["--secret-kind", "opaque", "--secret-file", &previous, "--sign", "stripe=X-E2A-Signature"];
    let e2a = installation.add_endpoint(&base, "e2a", "default", "*", &opaque).await?;

    let listen = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
    let worker = installation.worker(&[("POSTRIDER_ADMIN_LISTEN", &listen)]).await?;
    publish(&installation).await?;
    let first = arrived(&receiver, 1).await?;
    let single = first[1].clone();
    let e2a_id = format!("whk_{}", e2a.id.simple());
    let add =
        ["endpoints", "secrets", "rotate", &e2a_id, "--kind", "opaque", "--secret-file", &current];
    installation.ask(&add).await?;
    publish(&installation).await?;
    let second = arrived(&receiver, 2).await?;
    let keys = json_page(&listen, &format!("/.well-known/postrider/keys/{id}")).await?;
    worker.stop().await?;
    installation.end().await?;
    let document = json!({
        "rotating": shown(&second[0]), "keys": keys, "secrets": secrets, "vector": vector,
        "e2a": { "single": shown(&single), "dual": shown(&second[1]) },
    });
    node(&document).await
}

async fn publish(installation: &Installation) -> anyhow::Result<()> {
    let data = r#"{"subject":"Grüße 🦔","n":9007199254740993}"#;
    installation.ask(&["events", "publish", "email.sent", "--data", data]).await.map(drop)
}

/// Waits until each path has had so many requests; the last of `/rotating` and of `/e2a`.
async fn arrived(receiver: &Receiver, count: usize) -> anyhow::Result<[Received; 2]> {
    let begun = std::time::Instant::now();
    loop {
        let (rotating, e2a) = (receiver.received_at("/rotating"), receiver.received_at("/e2a"));
        if rotating.len() >= count && e2a.len() >= count {
            return Ok([rotating[count - 1].clone(), e2a[count - 1].clone()]);
        }
        if begun.elapsed() > LIMIT {
            bail!("{} and {} requests came, not {count} each", rotating.len(), e2a.len());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn shown(request: &Received) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-e2a-signature"];
    let headers: Value =
        names.iter().map(|name| ((*name).to_owned(), json!(request.header(name)))).collect();
    json!({ "headers": headers, "body": String::from_utf8_lossy(&request.body) })
}

/// A JSON page of the worker's admin listener.
async fn json_page(address: &str, path: &str) -> anyhow::Result<Value> {
    let text = page(address, path).await?;
    let (_, body) = text.split_once("\r\n\r\n").context("an HTTP answer")?;
    serde_json::from_str(body).with_context(|| format!("read {path}"))
}

async fn node(document: &Value) -> anyhow::Result<Value> {
    let mut child = Command::new("node")
        .args(["--input-type=module", "--eval", CHECK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start node")?;
    let mut input = child.stdin.take().context("a pipe")?;
    input.write_all(document.to_string().as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    serde_json::from_slice(&output.stdout).context("read what node says")
}
