//! Makes the cluster, once: `initdb` into a folder beside, which takes its name only when it is whole.
//! Writes `pgdata.new`, then `pgdata`. Next: `server` starts it.

use std::io;
use std::path::Path;

use tokio::process::Command;

use crate::account::Account;
use crate::binaries::{Binaries, Cluster};
use crate::error::EmbeddedPgError;
use crate::layout::{Layout, io_error, make_private};

/// The name of the superuser and only role of a new cluster.
pub(crate) const SUPERUSER: &str = "postgres";

/// The cluster that is there already, if any.
pub(crate) fn existing(layout: &Layout) -> Result<Option<Cluster>, EmbeddedPgError> {
    let pgdata = &layout.pgdata;
    let not_a_cluster = || EmbeddedPgError::NotACluster { path: pgdata.clone() };
    match std::fs::read_to_string(pgdata.join("PG_VERSION")) {
        Ok(text) => {
            let major = text.trim().parse().map_err(|_| not_a_cluster())?;
            Ok(Some(Cluster { pgdata: pgdata.clone(), major }))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let empty =
                std::fs::read_dir(pgdata).map_or(true, |mut entries| entries.next().is_none());
            if empty { Ok(None) } else { Err(not_a_cluster()) }
        }
        Err(source) => Err(io_error("read the version of", pgdata, source)),
    }
}

/// Makes a new cluster: UTF-8, C locale, page checksums; whoever reaches its socket is let in.
/// `durable` has it on disk before this returns.
pub(crate) async fn create(
    layout: &Layout,
    account: &Account,
    binaries: &Binaries,
    durable: bool,
) -> Result<(), EmbeddedPgError> {
    remove(&layout.staging)?;
    make_private(&layout.staging, account)?;
    let mut command = Command::from(account.command(&binaries.dir.join("initdb")));
    command.arg("--pgdata").arg(&layout.staging).kill_on_drop(true);
    command.args([
        "--encoding=UTF8",
        "--locale=C",
        "--auth=trust",
        "--data-checksums",
        "--no-instructions",
    ]);
    command.arg(format!("--username={SUPERUSER}"));
    if !durable {
        command.arg("--no-sync");
    }
    let failed = |detail: String| EmbeddedPgError::Initdb { pgdata: layout.pgdata.clone(), detail };
    let output = command.output().await.map_err(|e| failed(format!("it cannot be run: {e}")))?;
    if !output.status.success() {
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        return Err(failed(last_lines(&String::from_utf8_lossy(&said), 4)));
    }
    let _ = std::fs::remove_dir(&layout.pgdata); // only if it is empty, and then it is in the way
    std::fs::rename(&layout.staging, &layout.pgdata)
        .map_err(|e| io_error("name the new cluster", &layout.pgdata, e))
}

fn remove(dir: &Path) -> Result<(), EmbeddedPgError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(io_error("remove the unfinished cluster", dir, source))
        }
        _ => Ok(()),
    }
}

/// The last lines with something in them, in one.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if lines.is_empty() {
        return "it printed nothing".to_owned();
    }
    lines[lines.len().saturating_sub(count)..].join("; ")
}
