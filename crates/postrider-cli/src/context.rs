//! What every command has: the configuration, the output, and the way to the database.

use std::path::PathBuf;
use std::time::Duration;

use postrider_core::seal::KeyRing;
use postrider_embedded_pg::{EmbeddedPg, Options, Stopped};
use postrider_store::migrations::{self, SchemaState};
use postrider_store::{Acting, Connect, Db, Mode};

use crate::args::Global;
use crate::config::{Config, Flags, Hidden, Loaded, Sources, load, mask_url};
use crate::exit::{Exit, Failure};
use crate::master_key;
use crate::output::Output;

/// How long a command waits for a connection. The daemon has its own patience.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A command's surroundings.
pub(crate) struct Context {
    pub config: Config,
    pub out: Output,
    pub global: Global,
}

/// What a command demands of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// Exactly this binary's; an embedded database is brought there first.
    Current,
    /// Nothing: the command looks for itself.
    Any,
}

/// The database, open.
pub(crate) struct Database {
    pub db: Db,
    /// The way to the server itself, past a pooler.
    pub connect: Connect,
    pub embedded: Option<EmbeddedPg>,
}

/// The process's surroundings, as the configuration reads them.
pub(crate) fn sources() -> Sources {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    Sources {
        environment: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
        directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        root: rustix::process::geteuid().is_root(),
    }
}

impl Context {
    /// Loads the configuration; every mistake in it ends here, all in one message.
    pub(crate) fn load(global: &Global, sources: Sources, flags: &Flags) -> Result<Self, Failure> {
        let out = Output::new(global.json, global.quiet, global.color, &sources.environment);
        let loaded = load(&sources, flags);
        for warning in &loaded.warnings {
            out.warn(warning);
        }
        match mistakes(&loaded) {
            Some(failure) => Err(failure),
            None => Ok(Self { config: loaded.config, out, global: global.clone() }),
        }
    }

    /// Opens the database: the configured one, or the embedded one, which is started if it does not run.
    pub(crate) async fn open(&self, schema: Schema) -> Result<Database, Failure> {
        let embedded = match &self.config.database.url {
            Some(_) => None,
            None => Some(self.start_embedded().await?),
        };
        let opened = self.open_at(embedded.as_ref().map(EmbeddedPg::url), schema).await;
        match opened {
            Ok((db, connect)) => Ok(Database { db, connect, embedded }),
            Err(failure) => {
                stop(embedded, &self.out).await;
                Err(failure)
            }
        }
    }

    async fn open_at(
        &self,
        embedded: Option<&str>,
        schema: Schema,
    ) -> Result<(Db, Connect), Failure> {
        let connect = self.direct(embedded)?;
        let opening = self.check_schema(&connect, embedded.is_some(), schema);
        match tokio::time::timeout(CONNECT_LIMIT, opening).await {
            Ok(checked) => checked.map_err(|failure| at(failure, &connect))?,
            Err(_) => {
                let failure = Failure::new(Exit::Unavailable, "the database does not answer")
                    .why(format!("no answer within {} s", CONNECT_LIMIT.as_secs()))
                    .remedy("check that the server runs, and host and port in database.url");
                return Err(at(failure, &connect));
            }
        }
        // A URL of which we only hope that no pooler is behind it gets nothing that would stay in a stranger's session.
        let ours = embedded.is_some() || self.config.database.direct_url.is_some();
        let mode = if ours { Mode::Direct } else { Mode::Pooled };
        let db = Db::new(&connect, mode, 2)?.acting(&Acting {
            tenant: None,
            actor: format!("cli:{}", user()),
            address: None,
            request_id: None,
        });
        Ok((db, connect))
    }

    async fn check_schema(
        &self,
        connect: &Connect,
        embedded: bool,
        schema: Schema,
    ) -> Result<(), Failure> {
        let mut client = connect.client().await?;
        if schema == Schema::Any {
            return Ok(());
        }
        match migrations::state(&client).await? {
            SchemaState::Missing | SchemaState::Behind { .. } if embedded => {
                migrations::up(&mut client).await?;
                Ok(())
            }
            state => schema_failure(&state).map_or(Ok(()), Err),
        }
    }

    /// The way to the server itself: commands need no pooler.
    pub(crate) fn direct(&self, embedded: Option<&str>) -> Result<Connect, Failure> {
        let configured =
            self.config.database.direct_url.as_ref().or(self.config.database.url.as_ref());
        self.connect(embedded, configured)
    }

    /// The way that the daemon's pool takes.
    pub(crate) fn pooled(&self, embedded: Option<&str>) -> Result<Connect, Failure> {
        self.connect(embedded, self.config.database.url.as_ref())
    }

