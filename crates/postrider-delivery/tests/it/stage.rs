//! The stage: a database, a receiver, endpoints, and a worker made of the real fan-out and delivery.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::address::AddressPolicy;
use postrider_core::health::HealthPolicy;
use postrider_core::ids::EndpointId;
use postrider_core::seal::KeyRing;
use postrider_core::signing::Secret;
use postrider_delivery::{Delivery, DeliveryOptions, Lanes, Limits, TargetPolicy};
use postrider_destinations::{Client, ClientConfig, EgressProxy};
use postrider_fanout::{FanOut, FanOutOptions, HandOff, NoHandOff};
use postrider_runtime::{Metrics, Stop, Tasks, Wake};
use postrider_store::clock::DbClock;
use postrider_store::control::Control;
use postrider_store::deliveries::LeasedDelivery;
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::{Receiver, TestDb};
use uuid::Uuid;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct Stage {
    /// Dropped at the end, and the database with it.
    db: TestDb,
    pub(crate) receiver: Receiver,
    pub(crate) client: tokio_postgres::Client,
    pub(crate) pool: Db,
}

/// One worker process's engine.
pub(crate) struct Worker {
    pub(crate) fan_out: FanOut<TestLanes>,
    pub(crate) delivery: Delivery,
    pub(crate) metrics: Metrics,
    pub(crate) stop: Stop,
    /// What a notification from another worker wakes.
    pub(crate) endpoints_changed: Wake,
    pub(crate) look_for_due: Wake,
}

