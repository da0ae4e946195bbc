//! An installation to prove something on: a server, a migrated database, a master key, and the `postrider` command.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use postrider_core::ids::EndpointId;
use postrider_store::Connect;
use serde_json::Value;
use tokio::process::Command;
use tokio_postgres::Client;
use uuid::Uuid;

use super::evidence::Evidence;
use super::ground::Ground;
use super::process::free_port;
use super::server::Server;
use super::worker::Worker;

/// A master key for installations that hold no secrets of anybody.
const MASTER_KEY: &str = "cG9zdHJpZGVyIHByb3ZlcyBvbiBzb21lIGdyb3VuZCE=";

/// How long a command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A migrated installation on a server of its own.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) server: Server,
    pub(crate) folder: PathBuf,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    workers: u32,
    evidence: Evidence,
}

/// An endpoint, as `endpoints add` gave it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) id: Uuid,
    pub(crate) tenant: String,
    pub(crate) token: String,
    pub(crate) types: Vec<String>,
    pub(crate) secret: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Installation {
    /// Makes one under `name`, migrated by `postrider migrate up`.
    pub(crate) async fn new(ground: &Ground, name: &str) -> anyhow::Result<Self> {
        let installation = Self::bare(ground, name, &[]).await?;
        installation.succeed(&["migrate", "up"]).await?;
        Ok(installation)
    }

    /// Makes one without a schema.
    pub(crate) async fn bare(
        ground: &Ground,
        name: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let folder = ground.folder(name)?;
        let server = Server::start(&folder, settings).await?;
        Ok(Self::on(ground, folder, server))
    }

    /// Makes one on a server that runs.
    pub(crate) fn on(ground: &Ground, folder: PathBuf, server: Server) -> Self {
        let environment = [
            ("POSTRIDER_DATABASE_URL", server.url()),
            ("POSTRIDER_MASTER_KEY", MASTER_KEY),
            ("POSTRIDER_ADMIN_LISTEN", "off"),
        ];
        let environment =
            environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let evidence = ground.evidence().clone();
        let binary = ground.binary().to_owned();
        let installation = Self { server, folder, binary, environment, workers: 0, evidence };
        installation.evidence.secret(&installation.name(), MASTER_KEY);
        installation
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Sets a variable for every process to come.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// The key that seals what is secret in it.
    pub(crate) fn master_key(&self) -> &'static str {
        MASTER_KEY
    }

    /// A session of ours on the database.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        Ok(Connect::parse(self.server.url(), "prove", None)?.client().await?)
    }

    /// The `postrider` command with this installation's environment and nothing of ours.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.folder).env_clear();
        for inherited in ["PATH", "HOME", "TMPDIR", "LANG"] {
            command.envs(std::env::var_os(inherited).map(|value| (inherited, value)));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let what = format!("postrider {}", arguments.join(" "));
        let ran = run(self.command(arguments), &what).await?;
        self.evidence.said(&self.name(), arguments, &ran)?;
        Ok(ran)
    }

    /// Runs a command that must succeed.
    pub(crate) async fn succeed(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let ran = self.run(arguments).await?;
        if ran.exit != Some(0) {
            bail!(
                "postrider {} ended with {}: {}",
                arguments.join(" "),
                exit_text(ran.exit),
                ran.err.trim()
            );
        }
        Ok(ran)
    }

    /// Runs a command with `--json` that must succeed, and reads what it printed.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let ran = self.succeed(&[arguments, &["--json"]].concat()).await?;
        serde_json::from_str(&ran.out)
            .with_context(|| format!("read what postrider {} printed", arguments.join(" ")))
    }

    /// Adds an endpoint whose URL ends in `token`, with further options.
    pub(crate) async fn add_endpoint(
        &self,
        base: &str,
        token: &str,
        tenant: &str,
        types: &str,
        options: &[&str],
    ) -> anyhow::Result<Endpoint> {
        let url = format!("{base}/{token}");
        let arguments = ["endpoints", "add", &url, "--tenant", tenant, "--types", types, "--dev"];
        let answer = self.ask(&[&arguments[..], options].concat()).await?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let id: EndpointId = text("id").parse().context("read the new endpoint's id")?;
        Ok(Endpoint {
            id: id.0,
            tenant: tenant.to_owned(),
            token: token.to_owned(),
            types: types.split(',').map(str::to_owned).collect(),
            secret: text("secret"),
        })
    }

    /// Starts a worker (`postrider run --dev`) and waits until it has entered the fleet.
    pub(crate) async fn worker(&mut self, settings: &[(&str, &str)]) -> anyhow::Result<Worker> {
        let worker = self.start_worker(settings)?;
        let client = self.client().await?;
        worker.wait_until_registered(&client).await?;
        Ok(worker)
    }

    /// Starts a worker and does not wait for it.
    pub(crate) fn start_worker(&mut self, settings: &[(&str, &str)]) -> anyhow::Result<Worker> {
        self.workers += 1;
        let name = format!("worker-{}", self.workers);
        let mut command = self.command(&["run", "--dev"]);
        command.env("POSTRIDER_WORKER_NAME", &name).env("POSTRIDER_LOG_FORMAT", "text");
        command.envs(settings.iter().copied());
        let listens = settings.iter().any(|(name, _)| *name == "POSTRIDER_ADMIN_LISTEN");
        let watched = match self.evidence.collects() && !listens {
            true => Some((format!("127.0.0.1:{}", free_port()?), self.evidence.clone())),
            false => None,
        };
        command.envs(watched.iter().map(|(address, _)| ("POSTRIDER_ADMIN_LISTEN", address)));
        let worker = Worker::start(&name, command, &self.folder)?;
        Ok(worker.watched_at(watched))
    }

    /// Starts a worker by this command, which began as one of [`Installation::command`], and waits until it is in the fleet.
    pub(crate) async fn worker_by(&mut self, mut command: Command) -> anyhow::Result<Worker> {
        self.workers += 1;
        let name = format!("worker-{}", self.workers);
        command.env("POSTRIDER_WORKER_NAME", &name).env("POSTRIDER_LOG_FORMAT", "text");
        let worker = Worker::start(&name, command, &self.folder)?;
        worker.wait_until_registered(&self.client().await?).await?;
        Ok(worker)
    }

    /// Waits until nothing is pending, open or due, and says how long that took.
    pub(crate) async fn drained(&self, limit: Duration) -> anyhow::Result<Duration> {
        let client = self.client().await?;
        let begun = Instant::now();
        let sql = "SELECT (SELECT count(*) FROM postrider.webhook_events_pending), \
                   (SELECT count(*) FROM postrider.webhook_deliveries_open)";
        loop {
            let row = client.query_one(sql, &[]).await?;
            let (pending, open): (i64, i64) = (row.get(0), row.get(1));
            if pending == 0 && open == 0 {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > limit {
                bail!(
                    "after {} s {pending} events and {open} deliveries are left",
                    limit.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends the server.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.server.down().await
    }
}

impl Ran {
    /// The first line of the message, for figures.
    pub(crate) fn first_line(&self) -> &str {
        self.err.lines().next().unwrap_or_default()
    }
}

/// An exit code for people.
pub(crate) fn exit_text(exit: Option<i32>) -> String {
    exit.map_or("by a signal".to_owned(), |code| code.to_string())
}

/// Runs any command to its end, within the limit of a command.
pub(crate) async fn run(mut command: Command, what: &str) -> anyhow::Result<Ran> {
    let begun = Instant::now();
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_LIMIT, command.output()).await;
    let output = output
        .with_context(|| format!("{what} has not ended within {} s", COMMAND_LIMIT.as_secs()))?
        .with_context(|| format!("run {what}"))?;
    Ok(Ran {
        exit: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: begun.elapsed(),
    })
}
