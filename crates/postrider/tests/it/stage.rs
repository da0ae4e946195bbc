//! What every test here needs: a database of its own with a table of the caller's, and questions to ask of it.

use deadpool_postgres::Pool;
use postrider::{EMAIL_SENT, Event};
use postrider_testkit::TestDb;
use tokio_postgres::Client;

/// A database with the schema and a table `messages`, which stands for the caller's own business.
pub(crate) struct Stage {
    pub(crate) db: TestDb,
    /// Asks what others can see; never in a transaction.
    pub(crate) observer: Client,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let observer = db.client().await;
        let table = "CREATE TABLE public.messages (id text PRIMARY KEY); GRANT ALL ON public.messages TO PUBLIC";
        observer.batch_execute(table).await.expect("create the caller's table");
        Self { db, observer }
    }

    pub(crate) async fn client(&self) -> Client {
        self.db.client().await
    }

    /// A connection with the rights of a publisher and no more.
    pub(crate) async fn publisher(&self) -> Client {
        let client = self.client().await;
        client.batch_execute("SET ROLE postrider_publisher").await.expect("become a publisher");
        client
    }

    pub(crate) fn pool(&self, size: usize) -> Pool {
        self.db.connect_pool(size)
    }

    /// How many rows `sql` counts, as committed.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.observer
            .query_one(&format!("SELECT count(*) FROM {sql}"), &[])
            .await
            .expect(sql)
            .get(0)
    }

    pub(crate) async fn messages(&self) -> i64 {
        self.count("public.messages").await
    }

    /// How many events are committed, and that their three rows agree.
    pub(crate) async fn events(&self) -> i64 {
        let events = self.count("postrider.webhook_events").await;
        assert_eq!(self.count("postrider.webhook_event_ids").await, events, "ledger and bodies");
        assert_eq!(
            self.count("postrider.webhook_events_pending").await,
            events,
            "pending rows and bodies"
        );
        events
    }

    pub(crate) async fn failures(
        &self,
    ) -> Vec<(Option<String>, Option<String>, Option<String>, String)> {
        let sql = "SELECT tenant_id, event_id, type, reason FROM postrider.webhook_publish_failures ORDER BY id";
        let rows = self.observer.query(sql, &[]).await.expect(sql);
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
    }
}

/// An event of tenant `t` with its own id.
pub(crate) fn event(id: &str) -> Event {
    event_with(id, "{}")
}

pub(crate) fn event_with(id: &str, data: &str) -> Event {
    Event::new(EMAIL_SENT, "t").id(id).data_text(data)
}

/// What the caller writes besides the event.
pub(crate) const STORE_MESSAGE: &str = "INSERT INTO public.messages (id) VALUES ('m1')";