    fn connect(
        &self,
        embedded: Option<&str>,
        configured: Option<&Hidden>,
    ) -> Result<Connect, Failure> {
        let url = embedded
            .or(configured.map(Hidden::expose))
            .ok_or_else(|| Failure::new(Exit::Config, "there is no database URL"))?;
        Connect::parse(url, "postrider", self.config.database.ca_file.as_deref()).map_err(|_| {
            Failure::new(Exit::Config, "the database URL cannot be used").why(mask_url(url))
        })
    }

    /// Starts the embedded server, or joins the one that runs.
    pub(crate) async fn start_embedded(&self) -> Result<EmbeddedPg, Failure> {
        let mut options = Options::new(self.config.data_dir.join("postgres"));
        options.bin_dir.clone_from(&self.config.pg_bin_dir);
        Ok(postrider_embedded_pg::start(options).await?)
    }

    /// The keys that open and seal secrets; the embedded database makes its own at first need.
    pub(crate) fn keys(&self) -> Result<KeyRing, Failure> {
        master_key::ring(&self.config)
    }

    /// Asks before something is destroyed. Without a terminal, or with `--json`, only `--yes` is an answer.
    pub(crate) fn confirm(&self, what: &str) -> Result<(), Failure> {
        use std::io::{BufRead as _, IsTerminal as _, Write as _};
        if self.global.yes {
            return Ok(());
        }
        if self.global.json || !std::io::stdin().is_terminal() {
            return Err(Failure::new(Exit::Usage, format!("{what} needs a confirmation"))
                .remedy("add --yes"));
        }
        let _ = write!(std::io::stderr(), "{what}? [y/N] ");
        let mut answer = String::new();
        let _ = std::io::stdin().lock().read_line(&mut answer);
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::new(Exit::Usage, "not confirmed; nothing was changed")),
        }
    }
}

impl Database {
    /// Lets go of the database; an embedded server that nobody else uses is stopped.
    pub(crate) async fn close(self, out: &Output) {
        self.db.close();
        stop(self.embedded, out).await;
    }
}

/// Who types, for the audit log.
fn user() -> String {
    let named = ["LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    named
        .filter(|name| !name.is_empty() && name.len() <= 64)
        .unwrap_or_else(|| rustix::process::getuid().as_raw().to_string())
}

async fn stop(embedded: Option<EmbeddedPg>, out: &Output) {
    if let Some(server) = embedded {
        match server.stop().await {
            Ok(Stopped::Ended | Stopped::LeftRunning) => {}
            Err(error) => {
                out.warn(&format!("the embedded PostgreSQL server was not stopped: {error}"))
            }
        }
    }
}

/// Every mistake of the configuration in one failure.
pub(crate) fn mistakes(loaded: &Loaded) -> Option<Failure> {
    let lines = loaded
        .mistakes
        .iter()
        .map(|mistake| format!("{} ({}): {}", mistake.key, mistake.origin, mistake.reason));
    let lines: Vec<String> = lines.collect();
    let count = match lines.len() {
        0 => return None,
        1 => "1 mistake".to_owned(),
        n => format!("{n} mistakes"),
    };
    let failure =
        Failure::new(Exit::Config, format!("the configuration has {count}")).why(lines.join("\n"));
    Some(failure.remedy(
        "correct them; \"postrider config show\" lists every key with its value and origin",
    ))
}

/// Why a schema cannot be used, if it cannot.
pub(crate) fn schema_failure(state: &SchemaState) -> Option<Failure> {
    let failure = match state {
        SchemaState::Current { .. } => return None,
        SchemaState::Missing => Failure::new(Exit::Config, "the database has no postrider schema")
            .remedy("postrider migrate up"),
        SchemaState::Behind { version, wanted } => Failure::new(
            Exit::Config,
            format!("the database schema is version {version}, this binary needs {wanted}"),
        )
        .remedy("postrider migrate up"),
        SchemaState::Newer { version, wanted } => Failure::new(
            Exit::Config,
            format!("the database schema is version {version}, this binary knows only {wanted}"),
        )
        .why("a newer postrider has migrated it, and an older one must not work on it")
        .remedy("use a newer postrider binary"),
    };
    Some(failure)
}

/// Names the database in the reason, so that nobody looks at the wrong one.
fn at(mut failure: Failure, connect: &Connect) -> Failure {
    let target = connect.target();
    failure.why = Some(match failure.why {
        Some(why) => format!("{why}\nat {target}"),
        None => format!("at {target}"),
    });
    failure
}
