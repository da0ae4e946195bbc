//! Commands that cannot do their work: one message with the remedy, and the exit code.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::kit::{Ground, Installation, Lines, Ran, exit_text, free_port};

/// The database cannot be reached, or cannot be used now.
const UNAVAILABLE: i32 = 69;
/// The configuration is wrong, or the schema.
const CONFIG: i32 = 78;
/// So soon a command gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was run, with what it must say.
struct Case {
    name: &'static str,
    exit: i32,
    says: &'static str,
    ran: Ran,
}

impl Case {
    /// One message, which says what it must, and no more than that.
    fn why_not(&self) -> Option<&'static str> {
        let text = self.ran.err.as_str();
        let errors = text.lines().filter(|line| line.starts_with("error:")).count();
        if self.ran.exit != Some(self.exit) {
            Some("another exit code")
        } else if errors != 1 || text.contains("panicked") {
            Some("not one message")
        } else if !text.contains(self.says) {
            Some("the message does not say it")
        } else if self.ran.took > PATIENCE {
            Some("it took too long")
        } else {
            None
        }
    }
}

pub(super) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let mut installation = Installation::bare(ground, "commands", &[]).await?;
    let mut cases = Vec::new();
    for (name, arguments, exit, says) in [
        ("no-schema.run", &["run"][..], CONFIG, "postrider migrate up"),
        ("no-schema.status", &["status"], CONFIG, "postrider migrate up"),
    ] {
        cases.push(Case { name, exit, says, ran: installation.run(arguments).await? });
    }
    installation.succeed(&["migrate", "up"]).await?;
    wrong_schema(&installation, &mut cases).await?;
    read_only(&installation, &mut cases).await?;

    let right = installation.server.url().to_owned();
    let unreachable = format!("postgres://nobody@127.0.0.1:{}/nowhere", free_port()?);
    let other = right.replacen("/postrider", "/elsewhere", 1);
    for (name, url, exit, says) in [
        ("unreachable", unreachable.as_str(), UNAVAILABLE, "cannot be reached"),
        ("wrong-url", "nonsense://host/database", CONFIG, "database.url"),
        ("wrong-port", "postgres://host:99999/database", CONFIG, "database.url"),
        ("no-such-database", other.as_str(), CONFIG, "there is no such database"),
    ] {
        installation.set("POSTRIDER_DATABASE_URL", url);
        cases.push(Case { name, exit, says, ran: installation.run(&["status"]).await? });
    }
    installation.set("POSTRIDER_DATABASE_URL", "nonsense://host/database");
    let ran = installation.run(&["run"]).await?;
    cases.push(Case { name: "wrong-url.run", exit: CONFIG, says: "database.url", ran });
    put(lines, &cases);
    installation.end().await
}

/// A schema that lacks its last migration, and one that has a migration nobody here knows.
async fn wrong_schema(installation: &Installation, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let client = installation.client().await?;
    let sql = "DELETE FROM postrider.schema_history WHERE version = (SELECT max(version) FROM postrider.schema_history)
               RETURNING version, name, applied_on, checksum";
    let last = client.query_one(sql, &[]).await.context("take the last migration back")?;
    for (name, arguments) in [("old-schema.run", &["run"][..]), ("old-schema.status", &["status"])]
    {
        let ran = installation.run(arguments).await?;
        cases.push(Case { name, exit: CONFIG, says: "postrider migrate up", ran });
    }
    let insert = "INSERT INTO postrider.schema_history (version, name, applied_on, checksum) VALUES ($1, $2, $3, $4)";
    let (version, name): (i32, String) = (last.get(0), last.get(1));
    let (applied_on, checksum): (String, String) = (last.get(2), last.get(3));
    client.execute(insert, &[&version, &name, &applied_on, &checksum]).await?;
    client.execute(insert, &[&(version + 1), &"from_the_future", &applied_on, &checksum]).await?;
    for (name, arguments) in [
        ("new-schema.run", &["run"][..]),
        ("new-schema.status", &["status"]),
        ("new-schema.migrate", &["migrate", "up"]),
    ] {
        let ran = installation.run(arguments).await?;
        cases.push(Case { name, exit: CONFIG, says: "newer postrider", ran });
    }
    client
        .execute("DELETE FROM postrider.schema_history WHERE version = $1", &[&(version + 1)])
        .await?;
    Ok(())
}

/// A database user whose every transaction is read-only, and who may not change that: on a standby.
async fn read_only(installation: &Installation, cases: &mut Vec<Case>) -> anyhow::Result<()> {
    let client = installation.client().await?;
    client.batch_execute("ALTER DATABASE postrider SET default_transaction_read_only = on").await?;
    let ran = installation.run(&["switch", "off"]).await?;
    // Our sessions ask for read-write by themselves; where they get it, the command has done its work.
    if ran.exit != Some(0) {
        cases.push(Case { name: "read-only", exit: UNAVAILABLE, says: "takes no writes", ran });
    }
    client.batch_execute("SET default_transaction_read_only = off; ALTER DATABASE postrider RESET default_transaction_read_only").await?;
    installation.run(&["switch", "on"]).await?;
    Ok(())
}

fn put(lines: &mut Lines, cases: &[Case]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let why = case.why_not()?;
            Some(format!(
                "{}: {why}: exit {}, {:?}",
                case.name,
                exit_text(case.ran.exit),
                case.ran.first_line()
            ))
        })
        .collect();
    let shown = if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join("; ")) };
    let figures: Value = cases
        .iter()
        .map(|case| {
            let (exit, message) = (case.ran.exit, case.ran.first_line());
            json!({ "case": case.name, "exit": exit, "message": message, "ms": case.ran.took.as_millis() })
        })
        .collect();
    lines.put(
        wrong.is_empty(),
        "database-faults.commands",
        format!(
            "{} of {} ended with one message and their exit code{shown}",
            cases.len() - wrong.len(),
            cases.len()
        ),
        "all; 69 unreachable or read-only, 78 wrong URL or schema",
        figures,
    );
}
