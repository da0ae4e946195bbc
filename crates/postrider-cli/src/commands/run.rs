//! `postrider run`: the daemon. Checks what can be checked before it starts, then hands over to [`crate::daemon`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use postrider_embedded_pg::EmbeddedPg;
use postrider_runtime::{Metrics, Pacer, Stop};
use postrider_store::migrations::{self, SchemaState};
use postrider_store::{Connect, StoreError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::Ended;
use crate::config::{Flags, Role, span_text};
use crate::context::{Context, schema_failure};
use crate::daemon::{self, DaemonOptions, Finished};
use crate::exit::{Exit, Failure};

/// Options of `run`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// What this process does: all, or a list of fanout, delivery, janitor
    #[arg(long, value_name = "ROLES")]
    role: Option<String>,
    /// Do everything that is due, then exit
    #[arg(long)]
    once: bool,
    /// Permit endpoints with http:// and on this machine
    #[arg(long)]
    dev: bool,
    /// Bring the database schema up to date first
    #[arg(long)]
    migrate: bool,
    /// Address of /healthz, /readyz and /metrics; off: none
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// First attempts in flight in this process
    #[arg(long, value_name = "N")]
    in_flight: Option<usize>,
    /// Requests in flight in the whole installation, divided among its workers
    #[arg(long, value_name = "N")]
    limit_in_flight: Option<u32>,
    /// Requests a second from the whole installation, divided among its workers
    #[arg(long, value_name = "N")]
    limit_rate: Option<u32>,
    /// Name shown in status
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Args {
    /// What the options say about the configuration.
    pub(crate) fn flags(&self, mut flags: Flags) -> Flags {
        flags.dev = self.dev;
        flags.set("worker.roles", "--role", self.role.clone());
        flags.set("admin.listen", "--admin-listen", self.admin_listen.clone());
        flags.set(
            "worker.in_flight",
            "--in-flight",
            self.in_flight.map(|number| number.to_string()),
        );
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        flags.set("limits.in_flight", "--limit-in-flight", number(self.limit_in_flight));
        flags.set("limits.rate", "--limit-rate", number(self.limit_rate));
        flags.set("worker.name", "--name", self.name.clone());
        flags
    }
}

pub(crate) async fn run(context: &Context, args: &Args) -> Ended {
    let stop = Stop::new();
    let mut signals = JoinSet::new();
    signals.spawn(obey_signals(stop.clone())?);
    let embedded = match &context.config.database.url {
        Some(_) => None,
        None => Some(context.start_embedded().await?),
    };
    let ended = Box::pin(work(context, args, embedded.as_ref(), &stop)).await;
    if let Some(server) = embedded
        && let Err(error) = server.stop().await
    {
        tracing::warn!(%error, "the embedded PostgreSQL server was not stopped");
    }
    match ended? {
        Finished { lost: 0, stage_lost: false, .. } => Ok(Exit::Done),
        Finished { stage_lost: true, .. } => Err(Failure::new(Exit::Failed, "a part of the daemon ended by itself").why("the log says which")),
        Finished { lost, .. } => Err(Failure::new(Exit::Failed, format!("{lost} deliveries were abandoned"))
            .why("their outcomes could not be recorded, or the grace time was over; they are due again when their leases end")),
    }
}

async fn work(
    context: &Context,
    args: &Args,
    embedded: Option<&EmbeddedPg>,
    stop: &Stop,
) -> Result<Finished, Failure> {
    let url = embedded.map(EmbeddedPg::url);
    let (direct, connect) = (context.direct(url)?, context.pooled(url)?);
    let keys = context.keys()?;
    announce(context, &direct, embedded);
    let migrate = args.migrate || embedded.is_some();
    prepare_schema(&direct, migrate, args.once, stop).await?;
    let options = DaemonOptions {
        config: context.config.clone(),
        connect,
        direct,
        keys: Arc::new(keys),
        once: args.once,
    };
    Ok(daemon::run(options, stop.clone(), Metrics::new()).await?)
}

/// Says what somebody who reads the log should know about this process.
fn announce(context: &Context, direct: &Connect, embedded: Option<&EmbeddedPg>) {
    let config = &context.config;
    let database = match embedded {
        Some(_) => format!("embedded in {}", config.data_dir.display()),
        None => direct.target(),
    };
    let roles: Vec<&str> = config.worker.roles.iter().map(|role: &Role| role.as_str()).collect();
    tracing::info!(
        database,
        roles = roles.join(","),
        in_flight = config.worker.in_flight,
        lease = span_text(config.worker.lease),
        "postrider {} starts",
        env!("CARGO_PKG_VERSION")
    );
    if config.dev {
        tracing::warn!("--dev: endpoints may use http:// and this machine's own addresses");
    }
    if let Some(proxy) = &config.egress.proxy {
        tracing::info!(?proxy, "all requests go through the egress proxy");
        if proxy.resolves() {
            tracing::warn!("egress.proxy_resolves: the proxy alone judges where names lead");
        }
    }
    if direct.is_plain_remote() {
        tracing::warn!(database, "the way to the database is not encrypted (sslmode=disable)");
    }
    if config.admin.listen.is_some_and(|address: SocketAddr| !address.ip().is_loopback()) {
        tracing::warn!(
            "admin.listen can be reached from other machines; it asks nobody who they are"
        );
    }
}

/// Waits for the database, then sees that its schema is ours; brings it up to date where that is wanted.
async fn prepare_schema(
    direct: &Connect,
    migrate: bool,
    once: bool,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut pacer = Pacer::new(Duration::from_millis(100), Duration::from_secs(10));
    while !stop.soft_requested() {
        let state = match schema(direct, migrate).await {
            Ok(state) => state,
            Err(error) => {
                let mut failure = Failure::from(error);
                if once || !may_pass(failure.exit) {
                    let why = failure.why.unwrap_or_default();
                    failure.why = Some(format!("{why}\nat {}", direct.target()));
                    return Err(failure);
                }
                let wait = pacer.next();
                tracing::warn!(
                    wait_ms = wait.as_secs_f64() * 1000.0,
                    "the database at {} cannot be used yet: {}",
                    direct.target(),
                    failure.why.unwrap_or(failure.what)
                );
                stop.soft_within(wait).await;
                continue;
            }
        };
        return schema_failure(&state).map_or(Ok(()), |failure| Err(failure.doing("cannot run")));
    }
    Ok(())
}

async fn schema(direct: &Connect, migrate: bool) -> Result<SchemaState, StoreError> {
    let mut client = direct.client().await?;
    let state = migrations::state(&client).await?;
    if !migrate || matches!(state, SchemaState::Current { .. } | SchemaState::Newer { .. }) {
        return Ok(state);
    }
    for name in migrations::up(&mut client).await? {
        tracing::info!("migrated the schema: {name}");
    }
    migrations::state(&client).await
}

/// Whether waiting may help.
fn may_pass(exit: Exit) -> bool {
    matches!(exit, Exit::Unavailable | Exit::TryLater)
}

/// The first SIGTERM or SIGINT asks to finish what is in hand, the second to abandon it.
fn obey_signals(stop: Stop) -> Result<impl Future<Output = ()> + Send, Failure> {
    let refused = |error: std::io::Error| {
        Failure::new(Exit::Failed, "signals cannot be received").why(error.to_string())
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    Ok(async move {
        let mut asked = false;
        loop {
            let got = tokio::select! {
                got = terminate.recv() => got,
                got = interrupt.recv() => got,
            };
            match (got, asked) {
                (None, _) => return,
                (Some(()), false) => {
                    tracing::info!(
                        "stopping: finishing what is in flight; once more to abandon it"
                    );
                    stop.request_soft();
                    asked = true;
                }
                (Some(()), true) => stop.request_hard(),
            }
        }
    })
}
