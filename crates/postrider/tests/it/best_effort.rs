use std::future::poll_fn;
use std::time::Duration;

use postrider::{
    BestEffort, EMAIL_SENT, Event, Outbox, PublishError, Published, publish_best_effort_tx,
    publish_tx,
};
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, NoTls, Transaction};

use crate::stage::{STORE_MESSAGE, Stage, event, event_with};

async fn lock_timeout(tx: &Transaction<'_>) -> String {
    tx.query_one("SELECT current_setting('lock_timeout')", &[]).await.unwrap().get(0)
}

/// Publishes `event` by best effort between two statements of the caller's, commits, and returns why it failed.
async fn failure_of(stage: &Stage, outbox: &Outbox, event: &Event) -> PublishError {
    let mut client = stage.client().await;
    let mut tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    let answer = outbox.publish_best_effort_tx(&mut tx, event).await;
    assert_eq!(lock_timeout(&tx).await, "0");
    tx.batch_execute("INSERT INTO public.messages (id) VALUES ('m2')").await.unwrap();
    postrider::checked_commit(tx).await.unwrap();
    assert_eq!(stage.messages().await, 2, "the caller's rows are committed");
    match answer {
        BestEffort::Failed(failure) => failure,
        BestEffort::Done(published) => panic!("{published:?}"),
    }
}

#[tokio::test]
async fn a_best_effort_publish_publishes() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let mut tx = client.transaction().await.unwrap();
    tx.batch_execute("SET LOCAL lock_timeout = '7s'").await.unwrap();
    for expected in [Published::Inserted, Published::Duplicate] {
        let answer = publish_best_effort_tx(&mut tx, &event("e1")).await;
        assert!(
            matches!(answer, BestEffort::Done(published) if published == expected),
            "{answer:?}"
        );
    }
    let answer =
        Outbox::new().strict().publish_best_effort_tx(&mut tx, &event_with("e1", "1")).await;
    assert!(matches!(answer, BestEffort::Done(Published::Conflict)), "{answer:?}");
    assert_eq!(lock_timeout(&tx).await, "7s", "the caller's setting is back");
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);

    let pool = stage.pool(1);
    let mut client = pool.get().await.unwrap();
    let mut tx = client.transaction().await.unwrap();
    let answer = publish_best_effort_tx(&mut tx, &event("e2")).await;
    assert!(matches!(answer, BestEffort::Done(Published::Inserted)), "{answer:?}");
    tx.commit().await.unwrap();
    assert_eq!(stage.events().await, 2);
}

#[tokio::test]
async fn a_twin_held_uncommitted_elsewhere_costs_the_caller_50_ms_and_no_row() {
    let stage = Stage::new().await;
    let mut other = stage.client().await;
    let twin = other.transaction().await.unwrap();
    assert_eq!(publish_tx(&twin, &event("e1")).await.unwrap(), Published::Inserted);

    let outbox = Outbox::new().record_failures(stage.pool(1));
    let failure =
        tokio::time::timeout(Duration::from_secs(5), failure_of(&stage, &outbox, &event("e1")))
            .await;
    let failure = failure.expect("it does not wait for the twin");
    assert_eq!(failure.sqlstate().map(|state| state.code()), Some("55P03"));
    assert!(failure.is_retryable());
    let failures = stage.failures().await;
    let [(tenant, id, event_type, reason)] = &failures[..] else {
        panic!("one failure: {failures:?}")
    };
    assert_eq!(
        [tenant.as_deref(), id.as_deref(), event_type.as_deref()],
        [Some("t"), Some("e1"), Some("email.sent")]
    );
    assert!(reason.starts_with("55P03 "), "{reason}");
    assert_eq!(outbox.failed_best_efforts(), 1);
    twin.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
}

#[tokio::test]
async fn a_missing_table_costs_the_caller_no_row() {
    let stage = Stage::new().await;
    stage
        .observer
        .batch_execute("ALTER TABLE postrider.webhook_events_pending RENAME TO elsewhere")
        .await
        .unwrap();
    let outbox = Outbox::new().record_failures(stage.pool(1));
    let failure = failure_of(&stage, &outbox, &event("e1")).await;
    assert_eq!(failure.sqlstate().map(|state| state.code()), Some("42P01"));
    assert!(stage.failures().await[0].3.starts_with("42P01 "));
    assert_eq!(stage.count("postrider.webhook_event_ids").await, 0, "nothing of the event is left");
}

