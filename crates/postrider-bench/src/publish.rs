//! Publishing: 32 publishers, each on a connection of its own, beside the same rows inserted without Postrider.
//!
//! Every kind commits one event (or row) of 500 bytes at a time. Three are one statement in one round trip: the publishing
//! function, a plain INSERT, and that INSERT with `pg_notify`. Three are the same within a transaction: BEGIN, the
//! statement, COMMIT. A session listens to the notifications.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use deadpool_postgres::{Manager, Object, Pool};
use postrider::{Event, publish_tx};
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Client, NoTls, Statement};

use crate::events::{self, TENANT};
use crate::site::{Database, Site};

/// Publishers at once.
pub(crate) const CLIENTS: usize = 32;

/// One way to commit an event or a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Publish,
    Insert,
    InsertNotify,
    PublishTx,
    InsertTx,
    InsertNotifyTx,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [
        Kind::Publish,
        Kind::Insert,
        Kind::InsertNotify,
        Kind::PublishTx,
        Kind::InsertTx,
        Kind::InsertNotifyTx,
    ];

    fn sql(self) -> &'static str {
        match self {
            Kind::Publish | Kind::PublishTx => {
                "SELECT postrider.publish_v1($1, $2, $3, $4, NULL, NULL, NULL, NULL, NULL, true)"
            }
            Kind::Insert | Kind::InsertTx => "INSERT INTO bench_plain (tenant, id, type, data) VALUES ($1, $2, $3, $4)",
            Kind::InsertNotify | Kind::InsertNotifyTx => {
                "WITH row AS (INSERT INTO bench_plain (tenant, id, type, data) VALUES ($1, $2, $3, $4) RETURNING id)
                 SELECT pg_notify('bench_plain', '') FROM row"
            }
        }
    }
}

/// What one way came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    /// Commits a second.
    pub(crate) rate: f64,
    /// Processor time of the whole server for each, in microseconds.
    pub(crate) server_cpu: f64,
}

/// The publishers, connected.
pub(crate) struct Publishers {
    pool: Pool,
    _listener: Client,
}

impl Publishers {
    /// Makes the plain table, connects everybody and begins to listen.
    pub(crate) async fn connect(database: &Database) -> Result<Self> {
        let listener = database.connect.client().await?;
        listener
            .batch_execute(
                "CREATE TABLE bench_plain (id text COLLATE \"C\" PRIMARY KEY, tenant text NOT NULL, type text NOT NULL,
                    created_at timestamptz NOT NULL DEFAULT clock_timestamp(), data json NOT NULL);
                 LISTEN bench_plain",
            )
            .await?;
        let manager = Manager::new(database.url.parse()?, NoTls);
        let pool = Pool::builder(manager).max_size(CLIENTS).build()?;
        Ok(Self { pool, _listener: listener })
    }

    /// Lets all publish in this way for so long.
    pub(crate) async fn measure(
        &self,
        site: &Site,
        kind: Kind,
        span: Duration,
    ) -> Result<Published> {
        let mut clients = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            let client = self.pool.get().await.context("connecting a publisher")?;
            let types = [Type::TEXT, Type::TEXT, Type::TEXT, Type::JSON];
            let statement = client.prepare_typed_cached(kind.sql(), &types).await?;
            clients.push((client, statement));
        }
        let committed = Arc::new(AtomicU64::new(0));
        let (started, server_before) = (Instant::now(), site.server_cpu());
        let mut publishers = JoinSet::new();
        for (client, statement) in clients {
            publishers.spawn(publish(
                kind,
                client,
                statement,
                started + span,
                Arc::clone(&committed),
            ));
        }
        while let Some(ended) = publishers.join_next().await {
            ended.context("a publisher broke")??;
        }
        let (seconds, commits) = (started.elapsed().as_secs_f64(), committed.load(Relaxed) as f64);
        let server_cpu = (site.server_cpu() - server_before) * 1e6 / commits;
        Ok(Published { rate: commits / seconds, server_cpu })
    }
}

async fn publish(
    kind: Kind,
    mut client: Object,
    statement: Statement,
    until: Instant,
    committed: Arc<AtomicU64>,
) -> Result<()> {
    while Instant::now() < until {
        let event = events::event(TENANT, committed.load(Relaxed));
        if kind == Kind::PublishTx {
            let tx = client.transaction().await?;
            let published = publish_tx(&tx, &event).await?;
            tx.commit().await?;
            ensure!(
                published == postrider::Published::Inserted,
                "an event was not published: {published:?}"
            );
        } else {
            insert(kind, &mut client, &statement, &event).await?;
        }
        committed.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// One statement, by itself or between BEGIN and COMMIT.
async fn insert(
    kind: Kind,
    client: &mut Object,
    statement: &Statement,
    event: &Event,
) -> Result<()> {
    let data = Json(RawValue::from_string(event.data().to_owned())?);
    let of_type = event.event_type().as_str();
    let row: [&(dyn ToSql + Sync); 4] = [&event.tenant(), &event.id(), &of_type, &data];
    match kind {
        Kind::InsertTx | Kind::InsertNotifyTx => {
            let tx = client.transaction().await?;
            tx.execute(statement, &row).await?;
            tx.commit().await?;
        }
        Kind::Publish => {
            let answer: String = client.query_one(statement, &row).await?.get(0);
            ensure!(answer == "inserted", "an event was not published: {answer}");
        }
        _ => {
            client.execute(statement, &row).await?;
        }
    }
    Ok(())
}
