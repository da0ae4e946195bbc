use postrider::{Published, publish_tx};
use tokio_postgres::IsolationLevel;

use crate::stage::{Stage, event};

#[tokio::test]
async fn an_id_committed_since_a_repeatable_read_snapshot_is_a_retryable_error() {
    let stage = Stage::new().await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let tx = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await
        .unwrap();
    tx.batch_execute("SELECT 1 FROM public.messages").await.unwrap();

    let twin = other.transaction().await.unwrap();
    assert_eq!(publish_tx(&twin, &event("e1")).await.unwrap(), Published::Inserted);
    twin.commit().await.unwrap();

    let error = publish_tx(&tx, &event("e1")).await.unwrap_err();
    assert_eq!(error.sqlstate().map(|state| state.code()), Some("40001"));
    assert!(error.is_retryable());
    drop(tx);

    let tx = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await
        .unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Duplicate);
}

#[tokio::test]
async fn a_publish_waits_for_an_uncommitted_twin_and_then_knows_its_fate() {
    let stage = Stage::new().await;
    for (twin_commits, expected) in [(false, Published::Inserted), (true, Published::Duplicate)] {
        let id = format!("e-{twin_commits}");
        let (mut client, mut other) = (stage.client().await, stage.client().await);
        let twin = other.transaction().await.unwrap();
        assert_eq!(publish_tx(&twin, &event(&id)).await.unwrap(), Published::Inserted);
        let tx = client.transaction().await.unwrap();
        let twin_event = event(&id);
        let end_twin = async {
            let waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            while stage.observer.query_opt(waiting, &[]).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            if twin_commits { twin.commit().await.unwrap() } else { twin.rollback().await.unwrap() }
        };
        let (published, ()) = tokio::join!(publish_tx(&tx, &twin_event), end_twin);
        assert_eq!(published.unwrap(), expected);
    }
}

#[tokio::test]
async fn single_publishes_in_opposite_order_deadlock_and_say_so() {
    let stage = Stage::new().await;
    let (mut client, mut other) = (stage.client().await, stage.client().await);
    let (a, b) = (event("a"), event("b"));
    let tx = client.transaction().await.unwrap();
    let twin = other.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &a).await.unwrap(), Published::Inserted);
    assert_eq!(publish_tx(&twin, &b).await.unwrap(), Published::Inserted);
    // Each waits for the other; PostgreSQL fails one of them, whose rollback lets the other go on.
    let publish_then_end = async |tx: tokio_postgres::Transaction<'_>, event| {
        let published = publish_tx(&tx, event).await;
        tx.rollback().await.unwrap();
        published
    };
    let (first, second) = tokio::join!(publish_then_end(tx, &b), publish_then_end(twin, &a));
    let error = match (first, second) {
        (Err(error), Ok(Published::Inserted)) | (Ok(Published::Inserted), Err(error)) => error,
        other => panic!("one fails and one succeeds: {other:?}"),
    };
    assert_eq!(error.sqlstate().map(|state| state.code()), Some("40P01"));
    assert!(error.is_retryable());
}
