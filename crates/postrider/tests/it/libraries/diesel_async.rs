use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    TransactionManager,
};
use postrider::diesel_async::{publish_best_effort_tx, publish_many_tx, publish_tx};
use postrider::{BestEffort, Event, Outbox, PublishError, Published};

use crate::libraries::{Library, prove};
use crate::stage::{Stage, event};

prove!(Diesel);

struct Diesel(AsyncPgConnection);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Library for Diesel {
    async fn connect(url: &str) -> Self {
        Self(AsyncPgConnection::establish(url).await.unwrap())
    }

    async fn begin(&mut self) {
        AnsiTransactionManager::begin_transaction(&mut self.0).await.unwrap();
    }

    async fn commit(&mut self) {
        AnsiTransactionManager::commit_transaction(&mut self.0).await.unwrap();
    }

    async fn rollback(&mut self) {
        AnsiTransactionManager::rollback_transaction(&mut self.0).await.unwrap();
    }

    async fn execute(&mut self, sql: &str) -> bool {
        self.0.batch_execute(sql).await.is_ok()
    }

    async fn text(&mut self, sql: &str) -> String {
        diesel::sql_query(sql).get_result::<Row>(&mut self.0).await.unwrap().text
    }

    async fn publish(&mut self, event: &Event) -> Result<Published, PublishError> {
        publish_tx(&mut self.0, event).await
    }

    async fn publish_many(&mut self, events: &[Event]) -> Result<Vec<Published>, PublishError> {
        publish_many_tx(&mut self.0, events).await
    }

    async fn best_effort(&mut self, event: &Event) -> BestEffort {
        publish_best_effort_tx(&mut self.0, event).await
    }

    async fn publish_by(
        &mut self,
        outbox: &Outbox,
        event: &Event,
    ) -> Result<Published, PublishError> {
        outbox.diesel_async().publish_tx(&mut self.0, event).await
    }

    async fn publish_many_by(
        &mut self,
        outbox: &Outbox,
        events: &[Event],
    ) -> Result<Vec<Published>, PublishError> {
        outbox.diesel_async().publish_many_tx(&mut self.0, events).await
    }

    async fn best_effort_by(&mut self, outbox: &Outbox, event: &Event) -> BestEffort {
        outbox.diesel_async().publish_best_effort_tx(&mut self.0, event).await
    }
}

#[tokio::test]
async fn a_connection_in_no_transaction_is_refused() {
    let stage = Stage::new().await;
    let mut connection = AsyncPgConnection::establish(stage.db.url()).await.unwrap();
    let refused = |error| matches!(error, PublishError::NoTransaction { .. });
    assert!(refused(publish_tx(&mut connection, &event("e1")).await.unwrap_err()));
    assert!(refused(publish_many_tx(&mut connection, &[event("e1")]).await.unwrap_err()));
    match publish_best_effort_tx(&mut connection, &event("e1")).await {
        BestEffort::Failed(error) => assert!(refused(error)),
        BestEffort::Done(published) => panic!("{published:?}"),
    }
    assert_eq!(stage.events().await, 0);
}

/// What a transaction of the caller's can fail by.
#[derive(Debug)]
struct Failed;

impl From<diesel::result::Error> for Failed {
    fn from(_: diesel::result::Error) -> Self {
        Self
    }
}

#[tokio::test]
async fn a_closure_s_transaction_publishes_if_it_succeeds() {
    let stage = Stage::new().await;
    let mut connection = AsyncPgConnection::establish(stage.db.url()).await.unwrap();
    for (id, ending, events) in [("e1", Ok(()), 1), ("e2", Err(Failed), 1)] {
        let event = event(id);
        let ended = connection
            .transaction(async |tx| {
                let published = publish_tx(tx, &event).await.map_err(|_| Failed)?;
                assert_eq!(published, Published::Inserted);
                ending
            })
            .await;
        assert_eq!((ended.is_ok(), stage.events().await), (id == "e1", events));
    }
}

/// Services publish from spawned tasks, so the futures must be `Send`; this only has to compile.
#[test]
fn publishing_can_be_spawned() {
    fn assert_send<T: Send>(_: T) {}
    fn in_a_transaction(tx: &mut AsyncPgConnection, event: &Event) {
        assert_send(publish_tx(tx, event));
        assert_send(publish_many_tx(tx, std::slice::from_ref(event)));
        assert_send(publish_best_effort_tx(tx, event));
    }
    let _ = in_a_transaction;
}
