//! What every measurement stands on: a folder, a private durable server, the product's binary, the sink.
//!
//! A measurement gets a database of its own, copied from a migrated template, so that none inherits what another left.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use anyhow::{Context as _, Result, bail};
use postrider_core::headers::CustomHeaders;
use postrider_core::seal::{KeyRing, generate_master_key};
use postrider_core::signing::{SecretKind, SigningSecret};
use postrider_embedded_pg::{EmbeddedPg, Options};
use postrider_store::admin::endpoints::{self, NewEndpoint, RequestSettings};
use postrider_store::{Connect, Db, Mode, migrations};
use tokio_postgres::Client;

use crate::args::Run;
use crate::usage;

/// The database that all others are copied from.
pub(crate) const TEMPLATE: &str = "template_bench";

/// A place to measure in.
pub(crate) struct Site {
    folder: PathBuf,
    server: EmbeddedPg,
    program: PathBuf,
    master_key: String,
    keys: KeyRing,
    made: AtomicU32,
}

/// A database for one measurement.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) connect: Connect,
}

impl Site {
    /// Makes the folder and starts the server. From then on it takes [`Site::close`] to end both.
    pub(crate) async fn open(run: &Run) -> Result<Self> {
        let program = program(run.postrider.as_deref())?;
        let parent = run.dir.clone().unwrap_or_else(std::env::temp_dir);
        let folder = parent.join(format!("postrider-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut options = Options::new(folder.join("server"));
        options.bin_dir.clone_from(&run.pg_bin_dir);
        options.settings.push(("max_connections".to_owned(), "200".to_owned()));
        let server = postrider_embedded_pg::start(options).await.context("starting PostgreSQL")?;
        let master_key = generate_master_key(&rand::random());
        let keys = KeyRing::from_master_keys(&[&master_key])?;
        Ok(Self { folder, server, program, master_key, keys, made: AtomicU32::new(0) })
    }

    /// Makes the template that all databases are copied from.
    pub(crate) async fn prepare(&self) -> Result<()> {
        self.copy("template1", TEMPLATE).await?;
        let template = self.named(TEMPLATE)?;
        migrations::up(&mut template.connect.client().await?).await?;
        Ok(())
    }

    /// Ends the server and removes the folder.
    pub(crate) async fn close(self) -> Result<()> {
        self.server.stop().await.context("stopping PostgreSQL")?;
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("removing {}", self.folder.display()))
    }

    /// A new database, as the template is.
    pub(crate) async fn database(&self, template: &str) -> Result<Database> {
        let name = format!("bench_{}", self.made.fetch_add(1, Relaxed));
        self.copy(template, &name).await?;
        self.named(&name)
    }

    /// A new database that becomes a template: filled by the caller, then copied as often as wanted.
    pub(crate) async fn template(&self, name: &str) -> Result<Database> {
        self.copy(TEMPLATE, name).await?;
        self.named(name)
    }

    /// Removes a database. Whoever still uses it is thrown out.
    pub(crate) async fn discard(&self, database: Database) -> Result<()> {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", database.name);
        self.anywhere().await?.batch_execute(&statement).await.context("dropping a database")
    }

    /// Adds so many endpoints of one tenant, all at one URL, with the defaults.
    pub(crate) async fn add_endpoints(
        &self,
        to: &Database,
        tenant: &str,
        count: u32,
        url: &str,
    ) -> Result<()> {
        let db = Db::new(&to.connect, Mode::Direct, 1)?;
        for _ in 0..count {
            let endpoint = NewEndpoint {
                id: endpoints::new_id(),
                tenant,
                url,
                description: "",
                event_types: &["*".to_owned()],
                filter: None,
                headers: &CustomHeaders::default(),
                retry_schedule_ms: None,
                timeout_ms: None,
                max_in_flight: None,
                rate_limit: None,
                capture_responses: false,
                enabled: true,
                metadata: &serde_json::json!({}),
                secret: &SigningSecret::generate(SecretKind::Standard, &rand::random()),
                settings: RequestSettings::default(),
                order: None,
                batch: None,
            };
            endpoints::create(&db, &self.keys, &endpoint).await?;
        }
        db.close();
        Ok(())
    }

    /// Processor seconds that the server has used, with all its processes, those that ended too.
    pub(crate) fn server_cpu(&self) -> f64 {
        let postmaster = self.server.postmaster_pid();
        let one = |pid: u32| {
            let times = usage::cpu(pid).unwrap_or_default();
            if Some(pid) == postmaster { times.own + times.children } else { times.own }
        };
        self.server.processes().into_iter().map(one).sum()
    }

    /// What the server calls itself, and its clock.
    pub(crate) async fn server_facts(&self) -> Result<(String, String)> {
        let sql = "SELECT current_setting('server_version'), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')";
        let row = self.anywhere().await?.query_one(sql, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn master_key(&self) -> &str {
        &self.master_key
    }

    async fn copy(&self, template: &str, name: &str) -> Result<()> {
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        self.anywhere()
            .await?
            .batch_execute(&statement)
            .await
            .with_context(|| format!("copying {template}"))
    }

    async fn anywhere(&self) -> Result<Client> {
        Ok(Connect::parse(self.server.url(), "postrider-bench", None)?.client().await?)
    }

    fn named(&self, name: &str) -> Result<Database> {
        let url = self.server.url().replacen("/postrider?", &format!("/{name}?"), 1);
        let connect = Connect::parse(&url, "postrider-bench", None)?;
        Ok(Database { name: name.to_owned(), url, connect })
    }
}

fn program(given: Option<&Path>) -> Result<PathBuf> {
    let program = match given {
        Some(path) => path.to_owned(),
        None => {
            std::env::current_exe().context("finding this program")?.with_file_name("postrider")
        }
    };
    if !program.is_file() {
        bail!(
            "there is no {}: build it (cargo build --release --bin postrider), or name it with --postrider",
            program.display()
        );
    }
    std::path::absolute(&program).context("finding the product's binary")
}
