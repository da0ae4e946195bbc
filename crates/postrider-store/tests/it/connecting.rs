//! The way to the database, when there is something at its end that is none.

use postrider_store::{Connect, Db, ErrorKind, Mode};
use tokio::net::TcpListener;

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_says_nothing_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://postrider@127.0.0.1:{port}/postrider");
    let connect = Connect::parse(&url, "postrider-test", None).unwrap();
    let failure = connect.client().await.err().unwrap();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure}");
    let failure = Db::new(&connect, Mode::Direct, 1).unwrap().session().await.err().unwrap();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure}");
}
