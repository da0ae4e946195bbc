//! The janitor against a real PostgreSQL: what it makes, what it lets go, whom it buries.

mod gauges;
mod jobs;
mod partitions;
mod recovery;
mod retention;

use jiff::{SignedDuration, Timestamp};
use postrider_store::maintenance::Maintenance;
use postrider_store::partitions::{Listing, list};
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::TestDb;
use tokio_postgres::Client;

/// A database, the daemon's pool on it, and a session of an onlooker.
struct Stage {
    test: TestDb,
    db: Db,
    onlooker: Client,
}

impl Stage {
    async fn set() -> Self {
        let test = TestDb::new().await;
        let connect = Connect::parse(test.url(), "postrider-janitor-test", None)
            .expect("the URL of a test is good");
        let db = Db::new(&connect, Mode::Direct, 4).expect("a pool of four");
        let onlooker = test.client().await;
        Self { test, db, onlooker }
    }

    /// The right to keep house; a janitor that was just dropped may take a moment to go.
    async fn housekeeping(&self) -> Maintenance {
        for _ in 0..500 {
            if let Some(maintenance) =
                Maintenance::begin(&self.db).await.expect("the database answers")
            {
                return maintenance;
            }
            tokio::task::yield_now().await;
        }
        panic!("somebody else keeps house");
    }

    /// The time of the database, some days on.
    async fn in_days(&self, days: i64) -> Timestamp {
        self.listing().await.now + SignedDuration::from_hours(24 * days)
    }

    async fn listing(&self) -> Listing {
        let mut maintenance = Maintenance::unlocked(&self.db).await.expect("the database answers");
        list(&mut maintenance, None).await.expect("the partitions can be listed")
    }

    async fn execute(&self, sql: &str) {
        self.onlooker
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{error:?}\nin: {sql}"));
    }

    async fn number(&self, sql: &str) -> i64 {
        let row = self
            .onlooker
            .query_one(sql, &[])
            .await
            .unwrap_or_else(|error| panic!("{error:?}\nin: {sql}"));
        row.get(0)
    }

    /// Publishes `n` events of tenant `t` and returns the `seq` of the first.
    async fn publish(&self, n: i64) -> i64 {
        let before =
            self.number("SELECT coalesce(max(seq), 0) FROM postrider.webhook_event_ids").await;
        self.execute(&format!(
            "SELECT postrider.publish('email.received', 't', '{{}}') FROM generate_series(1, {n})"
        ))
        .await;
        before + 1
    }

    /// Makes open deliveries for all events, due at `due`, leased to `owner` unless it is 0.
    async fn owe(&self, due: &str, owner: i64) {
        self.execute(&format!(
            "INSERT INTO postrider.webhook_deliveries_open
                 (id, endpoint_id, event_seq, event_created_at, next_attempt_at, lease_owner, lease_no, open, status, tenant_id)
             SELECT (substr(postrider.delivery_id_floor(e.created_at)::text, 1, 14) || substr(gen_random_uuid()::text, 15))::uuid,
                    gen_random_uuid(), e.seq, e.created_at, {due}, nullif({owner}, 0), 3, true, 'pending', e.tenant_id
             FROM postrider.webhook_events e"
        ))
        .await;
    }
}
