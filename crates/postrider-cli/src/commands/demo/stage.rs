//! Everything the demo needs: a migrated database, a receiver, an endpoint for it, and a running daemon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::seal::{KeyRing, generate_master_key};
use postrider_core::signing::{Secret, SigningSecret};
use postrider_embedded_pg::EmbeddedPg;
use postrider_examples::intake::create_table;
use postrider_runtime::{Metrics, Stop};
use postrider_store::admin::endpoints::{self, ENDPOINT_DELETED, NewEndpoint, RequestSettings};
use postrider_store::admin::status;
use postrider_store::{Client, StoreError, migrations};
use serde_json::json;
use tokio::task::JoinSet;

use crate::context::{Context, Database, Schema};
use crate::daemon::{self, DaemonOptions, Finished};
use crate::exit::{Exit, Failure, with_causes};
use crate::output::Output;
use crate::sink::{Behaviour, Sink};

/// Seconds before attempts 2, 3 and 4: nobody wants to wait for a demo.
const RETRIES: [i32; 3] = [1000, 1000, 1000];

/// The demo's parts, running.
pub(crate) struct Stage {
    pub database: Database,
    /// Where the database can be reached, for people who want to try more.
    pub url: String,
    pub client: Client,
    pub sink: Sink,
    pub sink_url: String,
    pub endpoint: EndpointId,
    /// A tenant of its own, so that a second demo in the same database starts afresh.
    pub tenant: String,
    pub migrated: Vec<String>,
    pub migrated_in: Duration,
    pub daemon: Daemon,
    stop: Stop,
}

/// The daemon's task.
pub(crate) struct Daemon(JoinSet<Result<Finished, StoreError>>);

impl Stage {
    /// Sets everything up; what cannot be set up leaves no server behind.
    pub(crate) async fn set(context: &Context, port: u16) -> Result<Self, Failure> {
        let begun = Instant::now();
        let database = context.open(Schema::Any).await?;
        let parts = match Parts::make(context, &database, port, begun).await {
            Ok(parts) => parts,
            Err(failure) => {
                database.close(&context.out).await;
                return Err(failure);
            }
        };
        let mut daemon = JoinSet::new();
        let stop = Stop::new();
        daemon.spawn(daemon::run(parts.daemon, stop.clone(), Metrics::new()));
        Ok(Self {
            database,
            url: parts.url,
            client: parts.client,
            sink: parts.sink,
            sink_url: parts.sink_url,
            endpoint: parts.endpoint,
            tenant: parts.tenant,
            migrated: parts.migrated,
            migrated_in: parts.migrated_in,
            daemon: Daemon(daemon),
            stop,
        })
    }

    /// Takes everything down again; what was published stays in the database.
    pub(crate) async fn clear(mut self, out: &Output) {
        self.stop.request_soft();
        while self.daemon.0.join_next().await.is_some() {}
        let cleared = async {
            endpoints::delete(&self.database.db, self.endpoint).await?;
            endpoints::cancel_deliveries(&self.database.db, self.endpoint, ENDPOINT_DELETED).await
        };
        if let Err(error) = cleared.await {
            out.warn(&format!("the demo's endpoint {} is left behind: {error}", self.endpoint));
        }
        drop(self.client);
        self.database.close(out).await;
    }
}

/// What the stage is made of, beside the database; nothing of it runs by itself.
struct Parts {
    url: String,
    client: Client,
    sink: Sink,
    sink_url: String,
    endpoint: EndpointId,
    tenant: String,
    migrated: Vec<String>,
    migrated_in: Duration,
    daemon: DaemonOptions,
}

