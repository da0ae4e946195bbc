//! A private PostgreSQL server: the embedded default of `postrider run` and the server of the tests.
//!
//! [`start`] finds server binaries, makes a cluster in the data directory the first time, and runs a server on it that
//! only its own account can reach: a unix socket in a folder of mode 0700, no port. A server that already runs there is
//! adopted, so any number of processes share one, and the last of them that calls [`EmbeddedPg::stop`] stops it. A
//! server outlives a process that was killed; the next start adopts it.
//!
//! Reads and writes the data directory: `pgdata` (the cluster), `socket`, `server.log`, and two locks. `start.lock` is
//! held while somebody starts or stops the server; `users.lock` is shared by all who use it.
//! Unix only. Nothing is ever downloaded.

mod account;
mod binaries;
mod cluster;
mod error;
mod layout;
mod postmaster;
mod server;
mod session;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{Instant, sleep};

pub use crate::binaries::{BIN_DIR_VARIABLE, Binaries, OLDEST_MAJOR, Version, find_binaries};
pub use crate::error::{EmbeddedPgError, Search};

use crate::account::{Account, effective_uid};
use crate::binaries::{Cluster, Places};
use crate::layout::{Layout, io_error};
use crate::postmaster::{PidFile, Survey, survey};
use crate::session::Door;

/// How long a start or stop by somebody else is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(400);

/// What server is wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the cluster and all that belongs to it lies; made if it is not there.
    pub data_dir: PathBuf,
    /// The folder of the server binaries; `None` looks for them (see [`find_binaries`]).
    pub bin_dir: Option<PathBuf>,
    /// Whether what is committed survives a crash of the machine. Without, everything is faster: for tests.
    pub durable: bool,
    /// More settings of the server, as name and value. A running server keeps those it was started with.
    pub settings: Vec<(String, String)>,
    /// Whether [`EmbeddedPg::stop`] leaves the server running for whoever comes next.
    pub keep_running: bool,
    /// The database that the URL names; made if it is not there.
    pub database: String,
}

impl Options {
    /// A durable server in `data_dir` with a database `postrider`, stopped by its last user.
    pub fn new(data_dir: impl Into<PathBuf>) -> Options {
        Options {
            data_dir: data_dir.into(),
            bin_dir: None,
            durable: true,
            settings: Vec::new(),
            keep_running: false,
            database: "postrider".to_owned(),
        }
    }
}

/// A running private server. Dropping this leaves the server running; [`EmbeddedPg::stop`] ends it.
#[derive(Debug)]
pub struct EmbeddedPg {
    layout: Layout,
    url: String,
    socket_dir: PathBuf,
    bin_dir: PathBuf,
    keep_running: bool,
    /// The postmaster, if we started it.
    child: Option<Child>,
    /// Locked (shared) for as long as we use the server.
    users: File,
}

/// What [`EmbeddedPg::stop`] led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The server has ended.
    Ended,
    /// The server runs on: others use it, or it was asked for with `keep_running`.
    LeftRunning,
}

/// Starts the server in `options.data_dir`, or adopts the one that runs there. Concurrent starts wait for each other.
///
/// # Errors
/// When there are no binaries (with the remedies), when root cannot lend the server another account, when the data
/// directory is not ours or holds something else, and when the server does not come up (with the end of its log).
pub async fn start(options: Options) -> Result<EmbeddedPg, EmbeddedPgError> {
    let layout = Layout::create(&options.data_dir)?;
    let users = layout.lock_file("users.lock")?;
    let starting = layout.lock_file("start.lock")?;
    lock(&starting, &layout).await?;
    let (door, child, bin_dir) = loop {
        match server::clear(&layout).await? {
            Some(running) => {
                if let Some(door) = adopt(&layout, running).await? {
                    let program = postmaster::program(&layout.pgdata).unwrap_or_default();
                    break (door, None, program.parent().unwrap_or(Path::new("")).to_owned());
                }
            }
            None => {
                let (door, child, bin_dir) = start_new(&layout, &options).await?;
                break (door, Some(child), bin_dir);
            }
        }
    };
    door.ensure_database(&options.database).await?;
    users
        .lock_shared()
        .map_err(|source| io_error("lock", &layout.base.join("users.lock"), source))?;
    let (url, socket_dir) = (door.url_of(&options.database), door.socket_dir().to_owned());
    Ok(EmbeddedPg {
        layout,
        url,
        socket_dir,
        bin_dir,
        keep_running: options.keep_running,
        child,
        users,
    })
}

impl EmbeddedPg {
    /// The URL of the database, for tokio-postgres, libpq and psql.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server ran already when it was asked for.
    pub fn adopted(&self) -> bool {
        self.child.is_none()
    }

    /// The folder of the server's binaries.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// The folder of the server's socket.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The log of the server.
    pub fn log_path(&self) -> &Path {
        &self.layout.log
    }

    /// The process id of the server, while it runs.
    pub fn postmaster_pid(&self) -> Option<u32> {
        match survey(&self.layout.pgdata) {
            Survey::Up(file) => Some(file.pid),
            Survey::Down { .. } | Survey::Orphans(_) => None,
        }
    }

    /// The process ids of the server and all its children, where there is a `/proc` that shows them.
    pub fn processes(&self) -> Vec<u32> {
        postmaster::processes(&self.layout.pgdata)
    }

