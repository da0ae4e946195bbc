use postrider_testkit::TestDb;

async fn count(client: &tokio_postgres::Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, two) = (TestDb::new().await, TestDb::new().await);
    assert_ne!(one.name(), two.name());
    one.execute("SELECT * FROM postrider.publish(type => 'a.b')").await;
    assert_eq!(
        count(&one.client().await, "SELECT count(*) FROM postrider.webhook_events").await,
        1
    );
    assert_eq!(
        count(&two.client().await, "SELECT count(*) FROM postrider.webhook_events").await,
        0
    );
}

#[tokio::test]
async fn it_is_dropped_with_its_test_even_while_sessions_are_open() {
    let (keeper, gone) = (TestDb::new().await, TestDb::new().await);
    let name = gone.name().to_owned();
    let pool = gone.connect_pool(2);
    let session = pool.get().await.unwrap();
    session.batch_execute("BEGIN").await.unwrap();
    drop(gone);
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(count(&keeper.client().await, &there).await, 0);
}

#[tokio::test]
async fn an_empty_database_has_no_schema() {
    let db = TestDb::empty().await;
    assert_eq!(
        count(&db.client().await, "SELECT count(*) FROM pg_namespace WHERE nspname = 'postrider'")
            .await,
        0
    );
    let mut client = db.client().await;
    assert!(!postrider_store::migrations::up(&mut client).await.unwrap().is_empty());
}

#[tokio::test]
async fn its_sessions_can_be_ended_from_outside() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(db.terminate_backends().await, 1);
    assert!(client.batch_execute("SELECT 1").await.is_err());
}

#[test]
fn it_can_be_dropped_after_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(TestDb::new());
    drop(runtime);
    drop(db);
}