/// What a test changes about a worker.
#[derive(Clone, Copy)]
pub(crate) struct Knobs {
    pub(crate) owner: i64,
    pub(crate) lease: Duration,
    pub(crate) timeout: Duration,
    pub(crate) lane_bytes: usize,
    pub(crate) in_flight: usize,
    pub(crate) limits: Limits,
    pub(crate) health: HealthPolicy,
    /// The port of an egress proxy on this machine.
    pub(crate) proxy: Option<u16>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            owner: 1,
            lease: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
            lane_bytes: 64 << 20,
            in_flight: 512,
            limits: Limits::default(),
            health: HealthPolicy::default(),
            proxy: None,
        }
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let client = db.client().await;
        let connect = Connect::parse(db.url(), "postrider-test", None).unwrap();
        let pool = Db::new(&connect, Mode::Direct, 6).unwrap();
        Self { client, pool, receiver: Receiver::start().await, db }
    }

    /// The same with workers behind a transaction pooler: no prepared statements, no settings of the session.
    pub(crate) fn pooled(self) -> Self {
        let connect = Connect::parse(self.db.url(), "postrider-test", None).unwrap();
        Self { pool: Db::new(&connect, Mode::Pooled, 6).unwrap(), ..self }
    }

    /// An endpoint at this path of the receiver, retrying three times, a second apart.
    pub(crate) async fn endpoint(&self, tenant: &str, path: &str) -> EndpointId {
        self.endpoint_at(tenant, &self.receiver.url(path), &["*"]).await
    }

    pub(crate) async fn endpoint_at(&self, tenant: &str, url: &str, types: &[&str]) -> EndpointId {
        let id = EndpointId(Uuid::now_v7());
        let keys = KeyRing::from_master_keys(&[MASTER_KEY]).unwrap();
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let aad = [b"secret:".as_slice(), id.0.as_bytes()].concat();
        let sealed = keys.seal(secret.expose().as_bytes(), &aad, [9; 24]);
        self.client
            .execute(
                "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, retry_schedule_ms) VALUES ($1, $2, $3, $4, '{1000,1000,1000}')",
                &[&id.0, &tenant, &url, &types],
            )
            .await
            .unwrap();
        self.client
            .execute("INSERT INTO postrider.webhook_endpoint_secrets (endpoint_id, sealed) VALUES ($1, $2)", &[&id.0, &sealed])
            .await
            .unwrap();
        id
    }

    /// A worker's ears: what the database tells the fleet.
    pub(crate) async fn control(&self) -> Control {
        let connect = Connect::parse(self.db.url(), "postrider-test", None).unwrap();
        Control::open(&connect, &self.pool).await.unwrap().expect("it hears itself")
    }

    /// A connection of its own, for what happens beside.
    pub(crate) async fn another_client(&self) -> tokio_postgres::Client {
        self.db.client().await
    }

    pub(crate) async fn disable(&self, endpoint: EndpointId) {
        let disable = "UPDATE postrider.webhook_endpoints SET enabled = false WHERE id = $1";
        assert_eq!(self.client.execute(disable, &[&endpoint.0]).await.unwrap(), 1);
    }

    /// Fans out what is pending in a process that does not deliver: everything is inserted as due.
    pub(crate) async fn fan_out_only(&self) {
        let options = FanOutOptions {
            owner: 99,
            lease: Duration::from_secs(60),
            limits: postrider_fanout::Limits::default(),
            after_crash: false,
        };
        let metrics = Metrics::new();
        let mut fan_out = FanOut::new(self.pool.clone(), Arc::new(NoHandOff), options, metrics);
        fan_out.drain().await.unwrap();
    }

    /// Publishes `count` events of a tenant, ids `<prefix>0…`.
    pub(crate) async fn publish(&self, tenant: &str, prefix: &str, count: i32) {
        self.client
            .execute(
                "SELECT postrider.publish_v1($1, $2 || i, 'email.received', '{\"n\":1}', NULL, NULL, NULL, NULL, NULL, true) FROM generate_series(0, $3 - 1) i",
                &[&tenant, &prefix, &count],
            )
            .await
            .unwrap();
    }

    /// Publishes `count` events whose data are `bytes` long.
    pub(crate) async fn publish_large(&self, tenant: &str, count: i32, bytes: i32) {
        self.client
            .execute(
                "SELECT postrider.publish_v1($1, 'large' || i, 'email.received', to_json(repeat('x', $3)), NULL, NULL, NULL, NULL, NULL, true) FROM generate_series(1, $2) i",
                &[&tenant, &count, &bytes],
            )
            .await
            .unwrap();
    }

    pub(crate) async fn worker(&self, knobs: Knobs) -> Worker {
        let (stop, metrics) = (Stop::new(), Metrics::new());
        let (endpoints_changed, look_for_due) = (Wake::new(), Wake::new());
        let clock = DbClock::start(&mut self.pool.session().await.unwrap()).await.unwrap();
        let options = DeliveryOptions {
            owner: knobs.owner,
            lease: knobs.lease,
            lane_floor: 256,
            lane_bytes: knobs.lane_bytes,
            in_flight: knobs.in_flight,
            retry_in_flight: 128,
            limits: knobs.limits,
            policy: TargetPolicy {
                allow_http: true,
                addresses: AddressPolicy::with_loopback(),
                keys: Arc::new(KeyRing::from_master_keys(&[MASTER_KEY]).unwrap()),
                timeout: knobs.timeout,
                in_flight: 10,
            },
            health: knobs.health,
            retry_after_ceiling: postrider_core::retry::RETRY_AFTER_CEILING,
            endpoints_changed: endpoints_changed.clone(),
            leases_released: look_for_due.clone(),
        };
        let client = Client::new(ClientConfig {
            addresses: AddressPolicy::with_loopback(),
            proxy: knobs.proxy.map(proxy_at),
            ..ClientConfig::default()
        })
        .unwrap();
        let loops = Tasks::new(stop.clone());
        let delivery =
            Delivery::start(self.pool.clone(), client, clock, options, metrics.clone(), loops);
        let fan_out = FanOut::new(
            self.pool.clone(),
            Arc::new(TestLanes(delivery.lanes())),
            FanOutOptions {
                owner: knobs.owner,
                lease: knobs.lease,
                limits: postrider_fanout::Limits::default(),
                after_crash: false,
            },
            metrics.clone(),
        );
        Worker { fan_out, delivery, metrics, stop, endpoints_changed, look_for_due }
    }

    /// How many rows a query counts.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.client
            .query_one(sql, &[])
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
            .get(0)
    }

    /// Waits until a count is what it should be.
    pub(crate) async fn becomes(&self, sql: &str, wanted: i64) {
        let since = Instant::now();
        loop {
            let found = self.count(sql).await;
            if found == wanted {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{sql} is {found}, not {wanted}, after {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn proxy_at(port: u16) -> EgressProxy {
    EgressProxy::parse(&format!("http://127.0.0.1:{port}")).unwrap()
}

impl Worker {
    /// Stops in order and gives what was left.
    pub(crate) async fn stop(self) -> postrider_delivery::Left {
        self.stop.request_soft();
        self.delivery.finish().await
    }
}

pub(crate) struct TestLanes(Lanes);

impl HandOff for TestLanes {
    fn reserve(&self, endpoint: EndpointId, wanted: usize, bytes: usize) -> usize {
        self.0.reserve(endpoint, wanted, bytes)
    }

    fn unreserve(&self, endpoint: EndpointId, places: usize) {
        self.0.unreserve(endpoint, places);
    }

    fn hand_off(&self, deliveries: Vec<LeasedDelivery>) {
        self.0.hand_off(deliveries);
    }

    fn overflowed(&self, endpoint: EndpointId) {
        self.0.overflowed(endpoint);
    }

    fn gathering(&self, endpoint: EndpointId) {
        self.0.gathering(endpoint);
    }

    fn pace(&self) -> impl Future<Output = ()> + Send {
        self.0.pace()
    }
}
