//! Speaks to a server through its socket: is it there, which cluster is it, and the database that the caller wants.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls};

use crate::cluster::SUPERUSER;
use crate::error::EmbeddedPgError;

/// The socket of one server.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    socket_dir: PathBuf,
    port: u16,
}

/// What a server said when asked who it is.
pub(crate) enum Answer {
    /// Its data directory.
    Cluster(PathBuf),
    /// Nothing, or that it is still starting, already stopping, or full.
    NotYet,
}

impl Door {
    pub(crate) fn new(socket_dir: &Path, port: u16) -> Door {
        Door { socket_dir: socket_dir.to_owned(), port }
    }

    pub(crate) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The URL of a database behind this socket, as libpq and tokio-postgres read it.
    pub(crate) fn url_of(&self, database: &str) -> String {
        let host = escaped(&self.socket_dir.display().to_string());
        let port = self.port;
        format!(
            "postgres:///{}?host={host}&port={port}&user={SUPERUSER}",
            escaped(database).replace('/', "%2F")
        )
    }

    /// Asks the server which cluster it runs.
    pub(crate) async fn ask(&self) -> Result<Answer, EmbeddedPgError> {
        let asked = self
            .run("postgres", async |client| client.query_one("SHOW data_directory", &[]).await)
            .await;
        match asked {
            Ok(row) => Ok(Answer::Cluster(PathBuf::from(row.get::<_, String>(0)))),
            Err(e) if is_passing(&e) => Ok(Answer::NotYet),
            Err(source) => Err(EmbeddedPgError::Sql { doing: "let us in", source }),
        }
    }

    /// Makes the database, unless it is there.
    pub(crate) async fn ensure_database(&self, name: &str) -> Result<(), EmbeddedPgError> {
        let made = self
            .run("postgres", async |client| {
                let there = client
                    .query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name])
                    .await?;
                if there.is_none() {
                    client
                        .batch_execute(&format!(
                            "CREATE DATABASE \"{}\"",
                            name.replace('"', "\"\"")
                        ))
                        .await?;
                }
                Ok(())
            })
            .await;
        made.map_err(|source| EmbeddedPgError::Sql { doing: "create the database", source })
    }

    /// Runs `work` on a session of its own, which ends with it.
    async fn run<T>(
        &self,
        database: &str,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut config = Config::new();
        config.host_path(&self.socket_dir).port(self.port).user(SUPERUSER).dbname(database);
        config.application_name("postrider-embedded-pg").connect_timeout(Duration::from_secs(5));
        let (client, connection) = config.connect(NoTls).await?;
        let work = async move {
            let result = work(&client).await;
            drop(client); // which ends the connection
            result
        };
        let (result, _) = tokio::join!(work, connection);
        result
    }
}

/// Whether waiting may help: nobody listens yet, starting or stopping, no free connection.
fn is_passing(error: &Error) -> bool {
    if let Some(code) = error.code() {
        let passing = [
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
        ];
        return passing.contains(code);
    }
    let cause = error.source().and_then(|s| s.downcast_ref::<io::Error>());
    cause.is_none_or(|e| e.kind() != io::ErrorKind::PermissionDenied)
}

/// Percent-encodes what a URL does not carry as it is; slashes stay.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_carry_any_path_and_name() {
        for (dir, name) in [("/data/socket", "postrider"), ("/a b/ü?&%/s", "we?rd na/me")] {
            let config: Config = Door::new(Path::new(dir), 5432).url_of(name).parse().unwrap();
            assert_eq!(
                config.get_hosts(),
                [tokio_postgres::config::Host::Unix(PathBuf::from(dir))]
            );
            assert_eq!((config.get_dbname(), config.get_user()), (Some(name), Some("postgres")));
        }
    }
}