#[tokio::test]
async fn a_nul_character_costs_the_caller_no_row_and_is_recorded_without_it() {
    let stage = Stage::new().await;
    let outbox = Outbox::new().record_failures(stage.pool(1));
    let event = Event::new(EMAIL_SENT, "t\0").id("e\0").data_text("{}");
    let failure = failure_of(&stage, &outbox, &event).await;
    assert!(
        matches!(&failure, PublishError::Invalid(fault) if fault.code == "tenant.syntax"),
        "{failure:?}"
    );
    let failures = stage.failures().await;
    assert_eq!(failures[0].0.as_deref(), Some("t\u{fffd}"));
    assert_eq!(failures[0].1.as_deref(), Some("e\u{fffd}"));
    assert!(failures[0].3.contains("(tenant.syntax)"));
}

#[tokio::test]
async fn a_schema_that_is_not_there_costs_the_caller_no_row_even_when_nothing_can_be_recorded() {
    let stage = Stage::new().await;
    stage.observer.batch_execute("ALTER SCHEMA postrider RENAME TO elsewhere").await.unwrap();
    let outbox = Outbox::new().record_failures(stage.pool(1));
    let failure = failure_of(&stage, &outbox, &event("e1")).await;
    assert_eq!(failure.sqlstate().map(|state| state.code()), Some("3F000"));
    assert_eq!(outbox.clone().failed_best_efforts(), 1, "it is counted all the same");
}

#[tokio::test]
async fn an_exhausted_pool_does_not_hold_the_caller_up() {
    let stage = Stage::new().await;
    let pool = stage.pool(1);
    let held = pool.get().await.unwrap();
    let outbox = Outbox::new().record_failures(pool);
    let failure = failure_of(&stage, &outbox, &event("an id with blanks")).await;
    assert!(matches!(failure, PublishError::Invalid(_)));
    assert!(stage.failures().await.is_empty());
    drop(held);
    assert_eq!(outbox.failed_best_efforts(), 1);
}

#[tokio::test]
async fn a_best_effort_publish_never_notifies() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    // A session that holds the wake-up lock stands for a worker that sleeps: publishers have to ring.
    let sleep = "SELECT pg_advisory_lock(1886352244, 1)";
    stage.observer.batch_execute(sleep).await.unwrap();
    for (by_best_effort, expected) in [(false, 1), (true, 0)] {
        let listener = Listener::start(&stage).await;
        let mut tx = client.transaction().await.unwrap();
        let event = event(&format!("e-{by_best_effort}"));
        let published = if by_best_effort {
            match publish_best_effort_tx(&mut tx, &event).await {
                BestEffort::Done(published) => published,
                BestEffort::Failed(failure) => panic!("{failure:?}"),
            }
        } else {
            publish_tx(&tx, &event).await.unwrap()
        };
        assert_eq!(published, Published::Inserted);
        tx.commit().await.unwrap();
        assert_eq!(listener.notifications().await, expected);
    }
}

pub(crate) struct Listener {
    client: Client,
    counting: JoinSet<usize>,
}

impl Listener {
    pub(crate) async fn start(stage: &Stage) -> Self {
        let (client, mut connection) =
            tokio_postgres::connect(stage.db.url(), NoTls).await.unwrap();
        let mut counting = JoinSet::new();
        counting.spawn(async move {
            let mut notifications = 0;
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                notifications += usize::from(matches!(message, AsyncMessage::Notification(_)));
            }
            notifications
        });
        client.batch_execute("LISTEN webhook_events_new").await.unwrap();
        Self { client, counting }
    }

    /// What arrived up to now: the server sends what is due before it answers a query.
    pub(crate) async fn notifications(mut self) -> usize {
        self.client.batch_execute("SELECT 1").await.unwrap();
        drop(self.client);
        self.counting.join_next().await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_dropped_best_effort_publish_leaves_a_usable_transaction() {
    let stage = Stage::new().await;
    let mut other = stage.client().await;
    let twin = other.transaction().await.unwrap();
    assert_eq!(publish_tx(&twin, &event("e1")).await.unwrap(), Published::Inserted);
    let mut client = stage.client().await;
    let mut tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    let outbox = Outbox::new();
    let event = event("e1");
    let cancelled = tokio::time::timeout(
        Duration::from_millis(20),
        outbox.publish_best_effort_tx(&mut tx, &event),
    )
    .await;
    assert!(cancelled.is_err(), "the lock time-out takes longer");
    assert_eq!(lock_timeout(&tx).await, "0");
    postrider::checked_commit(tx).await.unwrap();
    assert_eq!(stage.messages().await, 1);
}
