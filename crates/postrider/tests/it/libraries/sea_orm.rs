use postrider::sea_orm::{publish_best_effort_tx, publish_many_tx, publish_tx};
use postrider::{BestEffort, Event, Outbox, PublishError, Published};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait,
};

use crate::libraries::{Library, prove};
use crate::stage::{Stage, event};

prove!(SeaOrm);

struct SeaOrm {
    db: DatabaseConnection,
    tx: Option<DatabaseTransaction>,
}

impl SeaOrm {
    fn tx(&self) -> &DatabaseTransaction {
        self.tx.as_ref().expect("a transaction is open")
    }
}

impl Library for SeaOrm {
    async fn connect(url: &str) -> Self {
        Self { db: Database::connect(url).await.unwrap(), tx: None }
    }

    async fn begin(&mut self) {
        self.tx = Some(self.db.begin().await.unwrap());
    }

    async fn commit(&mut self) {
        self.tx.take().expect("a transaction is open").commit().await.unwrap();
    }

    async fn rollback(&mut self) {
        self.tx.take().expect("a transaction is open").rollback().await.unwrap();
    }

    async fn execute(&mut self, sql: &str) -> bool {
        self.tx().execute_unprepared(sql).await.is_ok()
    }

    async fn text(&mut self, sql: &str) -> String {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.tx().query_one_raw(statement).await.unwrap().expect("a row");
        row.try_get_by_index(0).unwrap()
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
        outbox.sea_orm().publish_tx(self.tx(), event).await
    }

    async fn publish_many_by(
        &mut self,
        outbox: &Outbox,
        events: &[Event],
    ) -> Result<Vec<Published>, PublishError> {
        outbox.sea_orm().publish_many_tx(self.tx(), events).await
    }

    async fn best_effort_by(&mut self, outbox: &Outbox, event: &Event) -> BestEffort {
        outbox.sea_orm().publish_best_effort_tx(self.tx(), event).await
    }
}

#[tokio::test]
async fn a_closure_s_transaction_publishes() {
    let stage = Stage::new().await;
    let db = Database::connect(stage.db.url()).await.unwrap();
    let published = db
        .transaction::<_, Published, PublishError>(|tx| {
            Box::pin(async move { publish_tx(tx, &event("e1")).await })
        })
        .await
        .unwrap();
    assert_eq!(published, Published::Inserted);
    assert_eq!(stage.events().await, 1);
}

/// Services publish from spawned tasks, so the futures must be `Send`; this only has to compile.
#[test]
fn publishing_can_be_spawned() {
    fn assert_send<T: Send>(_: T) {}
    fn in_a_transaction(tx: &DatabaseTransaction, event: &Event) {
        assert_send(publish_tx(tx, event));
        assert_send(publish_many_tx(tx, std::slice::from_ref(event)));
        assert_send(publish_best_effort_tx(tx, event));
    }
    let _ = in_a_transaction;
}