    /// Stops the server in an orderly way (a "fast" shutdown), unless others use it or it is to be kept running.
    ///
    /// # Errors
    /// When the server cannot be signalled, or does not end within a good minute.
    pub async fn stop(self) -> Result<Stopped, EmbeddedPgError> {
        if self.keep_running {
            return Ok(Stopped::LeftRunning);
        }
        let starting = self.layout.lock_file("start.lock")?;
        lock(&starting, &self.layout).await?;
        let users_path = self.layout.base.join("users.lock");
        self.users.unlock().map_err(|source| io_error("unlock", &users_path, source))?;
        match self.users.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Stopped::LeftRunning),
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &users_path, source)),
        }
        server::stop(&self.layout.pgdata, self.child).await?;
        Ok(Stopped::Ended)
    }
}

/// Stops whatever server runs in `data_dir`, whoever uses it. For clearing up after tests.
///
/// # Errors
/// As [`EmbeddedPg::stop`].
pub async fn stop_any(data_dir: &Path) -> Result<(), EmbeddedPgError> {
    let layout = Layout::create(data_dir)?;
    let starting = layout.lock_file("start.lock")?;
    lock(&starting, &layout).await?;
    server::stop(&layout.pgdata, None).await
}

/// Waits for the lock by looking again and again, so that a start that is no longer wanted can be dropped meanwhile.
async fn lock(file: &File, layout: &Layout) -> Result<(), EmbeddedPgError> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_LIMIT => {
                sleep(Duration::from_millis(10)).await
            }
            Err(TryLockError::WouldBlock) => {
                let what = format!("another start or stop in {}", layout.base.display());
                return Err(EmbeddedPgError::TimedOut { what, seconds: LOCK_LIMIT.as_secs() });
            }
            Err(TryLockError::Error(source)) => {
                return Err(io_error("lock", &layout.base.join("start.lock"), source));
            }
        }
    }
}

/// Waits for a running server to answer. `None` when it ended instead.
async fn adopt(layout: &Layout, mut file: PidFile) -> Result<Option<Door>, EmbeddedPgError> {
    let begun = Instant::now();
    while begun.elapsed() < server::START_LIMIT {
        let door = Door::new(&file.socket_dir, file.port);
        if !file.socket_dir.as_os_str().is_empty() {
            let answered = tokio::time::timeout(
                Duration::from_secs(1),
                server::wait_for_answer(&door, &layout.pgdata),
            )
            .await;
            if let Ok(answer) = answered {
                return answer.map(|()| Some(door));
            }
        }
        match survey(&layout.pgdata) {
            Survey::Up(now) => file = now,
            Survey::Down { .. } | Survey::Orphans(_) => return Ok(None),
        }
        sleep(Duration::from_millis(20)).await;
    }
    let what = format!("the running server {} in {} to answer", file.pid, layout.pgdata.display());
    Err(EmbeddedPgError::TimedOut { what, seconds: server::START_LIMIT.as_secs() })
}

/// Starts a server where none runs; makes the cluster first if there is none.
async fn start_new(
    layout: &Layout,
    options: &Options,
) -> Result<(Door, Child, PathBuf), EmbeddedPgError> {
    refuse_strangers(layout)?;
    let existing = cluster::existing(layout)?;
    let (account, binaries) = choose(layout, options, existing.as_ref())?;
    if existing.is_none() {
        tracing::info!(path = %layout.pgdata.display(), version = %binaries.version, "making a private PostgreSQL cluster");
        cluster::create(layout, &account, &binaries, options.durable).await?;
    }
    let socket_dir = layout.socket_dir(&account)?;
    let settings = server::settings(options.durable, &options.settings);
    let (child, door) = server::start(layout, &account, &binaries, &settings, &socket_dir).await?;
    tracing::info!(path = %layout.pgdata.display(), version = %binaries.version, "started the private PostgreSQL server as {account}");
    Ok((door, child, binaries.dir))
}

/// Only root can run a cluster that belongs to somebody else: as its owner.
fn refuse_strangers(layout: &Layout) -> Result<(), EmbeddedPgError> {
    let ours = effective_uid();
    match layout.owner() {
        Some((owner, _)) if ours != 0 && owner != ours => {
            Err(EmbeddedPgError::NotOurs { path: layout.pgdata.clone(), owner, ours })
        }
        _ => Ok(()),
    }
}

/// The first account that can enter the data directory and run the binaries, and these.
fn choose(
    layout: &Layout,
    options: &Options,
    existing: Option<&Cluster>,
) -> Result<(Account, Binaries), EmbeddedPgError> {
    let owner = layout.owner().filter(|_| existing.is_some());
    let places = Places::of_this_machine(options.bin_dir.as_deref());
    let (mut reasons, mut no_binaries) = (String::new(), None);
    for account in Account::candidates(owner) {
        if let Err(reason) = account.check(&layout.base) {
            reasons.push_str(&format!("  {reason}\n"));
            continue;
        }
        match places.find(&account, existing) {
            Ok(binaries) => return Ok((account, binaries)),
            Err(error) => no_binaries = Some(error),
        }
    }
    Err(no_binaries.unwrap_or(EmbeddedPgError::CannotLeaveRoot { reasons }))
}
