//! Who runs the commands of a clone: we ourselves, or, where we are root, somebody who is not. That somebody sees our
//! toolchain, where it lies in a folder closed to him, through mounts that only his processes have; under the same names, so
//! that cargo builds nothing again. PostgreSQL's folders are empty to him where they are to be hidden.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Runs in a mount namespace of its own: mounts each `FROM TO`, then becomes the user. A FROM of `-` mounts nothingness.
const BECOME: &str = r#"
user=$1; shift
while [ "$1" != -- ]; do
    mkdir -p "$2"
    if [ "$1" = - ]; then mount -t tmpfs -o mode=755 tmpfs "$2"; else mount --bind "$1" "$2"; fi
    shift 2
done
shift
exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups --inh-caps=-all -- "$@"
"#;

/// The account of somebody who is not root; there is one on every Unix.
const STRANGER: &str = "nobody";
/// Where packages put PostgreSQL's binaries.
const POSTGRESQL: [&str; 3] =
    ["/usr/lib/postgresql", "/usr/libexec/postgresql", "/opt/homebrew/opt"];

/// Who runs something, and in which surroundings.
#[derive(Debug, Clone)]
pub(super) struct User {
    environment: Vec<(String, OsString)>,
    /// What is mounted where before this user is taken on; `None` for ourselves.
    other: Option<Vec<(PathBuf, PathBuf)>>,
    name: &'static str,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) exit: Option<i32>,
    /// All that it printed.
    pub(super) text: String,
    pub(super) took: Duration,
}

impl Executed {
    pub(super) fn last_line(&self) -> &str {
        self.text.lines().last().unwrap_or_default()
    }
}

/// A folder for a database, one for each run.
pub(super) fn data_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join("home").join(name)
}

impl User {
    /// We ourselves, with a target folder and a home of the clone's own.
    pub(super) fn ourselves(folder: &Path) -> anyhow::Result<Self> {
        let (home, target) = (folder.join("home"), folder.join("target"));
        for new in [&home, &target] {
            std::fs::create_dir_all(new)?;
        }
        let environment = vec![
            ("CARGO_TARGET_DIR".to_owned(), target.into_os_string()),
            ("CARGO_HOME".to_owned(), tool_home("CARGO_HOME", ".cargo")?.into_os_string()),
            ("RUSTUP_HOME".to_owned(), tool_home("RUSTUP_HOME", ".rustup")?.into_os_string()),
        ];
        let name = if is_root() { "root" } else { "a user" };
        Ok(Self { environment, other: None, name })
    }

    /// Somebody who is not root; `None` where we are not root ourselves.
    pub(super) fn stranger(folder: &Path) -> anyhow::Result<Option<Self>> {
        if !is_root() {
            return Ok(None);
        }
        let home = folder.join("stranger");
        std::fs::create_dir_all(&home)?;
        let cargo = &tool_home("CARGO_HOME", ".cargo")?;
        let rustup = &tool_home("RUSTUP_HOME", ".rustup")?;
        let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", cargo.display());
        let environment = vec![
            ("CARGO_TARGET_DIR".to_owned(), folder.join("target").into_os_string()),
            ("CARGO_HOME".to_owned(), cargo.clone().into_os_string()),
            ("RUSTUP_HOME".to_owned(), rustup.clone().into_os_string()),
            // What the first user fetched is here; nothing more may be needed.
            ("CARGO_NET_OFFLINE".to_owned(), "true".into()),
            ("HOME".to_owned(), home.clone().into_os_string()),
            ("USER".to_owned(), STRANGER.into()),
            ("PATH".to_owned(), path.into()),
        ];
        let aside = folder.join("tools");
        let copy = aside.join("cargo");
        copy_of_cargo_home(cargo, &copy)?;
        let mounts = mounts(cargo, &copy, rustup, &aside.join("rustup"))?;
        let stranger = Self { environment, other: Some(mounts), name: STRANGER };
        stranger.take(&[&home, &folder.join("home"), &copy])?;
        Ok(Some(stranger))
    }

