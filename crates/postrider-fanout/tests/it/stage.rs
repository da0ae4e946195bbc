//! The stage: a database with endpoints and events, and fan-outs that work on it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider::{Event, EventType, publish_tx};
use postrider_core::ids::EndpointId;
use postrider_fanout::{FanOut, FanOutOptions, HandOff, Limits, NoHandOff};
use postrider_runtime::Metrics;
use postrider_store::deliveries::LeasedDelivery;
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::TestDb;
use tokio_postgres::Client;
use uuid::Uuid;

/// Nothing that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const TENANT: &str = "acme";

pub(crate) const PENDING: &str = "SELECT count(*) FROM postrider.webhook_events_pending";
pub(crate) const DELIVERIES: &str = "SELECT count(*) FROM postrider.webhook_deliveries";

/// A database and a session on it.
pub(crate) struct Stage {
    /// Dropped first, and its sessions with it.
    pub(crate) db: TestDb,
    pub(crate) client: Client,
}

/// What a test changes about a fan-out.
pub(crate) fn options() -> FanOutOptions {
    FanOutOptions {
        owner: 1,
        lease: Duration::from_secs(60),
        limits: Limits::default(),
        after_crash: false,
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        Self { client: db.client().await, db }
    }

    pub(crate) fn connect(&self, application_name: &str) -> Connect {
        Connect::parse(self.db.url(), application_name, None).unwrap()
    }

    /// A worker's pool.
    pub(crate) fn pool(&self) -> Db {
        Db::new(&self.connect("fan-out"), Mode::Direct, 4).unwrap()
    }

    /// A fan-out whose deliveries stay in the database.
    pub(crate) fn fan_out(&self, options: FanOutOptions) -> FanOut<NoHandOff> {
        self.fan_out_to(NoHandOff, options)
    }

    pub(crate) fn fan_out_to<H: HandOff>(&self, lanes: H, options: FanOutOptions) -> FanOut<H> {
        FanOut::new(self.pool(), Arc::new(lanes), options, Metrics::new())
    }

    /// Waits until nobody holds a pending event any more: a session that is dropped keeps its locks until its server process ends.
    pub(crate) async fn wait_for_locks(&self) {
        let all = "SELECT FROM postrider.webhook_events_pending FOR UPDATE";
        self.client.execute(all, &[]).await.unwrap();
    }

    /// An endpoint of the tenant for these types of events.
    pub(crate) async fn endpoint(&self, types: &[&str]) -> EndpointId {
        let id = EndpointId(Uuid::now_v7());
        self.client
            .execute(
                "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types) VALUES ($1, $2, 'https://example.com/', $3)",
                &[&id.0, &TENANT, &types],
            )
            .await
            .unwrap();
        id
    }

    /// Publishes one event, committed.
    pub(crate) async fn publish(&mut self, id: &str) {
        let tx = self.client.transaction().await.unwrap();
        publish(&tx, id).await;
        tx.commit().await.unwrap();
    }

    /// Publishes `<prefix>1` to `<prefix><count>` with `bytes` bytes of data each, in one transaction.
    pub(crate) async fn publish_many(&self, prefix: &str, count: i32, bytes: i32) {
        let sql = "SELECT postrider.publish_v1($1, $2 || i, 'order.paid', to_json(repeat('x', $4 - 2)), NULL, NULL, NULL, NULL, NULL, true) FROM generate_series(1, $3) i";
        self.client.execute(sql, &[&TENANT, &prefix, &count, &bytes]).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let counted = self.client.query_one(sql, &[]).await;
        counted.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    /// Waits until a count is what it should be.
    pub(crate) async fn becomes(&self, sql: &str, wanted: i64) {
        let since = Instant::now();
        loop {
            let found = self.count(sql).await;
            if found == wanted {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{sql} is {found}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ids of the events that this endpoint is owed, in the order of publishing.
    pub(crate) async fn owed(&self, endpoint: EndpointId) -> Vec<String> {
        let sql = "SELECT e.id FROM postrider.webhook_deliveries d JOIN postrider.webhook_events e ON e.seq = d.event_seq
                   WHERE d.endpoint_id = $1 ORDER BY e.seq";
        let rows = self.client.query(sql, &[&endpoint.0]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// From now on the database refuses deliveries of this event with this SQLSTATE.
    pub(crate) async fn refuse(&self, event: &str, sqlstate: &str) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF NEW.event_seq = (SELECT e.seq FROM postrider.webhook_event_ids e WHERE e.id = '{event}') THEN
                     RAISE EXCEPTION 'not this one' USING ERRCODE = '{sqlstate}';
                 END IF;
                 RETURN NEW;
             END $$;
             CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON postrider.webhook_deliveries_open
                 FOR EACH ROW EXECUTE FUNCTION public.refuse()"
        );
        self.client.batch_execute(&sql).await.unwrap();
    }

    pub(crate) async fn refuse_nothing(&self) {
        let sql = "DROP TRIGGER refuse ON postrider.webhook_deliveries_open";
        self.client.batch_execute(sql).await.unwrap();
    }

    /// Tries counted against an event that is still pending, and what was noted with them.
    pub(crate) async fn tries(&self, event: &str) -> (i16, Option<String>) {
        let sql = "SELECT p.attempts, p.last_error FROM postrider.webhook_events_pending p JOIN postrider.webhook_event_ids i USING (seq) WHERE i.id = $1";
        let row = self.client.query_one(sql, &[&event]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Tries counted against an event that was moved to the failed, and why it was.
    pub(crate) async fn failed(&self, event: &str) -> (i16, String) {
        let sql = "SELECT f.attempts, f.reason FROM postrider.webhook_events_failed f JOIN postrider.webhook_event_ids i USING (seq) WHERE i.id = $1";
        let row = self.client.query_one(sql, &[&event]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// What was put off is due now.
    pub(crate) async fn make_due(&self) {
        let sql = "UPDATE postrider.webhook_events_pending SET next_attempt_at = clock_timestamp()";
        self.client.batch_execute(sql).await.unwrap();
    }
}

/// Publishes one event in a caller's transaction.
pub(crate) async fn publish(tx: &tokio_postgres::Transaction<'_>, id: &str) {
    let event = Event::new(EventType::parse("order.paid").unwrap(), TENANT).id(id).data_text("{}");
    assert!(publish_tx(tx, &event).await.unwrap().is_inserted());
}

/// Waits for something in the middle of a call that is not async.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

/// Lanes that take nothing, and do something at the moment between matching and inserting.
pub(crate) struct Meddler<F>(pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> HandOff for Meddler<F> {
    fn reserve(&self, _endpoint: EndpointId, _wanted: usize, _bytes: usize) -> usize {
        (self.0)();
        0
    }

    fn unreserve(&self, _endpoint: EndpointId, _places: usize) {}

    fn hand_off(&self, _deliveries: Vec<LeasedDelivery>) {}

    fn overflowed(&self, _endpoint: EndpointId) {}

    fn gathering(&self, _endpoint: EndpointId) {}

    async fn pace(&self) {}
}
