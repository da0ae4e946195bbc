//! What a run stands on: the binary it proves, the repository, a folder of its own, and its sizes.
//! Builds the binaries unless one was given.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::process::Command;

use super::evidence::Evidence;

/// Says on the error output what goes on. It is no line, and no figure.
pub(crate) fn note(what: impl Display) {
    eprintln!("prove: {what}");
}

/// The ground of one run.
#[derive(Debug)]
pub(crate) struct Ground {
    binary: PathBuf,
    folder: TempDir,
    quick: bool,
    evidence: Evidence,
}

impl Ground {
    /// Builds what is to be proved, unless `binary` names it, and makes the run's folder. `searched`: its last line looks for secrets
    /// in all that the others said.
    pub(crate) async fn prepare(
        binary: Option<PathBuf>,
        quick: bool,
        searched: bool,
    ) -> anyhow::Result<Self> {
        let binary = match binary {
            Some(binary) => std::path::absolute(binary)?,
            None => build().await?,
        };
        if !binary.is_file() {
            bail!("there is no binary {}", binary.display());
        }
        let folder = tempfile::Builder::new()
            .prefix("postrider-prove-")
            .permissions(open_to_all())
            .tempdir()
            .context("make the run's folder")?;
        note(format!("logs, journals and databases are in {}", folder.path().display()));
        let evidence = Evidence::new(folder.path(), searched);
        Ok(Self { binary, folder, quick, evidence })
    }

    /// The `postrider` binary.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Another program of ours, from beside the `postrider` binary.
    pub(crate) fn sibling(&self, name: &str) -> PathBuf {
        self.binary.with_file_name(name)
    }

    /// The repository that this program was built from.
    pub(crate) fn repository(&self) -> PathBuf {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        crate_folder.ancestors().nth(2).unwrap_or(crate_folder).to_owned()
    }

    /// Cargo's target folder.
    pub(crate) fn target(&self) -> PathBuf {
        target().unwrap_or_else(|_| self.repository().join("target"))
    }

    /// A new folder for one line. The account that runs PostgreSQL can enter it.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
        std::fs::set_permissions(&folder, open_to_all())?;
        Ok(folder)
    }

    /// Whether the sizes are small.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// What the run's lines have said so far.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The full size, or the small one with `--quick`.
    pub(crate) fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Ends the run: its folder goes unless it is to be kept.
    pub(crate) fn leave(self, keep: bool) {
        if keep {
            note(format!("kept: {}", self.folder.keep().display()));
        }
    }
}

fn open_to_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

/// The folder that holds this program, one of cargo's profiles.
fn profile_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("find this program")?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
}

fn target() -> anyhow::Result<PathBuf> {
    let folder = profile_folder()?;
    Ok(folder.parent().unwrap_or(&folder).to_owned())
}

/// Builds the binaries in the profile that this program was built in.
async fn build() -> anyhow::Result<PathBuf> {
    let folder = profile_folder()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked"]);
    command.args(["--package", "postrider-cli", "--package", "postrider-bench"]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    command.arg("--target-dir").arg(target()?).current_dir(env!("CARGO_MANIFEST_DIR"));
    note("building the binaries");
    let status = command.status().await.context("run cargo")?;
    if !status.success() {
        bail!("the binaries could not be built");
    }
    Ok(folder.join("postrider"))
}
