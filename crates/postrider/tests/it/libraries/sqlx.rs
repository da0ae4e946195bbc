use postrider::sqlx::{publish_best_effort_tx, publish_many_tx, publish_tx};
use postrider::{BestEffort, Event, Outbox, PublishError, Published};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use crate::libraries::{Library, prove};
use crate::stage::{Stage, event};

prove!(Sqlx);

struct Sqlx {
    pool: PgPool,
    tx: Option<Transaction<'static, Postgres>>,
}

impl Sqlx {
    fn tx(&mut self) -> &mut Transaction<'static, Postgres> {
        self.tx.as_mut().expect("a transaction is open")
    }
}

impl Library for Sqlx {
    async fn connect(url: &str) -> Self {
        Self { pool: PgPool::connect(url).await.unwrap(), tx: None }
    }

    async fn begin(&mut self) {
        self.tx = Some(self.pool.begin().await.unwrap());
    }

    async fn commit(&mut self) {
        self.tx.take().expect("a transaction is open").commit().await.unwrap();
    }

    async fn rollback(&mut self) {
        self.tx.take().expect("a transaction is open").rollback().await.unwrap();
    }

    async fn execute(&mut self, sql: &str) -> bool {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut **self.tx()).await.is_ok()
    }

    async fn text(&mut self, sql: &str) -> String {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::query_scalar(sql).fetch_one(&mut **self.tx()).await.unwrap()
    }

    async fn publish(&mut self, event: &Event) -> Result<Published, PublishError> {
        publish_tx(self.tx(), event).await
    }

    async fn publish_many(&mut self, events: &[Event]) -> Result<Vec<Published>, PublishError> {
        publish_many_tx(self.tx(), events).await
    }

    async fn best_effort(&mut self, event: &Event) -> BestEffort {
        publish_best_effort_tx(self.tx(), event).await
    }

    async fn publish_by(
        &mut self,
        outbox: &Outbox,
        event: &Event,
    ) -> Result<Published, PublishError> {
        outbox.sqlx().publish_tx(self.tx(), event).await
    }

    async fn publish_many_by(
        &mut self,
        outbox: &Outbox,
        events: &[Event],
    ) -> Result<Vec<Published>, PublishError> {
        outbox.sqlx().publish_many_tx(self.tx(), events).await
    }

    async fn best_effort_by(&mut self, outbox: &Outbox, event: &Event) -> BestEffort {
        outbox.sqlx().publish_best_effort_tx(self.tx(), event).await
    }
}

#[tokio::test]
async fn a_connection_in_no_transaction_is_refused() {
    let stage = Stage::new().await;
    let mut connection = PgConnection::connect(stage.db.url()).await.unwrap();
    let refused = |error| matches!(error, PublishError::NoTransaction { .. });
    assert!(refused(publish_tx(&mut connection, &event("e1")).await.unwrap_err()));
    assert!(refused(publish_many_tx(&mut connection, &[event("e1")]).await.unwrap_err()));
    match publish_best_effort_tx(&mut connection, &event("e1")).await {
        BestEffort::Failed(error) => assert!(refused(error)),
        BestEffort::Done(published) => panic!("{published:?}"),
    }
    assert_eq!(stage.events().await, 0);

    let mut tx = connection.begin().await.unwrap();
    let mut savepoint = tx.begin().await.unwrap();
    assert_eq!(publish_tx(&mut savepoint, &event("e1")).await.unwrap(), Published::Inserted);
    savepoint.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
}

#[tokio::test]
async fn statements_are_kept_unless_that_is_not_wanted() {
    let stage = Stage::new().await;
    let mut library = Sqlx::connect(stage.db.url()).await;
    let kept = "SELECT count(*)::text AS text FROM pg_prepared_statements WHERE statement LIKE '-- One event%'";
    library.begin().await;
    let unnamed = Outbox::new().unnamed_statements();
    let _ = library.publish_by(&unnamed, &event("e1")).await.unwrap();
    assert_eq!(library.text(kept).await, "0");
    let _ = library.publish(&event("e2")).await.unwrap();
    assert_eq!(library.text(kept).await, "1");
}

/// Services publish from spawned tasks, so the futures must be `Send`; this only has to compile.
#[test]
fn publishing_can_be_spawned() {
    fn assert_send<T: Send>(_: T) {}
    fn in_a_transaction(tx: &mut PgConnection, event: &Event) {
        assert_send(publish_tx(tx, event));
        assert_send(publish_many_tx(tx, std::slice::from_ref(event)));
        assert_send(publish_best_effort_tx(tx, event));
    }
    let _ = in_a_transaction;
}
