//! A private server for real: started, shared, killed, adopted, and run from every kind of account.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod accounts;
mod life;

use std::path::Path;

use postrider_embedded_pg::{EmbeddedPg, Options, start};
use tokio_postgres::{Client, NoTls};

/// Options of a quick server in `dir`.
fn quick(dir: &Path) -> Options {
    Options { durable: false, ..Options::new(dir) }
}

async fn started(dir: &Path) -> EmbeddedPg {
    start(quick(dir)).await.expect("the server starts")
}

/// A session on the server.
async fn session(pg: &EmbeddedPg) -> Client {
    let (client, connection) =
        tokio_postgres::connect(pg.url(), NoTls).await.expect("the server lets us in");
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the client, and with the test at the latest"
    )]
    tokio::spawn(connection);
    client
}

/// A folder that every account can reach.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}
