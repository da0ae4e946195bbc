//! A database for each test, copied from a migrated template.
//! The template's name carries a hash of the migrations and the day (partitions are made for days to come). What a test
//! leaves behind is dropped when it ends, and what a killed one left when the next one starts.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, Config, NoTls};

use crate::server::{Server, chain, connect, shared};

/// Set it (to anything) to keep the databases of tests for inspection.
pub const KEEP_VARIABLE: &str = "POSTRIDER_TEST_KEEP";

/// The advisory lock that whoever makes the template holds.
const TEMPLATE_LOCK: i64 = 0x7072_7465_6d70_6c31;

/// A database of one's own, with the schema of the migrations. Dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    server: Server,
    name: String,
    url: String,
}

impl TestDb {
    /// A migrated database. Starts the tests' server if it does not run.
    ///
    /// # Panics
    /// When there is no server and none can be started, or a migration fails; the message says why.
    pub async fn new() -> TestDb {
        let server = shared().await;
        let maintenance = server.maintenance().await;
        let template = template(server, &maintenance).await;
        TestDb::create(server, &maintenance, &template).await
    }

    /// A database without anything in it, for tests of the migrations themselves.
    ///
    /// # Panics
    /// When there is no server and none can be started.
    pub async fn empty() -> TestDb {
        let server = shared().await;
        TestDb::create(server, &server.maintenance().await, "template0").await
    }

    async fn create(server: &Server, maintenance: &Client, template: &str) -> TestDb {
        static SWEPT: Once = Once::new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let name = format!("pr_test_{}_{pid}_{number}", seconds());
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        if let Err(error) = maintenance.batch_execute(&create).await {
            panic!("cannot make a database for the test: {}", chain(&error));
        }
        let mut first = false;
        SWEPT.call_once(|| first = true);
        if first {
            sweep(server, maintenance).await;
        }
        TestDb { server: server.clone(), url: server.url_of(&name), name }
    }

    /// The URL of this database, for whoever connects by himself.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of this database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same as a configuration, to be changed before connecting.
    #[must_use]
    pub fn config(&self) -> Config {
        self.server.config_of(&self.name)
    }

    /// A new session on this database.
    ///
    /// # Panics
    /// When the server does not let us in.
    pub async fn client(&self) -> Client {
        connect(&self.config()).await
    }

    /// A new session on this database as another role.
    ///
    /// # Panics
    /// When the server does not let that role in.
    pub async fn client_as(&self, role: &str) -> Client {
        connect(self.config().user(role)).await
    }

    /// A pool of at most `size` connections to this database.
    ///
    /// # Panics
    /// Never: the pool connects when it is used.
    #[must_use]
    pub fn connect_pool(&self, size: usize) -> Pool {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config(), NoTls, recycling);
        Pool::builder(manager)
            .max_size(size)
            .build()
            .expect("without time-outs a pool needs no runtime")
    }

    /// Runs statements, separated by semicolons, in a session of their own.
    ///
    /// # Panics
    /// When one of them fails.
    pub async fn execute(&self, sql: &str) {
        if let Err(error) = self.client().await.batch_execute(sql).await {
            panic!("{}\nin: {sql}", chain(&error));
        }
    }

    /// Ends every session on this database from outside, as an administrator would. Returns how many there were.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn terminate_backends(&self) -> usize {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
        match self.server.maintenance().await.query(sql, &[&self.name]).await {
            Ok(rows) => rows.len(),
            Err(error) => panic!("cannot end the sessions of the test: {}", chain(&error)),
        }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::env::var_os(KEEP_VARIABLE).is_some() {
            return;
        }
        let (config, name) = (self.server.config_of("postgres"), self.name.clone());
        // On a thread of its own, because here we may be inside a runtime, or after its end. Best effort: what is left
        // is swept by a later test.
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let limit = Duration::from_secs(10);
            runtime.block_on(async {
                tokio::time::timeout(limit, drop_database(&config, &name)).await.ok()
            })
        });
        let _ = dropped.join();
    }
}

