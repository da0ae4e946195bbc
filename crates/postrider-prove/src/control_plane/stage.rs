//! What the lines of the control plane stand on: an installation whose worker has the API on, and keys for it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::kit::{Ground, Installation, Worker, free_port};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Stage {
    pub(super) installation: Installation,
    pub(super) address: SocketAddr,
    /// An admin's key.
    pub(super) admin: String,
    worker: Worker,
}

/// What the API answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) text: String,
    /// Null if it is no JSON.
    pub(super) body: Value,
}

impl Stage {
    /// A fresh one, under the name of the line.
    pub(super) async fn set(ground: &Ground, name: &str) -> anyhow::Result<Self> {
        let mut installation = Installation::new(ground, name).await?;
        let address: SocketAddr = ([127, 0, 0, 1], free_port()?).into();
        let listen = address.to_string();
        // Not --dev: there nobody on this machine would need a key.
        let mut command = installation.command(&["run"]);
        command
            .env("POSTRIDER_API_LISTEN", &listen)
            .env("POSTRIDER_API_RATE_LIMIT", "100000")
            .env("POSTRIDER_EGRESS_ALLOW_CIDRS", "127.0.0.0/8")
            .env("POSTRIDER_EGRESS_ALLOW_HTTP", "true");
        let worker = installation.worker_by(command).await?;
        let made = installation.ask(&["api-keys", "create", "prove", "--admin"]).await?;
        let admin = made["key"].as_str().context("a key")?.to_owned();
        let stage = Self { installation, address, admin, worker };
        let begun = std::time::Instant::now();
        while TcpStream::connect(stage.address).await.is_err() {
            if begun.elapsed() > LIMIT {
                bail!("the API does not listen; the worker said:\n{}", stage.worker.printed());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(stage)
    }

    /// A key of a tenant, with every scope.
    pub(super) async fn key_of(&self, tenant: &str) -> anyhow::Result<String> {
        let made = self
            .installation
            .ask(&[
                "api-keys",
                "create",
                "prove",
                "--tenant",
                tenant,
                "--scope",
                "read,write,publish",
            ])
            .await?;
        Ok(made["key"].as_str().context("a key")?.to_owned())
    }

    /// Asks under `/api/v1`.
    pub(super) async fn ask(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: &str,
        headers: &str,
    ) -> anyhow::Result<Answer> {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {key}\r\n{kind}{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(&request).await.with_context(|| format!("{method} {path}"))
    }

    /// Asks for a thing that must be there.
    pub(super) async fn get(&self, key: &str, path: &str) -> anyhow::Result<Value> {
        let answer = self.ask(key, "GET", path, "", "").await?;
        if answer.status != 200 {
            bail!("GET {path}: {} {}", answer.status, answer.text);
        }
        Ok(answer.body)
    }

    /// Makes a thing that must come to be.
    pub(super) async fn post(&self, key: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let answer = self.ask(key, "POST", path, body, "").await?;
        if !(200..300).contains(&answer.status) {
            bail!("POST {path}: {} {}", answer.status, answer.text);
        }
        Ok(answer.body)
    }

    /// The OpenAPI document, as it is served.
    pub(super) async fn document(&self) -> anyhow::Result<Value> {
        let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        Ok(self.send(request).await?.body)
    }

    async fn send(&self, request: &str) -> anyhow::Result<Answer> {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = tokio::time::timeout(LIMIT, exchange).await.context("no answer")??;
        let (head, body) = text.split_once("\r\n\r\n").context("an answer of HTTP")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok(Answer {
            status: status.context("a status")?,
            head: head.to_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
            text: body.to_owned(),
        })
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        self.worker.stop().await?;
        self.installation.end().await
    }
}