    /// The same, on a machine without PostgreSQL's binaries.
    pub(super) fn hiding_postgresql(&self) -> anyhow::Result<Self> {
        let mut hidden = self.clone();
        let Some(mounts) = &mut hidden.other else {
            bail!("hiding PostgreSQL's binaries from a process takes root");
        };
        let nothing = PathBuf::from("-");
        let folders = POSTGRESQL.iter().map(Path::new).filter(|folder| folder.is_dir());
        mounts.extend(folders.map(|folder| (nothing.clone(), folder.to_owned())));
        Ok(hidden)
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Makes these folders this user's.
    pub(super) fn take(&self, folders: &[&Path]) -> anyhow::Result<()> {
        let status = std::process::Command::new("chown")
            .args(["--recursive", "--no-dereference", &format!("{}:", self.name)])
            .args(folders)
            .status()
            .context("run chown")?;
        if !status.success() {
            bail!("folders cannot be given to {}", self.name);
        }
        Ok(())
    }

    /// Runs a command in `folder`, its output to `log`.
    pub(super) async fn execute(
        &self,
        folder: &Path,
        words: &[&str],
        log: &Path,
        limit: Duration,
    ) -> anyhow::Result<Executed> {
        let mut command = match &self.other {
            None => {
                let mut command = Command::new(words[0]);
                command.args(&words[1..]);
                command
            }
            Some(mounts) => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-euc", BECOME, "become", self.name]);
                command.args(mounts.iter().flat_map(|(from, to)| [from, to]));
                command.arg("--").args(words);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            // Neither cargo, which started us, nor a developer's settings are to be seen.
            let text = name.to_string_lossy().into_owned();
            if ["CARGO", "RUST", "POSTRIDER_", "PG"].iter().any(|begin| text.starts_with(begin)) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let file = std::fs::File::create(log)?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let begun = Instant::now();
        let mut child = command.kill_on_drop(true).spawn().with_context(|| words.join(" "))?;
        let ended = tokio::time::timeout(limit, child.wait()).await;
        let status = ended.with_context(|| format!("{} does not end", words.join(" ")))??;
        let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
        Ok(Executed { exit: status.code(), text, took: begun.elapsed() })
    }
}

/// The mounts that open the toolchain to everybody, under its own names: cargo's home is a copy, rustup's is bound aside, the
/// closed folders above them are covered, and both are bound into the covers.
fn mounts(
    cargo: &Path,
    copy: &Path,
    rustup: &Path,
    aside: &Path,
) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let mut mounts = vec![(rustup.to_owned(), aside.to_owned())];
    let closed = [closed_above(cargo)?, closed_above(rustup)?];
    let covered: BTreeSet<PathBuf> = closed.into_iter().flatten().collect();
    mounts.extend(covered.into_iter().map(|closed| (PathBuf::from("-"), closed)));
    mounts.push((copy.to_owned(), cargo.to_owned()));
    mounts.push((aside.to_owned(), rustup.to_owned()));
    Ok(mounts)
}

/// Copies what cargo needs without a network: its programs, the registry's index and the packed crates. It unpacks them by
/// itself; what others unpacked may be closed to the new owner.
fn copy_of_cargo_home(from: &Path, to: &Path) -> anyhow::Result<()> {
    for part in ["bin", "registry/index", "registry/cache"] {
        let (from, to) = (from.join(part), to.join(part));
        std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
        let status = std::process::Command::new("cp")
            .args(["--archive", "--reflink=auto"])
            .args([&from, &to])
            .status()
            .context("run cp")?;
        if !status.success() {
            bail!("{} cannot be copied", from.display());
        }
    }
    Ok(())
}

/// The first folder on the way to `path` that only its owner can enter.
fn closed_above(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    for folder in above {
        let mode = std::fs::metadata(folder)?.permissions().mode();
        if mode & 0o001 == 0 {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where cargo or rustup keep their things.
fn tool_home(variable: &str, usual: &str) -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os(variable) {
        return Ok(folder.into());
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(Path::new(&home).join(usual))
}