async fn drop_database(config: &Config, name: &str) {
    let Ok((client, connection)) = config.connect(NoTls).await else { return };
    let work = async move {
        let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        drop(client);
    };
    let _ = tokio::join!(work, connection);
}

/// The name of the migrated template, which is made if it is not there.
async fn template(server: &Server, maintenance: &Client) -> String {
    let day = seconds() / 86_400;
    let hash = hex::encode(&Sha256::digest(postrider_store::migrations::print())[..6]);
    let name = format!("pr_template_{day}_{hash}");
    let made = async {
        if database_exists(maintenance, &name).await? {
            return Ok(());
        }
        maintenance.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).await?;
        if !database_exists(maintenance, &name).await? {
            make_template(server, maintenance, &name).await?;
        }
        maintenance.execute("SELECT pg_advisory_unlock($1)", &[&TEMPLATE_LOCK]).await.map(|_| ())
    };
    match made.await {
        Ok(()) => name,
        Err(error) => panic!("cannot make the template of the tests' databases: {}", chain(&error)),
    }
}

async fn make_template(
    server: &Server,
    maintenance: &Client,
    name: &str,
) -> Result<(), tokio_postgres::Error> {
    let unfinished = format!("{name}_unfinished");
    maintenance
        .batch_execute(&format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"))
        .await?;
    maintenance.batch_execute(&format!("CREATE DATABASE {unfinished} TEMPLATE template0")).await?;
    let mut client = connect(&server.config_of(&unfinished)).await;
    if let Err(error) = postrider_store::migrations::up(&mut client).await {
        panic!("the migrations fail on an empty database: {}", chain(&error));
    }
    drop(client);
    // A template must have no sessions; the one above may take a moment to end.
    maintenance
        .execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
            &[&unfinished],
        )
        .await?;
    maintenance.batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await?;
    maintenance.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await
}

async fn database_exists(client: &Client, name: &str) -> Result<bool, tokio_postgres::Error> {
    Ok(client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await?.is_some())
}

/// Drops what killed tests left, and templates of other days. Best effort: another process may be doing the same.
async fn sweep(server: &Server, maintenance: &Client) {
    let Ok(rows) = maintenance
        .query("SELECT datname::text FROM pg_database WHERE datname ~ '^pr_(test|template)_'", &[])
        .await
    else {
        return;
    };
    for name in rows.iter().map(|row| row.get::<_, String>(0)) {
        if is_stale(&name, seconds(), server.private) {
            let _ = maintenance
                .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .await;
        }
    }
}

/// Whether a database is left over: its process has ended, or it is old; or it is a template of a day before yesterday.
fn is_stale(name: &str, now: u64, private: bool) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    match parts[..] {
        ["pr", "test", made, pid, _] => {
            let age = now.saturating_sub(made.parse().unwrap_or(0));
            let ended = private
                && std::path::Path::new("/proc/self").exists()
                && !std::path::Path::new("/proc").join(pid).exists();
            ended || age > 6 * 3600
        }
        ["pr", "template", day, ..] => day.parse().unwrap_or(0) + 1 < now / 86_400,
        _ => false,
    }
}

/// Seconds since 1970: for names alone.
fn seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a leftover database is a matter of this machine's clock"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leftovers_are_swept() {
        let (now, ours) = (1_000_000_000, std::process::id());
        let cases = [
            (format!("pr_test_{now}_{ours}_0"), false),
            (format!("pr_test_{now}_4194303_0"), true),
            (format!("pr_test_{}_{ours}_0", now - 7 * 3600), true),
            (format!("pr_template_{}_abc", now / 86_400), false),
            (format!("pr_template_{}_abc", now / 86_400 - 2), true),
            ("postgres".to_owned(), false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_stale(&name, now, true), expected, "{name}");
        }
        assert!(
            !is_stale(&format!("pr_test_{now}_4194303_0"), now, false),
            "elsewhere a process id says nothing"
        );
    }
}
