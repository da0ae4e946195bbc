//! Where everything of one private server lies, and the folder of its socket.
//! Makes the data directory, its locks and the socket folder (mode 0700). Next: `cluster` fills `pgdata`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::{Account, effective_uid};
use crate::error::EmbeddedPgError;

/// The port: with unix sockets only a part of the socket's name.
pub(crate) const PORT: u16 = 5432;

/// What fits into a socket address, without the closing NUL.
const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

/// A log larger than this is set aside at the next start.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// The files of one private server.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The data directory that the caller named, as an absolute path without links.
    pub(crate) base: PathBuf,
    /// The cluster.
    pub(crate) pgdata: PathBuf,
    /// The cluster while `initdb` is at work; what is left of an interrupted one is thrown away.
    pub(crate) staging: PathBuf,
    /// What the server prints.
    pub(crate) log: PathBuf,
}

impl Layout {
    /// Makes the data directory if it is not there.
    pub(crate) fn create(data_dir: &Path) -> Result<Layout, EmbeddedPgError> {
        // Root's server runs as somebody else, who has to pass through this folder; the cluster inside is 0700.
        let mode = if effective_uid() == 0 { 0o711 } else { 0o700 };
        let made = DirBuilder::new().recursive(true).mode(mode).create(data_dir);
        made.map_err(|source| io_error("create the data directory", data_dir, source))?;
        let base = data_dir
            .canonicalize()
            .map_err(|e| io_error("resolve the data directory", data_dir, e))?;
        let inside = |name: &str| base.join(name);
        let (pgdata, staging, log) = (inside("pgdata"), inside("pgdata.new"), inside("server.log"));
        Ok(Layout { base, pgdata, staging, log })
    }

    /// The owner of the cluster, if there is one.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        std::fs::metadata(&self.pgdata).ok().map(|m| (m.uid(), m.gid()))
    }

    /// Opens a lock file of this server.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, EmbeddedPgError> {
        let path = self.base.join(name);
        let opened =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        opened.map_err(|source| io_error("open the lock file", &path, source))
    }

    /// Opens the server's log for appending; a large one becomes `server.log.1` first.
    pub(crate) fn open_log(&self) -> Result<File, EmbeddedPgError> {
        if std::fs::metadata(&self.log).is_ok_and(|m| m.len() > LOG_LIMIT) {
            let aside = self.base.join("server.log.1");
            std::fs::rename(&self.log, &aside)
                .map_err(|e| io_error("set aside the log as", &aside, e))?;
        }
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log);
        opened.map_err(|source| io_error("open the log", &self.log, source))
    }

    /// Makes the folder of the socket for a server of `account`: in the data directory where its path is short enough.
    pub(crate) fn socket_dir(&self, account: &Account) -> Result<PathBuf, EmbeddedPgError> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|_| *account == Account::Ours);
        let dir = choose_socket_dir(&self.base, runtime.as_deref());
        make_private(&dir, account)?;
        Ok(dir)
    }
}

/// Makes `dir` with mode 0700 for `account`, or takes it as it is if it is already just that.
pub(crate) fn make_private(dir: &Path, account: &Account) -> Result<(), EmbeddedPgError> {
    let (uid, gid) = account.owner();
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(io_error("create", dir, source)),
    }
    // Not following links: in /tmp anybody may have put one here.
    let found =
        std::fs::symlink_metadata(dir).map_err(|source| io_error("look at", dir, source))?;
    if !found.is_dir() || ![uid, effective_uid()].contains(&found.uid()) {
        return Err(EmbeddedPgError::NotOurs {
            path: dir.to_owned(),
            owner: found.uid(),
            ours: uid,
        });
    }
    if (found.uid(), found.gid()) != (uid, gid) {
        std::os::unix::fs::lchown(dir, Some(uid), Some(gid))
            .map_err(|e| io_error("hand over to its account", dir, e))?;
    }
    if found.permissions().mode() & 0o7777 != 0o700 {
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(dir, private)
            .map_err(|source| io_error("make private", dir, source))?;
    }
    Ok(())
}

fn choose_socket_dir(base: &Path, runtime: Option<&Path>) -> PathBuf {
    let name = format!("postrider-{:016x}", fingerprint(base));
    let last = Path::new("/tmp").join(&name);
    let wanted = [Some(base.join("socket")), runtime.map(|r| r.join(&name))];
    let fits = |dir: &PathBuf| socket_in(dir).as_os_str().len() <= LONGEST_SOCKET_PATH;
    wanted.into_iter().flatten().find(fits).unwrap_or(last)
}

/// The socket's path in its folder.
pub(crate) fn socket_in(dir: &Path) -> PathBuf {
    dir.join(format!(".s.PGSQL.{PORT}"))
}

/// The same for the same path in every process and every build (FNV-1a).
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

pub(crate) fn io_error(doing: &'static str, path: &Path, source: io::Error) -> EmbeddedPgError {
    EmbeddedPgError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_moves_the_socket_to_a_short_folder() {
        let short = Path::new("/var/lib/postrider");
        assert_eq!(choose_socket_dir(short, None), short.join("socket"));
        let long = PathBuf::from(format!("/var/{}", "x".repeat(90)));
        let moved = choose_socket_dir(&long, None);
        assert!(
            moved.starts_with("/tmp") && socket_in(&moved).as_os_str().len() <= 107,
            "{moved:?}"
        );
        assert!(
            choose_socket_dir(&long, Some(Path::new("/run/user/1000")))
                .starts_with("/run/user/1000")
        );
        let also_long = PathBuf::from(format!("/run/{}", "y".repeat(90)));
        assert_eq!(choose_socket_dir(&long, Some(&also_long)), moved);
    }

    #[test]
    fn the_longest_path_that_fits_is_kept() {
        let room = LONGEST_SOCKET_PATH - "/socket/.s.PGSQL.5432".len();
        let exact = PathBuf::from(format!("/{}", "x".repeat(room - 1)));
        assert_eq!(choose_socket_dir(&exact, None), exact.join("socket"));
        let longer = PathBuf::from(format!("/{}", "x".repeat(room)));
        assert!(choose_socket_dir(&longer, None).starts_with("/tmp"));
    }

    #[test]
    fn a_link_in_the_place_of_a_private_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).unwrap();
        assert!(matches!(
            make_private(&link, &Account::Ours),
            Err(EmbeddedPgError::NotOurs { .. })
        ));
    }

    #[test]
    fn a_folder_open_to_others_becomes_private() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("open");
        DirBuilder::new().mode(0o755).create(&dir).unwrap();
        make_private(&dir, &Account::Ours).unwrap();
        assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    }
}
