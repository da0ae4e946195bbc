//! The demo ends well, and says what it promised to show.

use postrider_testkit::TestDb;

use crate::support::Cli;

#[tokio::test]
async fn the_demo_shows_the_rollback_the_duplicate_the_retry_and_verified_signatures() {
    let db = TestDb::empty().await;
    let cli = Cli::new().with("POSTRIDER_DATABASE_URL", db.url());
    for _ in 0..2 {
        let ran = cli.run(&["demo", "--once"]).await.exits(0);
        for shown in [
            "rolled back",
            "came twice",
            "503 on purpose",
            "the retry",
            "signature verified",
            "webhook-signature: v1,",
        ] {
            assert!(ran.out.contains(shown), "{shown} is not in:\n{}", ran.out);
        }
        assert!(!ran.out.contains("whsec_") && !ran.err.contains("whsec_"));
    }
    let json = cli.run(&["demo", "--once", "--json"]).await.exits(0).json();
    assert_eq!(
        (&json["ok"], &json["published"], &json["arrived"], &json["retried"]),
        (&true.into(), &19.into(), &19.into(), &1.into())
    );
    let left =
        db.client().await.query("SELECT FROM postrider.webhook_endpoints", &[]).await.unwrap();
    assert!(left.is_empty(), "it takes its endpoint with it");
}

#[tokio::test]
async fn a_demo_that_cannot_begin_leaves_no_server_behind() {
    let cli = Cli::new();
    let data = cli.folder.path().join("data");
    let cli = cli.with("POSTRIDER_DATA_DIR", &data.display().to_string());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    cli.run(&["demo", "--once", "--port", &port]).await.exits(69).says("cannot listen");
    assert!(data.join("demo/postgres/pgdata/PG_VERSION").exists());
    assert!(!data.join("demo/postgres/pgdata/postmaster.pid").exists());
}