impl Parts {
    async fn make(
        context: &Context,
        database: &Database,
        port: u16,
        begun: Instant,
    ) -> Result<Self, Failure> {
        let mut client = database.connect.client().await?;
        let migrated = migrations::up(&mut client).await?;
        let migrated_in = begun.elapsed();
        nobody_else(database).await?;
        create_table(&client).await.map_err(|error| {
            Failure::new(Exit::Failed, "cannot make the table of mails").why(with_causes(&error))
        })?;

        let secret = Secret::generate(&rand::random());
        let sink = Sink::start(port, behaviour(&secret)).await.map_err(|error| {
            Failure::new(
                Exit::Unavailable,
                format!("the receiver cannot listen on 127.0.0.1:{port}"),
            )
            .why(error.to_string())
        })?;
        let sink_url = sink.url("/hook");
        let tenant = format!("demo-{:08x}", rand::random::<u32>());
        let keys = keys(context)?;
        let endpoint = add_endpoint(database, &keys, &tenant, &sink_url, &secret).await?;

        let embedded = database.embedded.as_ref().map(EmbeddedPg::url);
        let url = embedded.map_or_else(|| "$POSTRIDER_DATABASE_URL".to_owned(), str::to_owned);
        let daemon = DaemonOptions {
            config: context.config.clone(),
            connect: context.pooled(embedded)?,
            direct: context.direct(embedded)?,
            keys: Arc::new(keys),
            once: false,
        };
        Ok(Self { url, client, sink, sink_url, endpoint, tenant, migrated, migrated_in, daemon })
    }
}

impl Daemon {
    /// Waits until the daemon ends, which it should not; says why it did.
    pub(crate) async fn lost(&mut self) -> Failure {
        match self.0.join_next().await {
            Some(Ok(Err(error))) => Failure::from(error).doing("the daemon ended"),
            Some(Ok(Ok(_))) => Failure::new(Exit::Failed, "the daemon ended by itself"),
            Some(Err(error)) => {
                Failure::new(Exit::Failed, "the daemon ended").why(error.to_string())
            }
            None => std::future::pending().await,
        }
    }
}

/// Another worker on this database would take deliveries and could not send them to our receiver.
async fn nobody_else(database: &Database) -> Result<(), Failure> {
    let alive = status::workers(&database.db).await?.into_iter().find(|worker| worker.alive);
    match alive {
        None => Ok(()),
        Some(worker) => Err(Failure::new(
            Exit::TryLater,
            format!("worker {} ({}) runs on this database", worker.incarnation, worker.name),
        )
        .why("it would take the demo's deliveries")
        .remedy("stop it, or run the demo on another database")),
    }
}

fn behaviour(secret: &Secret) -> Behaviour {
    Behaviour {
        secrets: vec![secret.clone()],
        path: Some("/hook".to_owned()),
        fail_first: Some(1),
        status: http::StatusCode::SERVICE_UNAVAILABLE,
        delay: Duration::ZERO,
        hang: false,
    }
}

/// The configured keys, or for a database without any, one that is thrown away with the endpoint.
fn keys(context: &Context) -> Result<KeyRing, Failure> {
    if context.config.database.url.is_some() && context.config.master_keys.is_empty() {
        let text = generate_master_key(&rand::random());
        return Ok(KeyRing::from_master_keys(&[&text]).expect("a key just made is well formed"));
    }
    context.keys()
}

async fn add_endpoint(
    database: &Database,
    keys: &KeyRing,
    tenant: &str,
    url: &str,
    secret: &Secret,
) -> Result<EndpointId, Failure> {
    let types = ["email.*".to_owned()];
    let new = NewEndpoint {
        id: endpoints::new_id(),
        tenant,
        url,
        description: "postrider demo",
        event_types: &types,
        filter: None,
        headers: &CustomHeaders::default(),
        retry_schedule_ms: Some(&RETRIES),
        timeout_ms: None,
        max_in_flight: None,
        rate_limit: None,
        capture_responses: false,
        enabled: true,
        metadata: &json!({}),
        secret: &SigningSecret::Standard(secret.clone()),
        settings: RequestSettings::default(),
        order: None,
        batch: None,
    };
    endpoints::create(&database.db, keys, &new).await?;
    Ok(new.id)
}
