use postrider::{CommitError, Published, checked_commit, publish_tx};

use crate::stage::{STORE_MESSAGE, Stage, event};

#[tokio::test]
async fn a_checked_commit_commits() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    checked_commit(tx).await.unwrap();
    assert_eq!(stage.events().await, 1);

    let pool = stage.pool(1);
    let mut client = pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e2")).await.unwrap(), Published::Inserted);
    checked_commit(tx).await.unwrap();
    assert_eq!(stage.events().await, 2);
}

#[tokio::test]
async fn a_commit_that_became_a_rollback_is_noticed() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;

    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    assert!(tx.batch_execute("SELECT 1/0").await.is_err(), "an error that the caller passes over");
    tx.commit().await.expect("the driver says Ok");
    assert_eq!(stage.events().await, 0, "and nothing was committed");

    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
    assert!(tx.batch_execute("SELECT 1/0").await.is_err());
    let error = checked_commit(tx).await.unwrap_err();
    assert!(matches!(error, CommitError::Aborted), "{error:?}");
    assert_eq!((stage.messages().await, stage.events().await), (0, 0));

    // The connection is usable again.
    client.batch_execute(STORE_MESSAGE).await.unwrap();
    assert_eq!(stage.messages().await, 1);
}

#[tokio::test]
async fn an_error_that_nobody_waited_for_is_noticed() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    {
        // Sent by the first poll, dropped before the answer came.
        let mut failing = std::pin::pin!(tx.batch_execute("SELECT 1/0"));
        let sent = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(failing.as_mut().poll(cx).is_pending())
        })
        .await;
        assert!(sent);
    }
    let error = checked_commit(tx).await.unwrap_err();
    assert!(matches!(error, CommitError::Aborted), "{error:?}");
}

#[tokio::test]
async fn a_commit_that_the_database_refuses_is_an_error_of_its_own() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let deferred = "ALTER TABLE public.messages ADD COLUMN answers text REFERENCES public.messages DEFERRABLE INITIALLY DEFERRED";
    client.batch_execute(deferred).await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("INSERT INTO public.messages (id, answers) VALUES ('m1', 'nobody')")
        .await
        .unwrap();
    let error = checked_commit(tx).await.unwrap_err();
    assert!(matches!(&error, CommitError::Refused { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(stage.messages().await, 0);
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_committed_nothing() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute(STORE_MESSAGE).await.unwrap();
    let pid: i32 = tx.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    stage.observer.execute("SELECT pg_terminate_backend($1, 5000)", &[&pid]).await.unwrap();
    let error = checked_commit(tx).await.unwrap_err();
    assert!(matches!(error, CommitError::Refused { .. }), "{error:?}");
    assert_eq!(stage.messages().await, 0);
}
