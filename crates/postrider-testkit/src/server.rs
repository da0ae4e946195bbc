//! The server of the tests: one private cluster under `target`, shared by all test processes of a user in a checkout, or
//! the server that `POSTRIDER_TEST_DATABASE_URL` names. Nobody has to start it, and it runs on for the next test;
//! `cargo run -p postrider-testkit --bin test-pg -- stop` ends it.

use std::path::{Path, PathBuf};

use postrider_embedded_pg::Options;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// Names a server to use instead of the private one: its URL, of a role that may create databases.
pub const SERVER_VARIABLE: &str = "POSTRIDER_TEST_DATABASE_URL";

/// The server and how to reach any of its databases.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// A URL of the server, whatever database it names.
    url: String,
    /// Whether its sessions' clients all run on this machine, so that their process ids mean something.
    pub(crate) private: bool,
}

/// The server, started or found the first time that this process needs it.
pub(crate) async fn shared() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(async || match std::env::var(SERVER_VARIABLE) {
            Ok(url) if !url.is_empty() => Server { url, private: false },
            _ => Server { url: start_private().await, private: true },
        })
        .await
}

/// Where the private server of this checkout lies: `target/test-pg` for root, `target/test-pg-<user id>` for others, so
/// that they do not meet in one target folder.
#[must_use]
pub fn test_server_dir() -> PathBuf {
    let checkout =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let name = match rustix::process::geteuid().as_raw() {
        0 => "test-pg".to_owned(),
        user => format!("test-pg-{user}"),
    };
    checkout.join(target).join(name)
}

async fn start_private() -> String {
    let options = Options {
        durable: false,
        keep_running: true,
        database: "postgres".to_owned(),
        // Some publishers are prepared. A server that runs already keeps what it was started with: `test-pg stop` ends it.
        settings: vec![("max_prepared_transactions".to_owned(), "16".to_owned())],
        ..Options::new(test_server_dir())
    };
    match postrider_embedded_pg::start(options).await {
        Ok(server) => server.url().to_owned(),
        Err(error) => panic!("the tests' PostgreSQL server cannot be had: {}", chain(&error)),
    }
}

impl Server {
    /// The URL of one of its databases.
    pub(crate) fn url_of(&self, database: &str) -> String {
        with_database(&self.url, database)
    }

    pub(crate) fn config_of(&self, database: &str) -> Config {
        match self.url_of(database).parse() {
            Ok(config) => config,
            Err(error) => panic!("{SERVER_VARIABLE} is no database URL: {error}"),
        }
    }

    /// A session on the database that every server has.
    pub(crate) async fn maintenance(&self) -> Client {
        connect(&self.config_of("postgres")).await
    }
}

/// A session whose connection is driven until its client is dropped.
pub(crate) async fn connect(config: &Config) -> Client {
    match config.connect(NoTls).await {
        Ok((client, connection)) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "it ends with its client, at the latest with the test's runtime"
            )]
            tokio::spawn(connection);
            client
        }
        Err(error) => panic!(
            "cannot connect to the tests' database {:?}: {}",
            config.get_dbname(),
            chain(&error)
        ),
    }
}

/// The same URL or `key=value` text with another database.
fn with_database(url: &str, database: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return format!("{url} dbname={database}");
    };
    let (place, parameters) =
        rest.split_once('?').map_or((rest, String::new()), |(place, p)| (place, format!("?{p}")));
    let host = place.split_once('/').map_or(place, |(host, _)| host);
    format!("{scheme}://{host}/{database}{parameters}")
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_way_to_write_a_url_takes_another_database() {
        let cases = [
            ("postgres:///a?host=/x&user=u", "postgres:///b?host=/x&user=u"),
            ("postgres://u:p@h:5/a", "postgres://u:p@h:5/b"),
            ("postgresql://h", "postgresql://h/b"),
            ("host=/x user=u", "host=/x user=u dbname=b"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "b"), expected);
        }
    }
}
