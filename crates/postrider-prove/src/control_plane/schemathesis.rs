//! Schemathesis, pinned, with a fixed seed and all its checks, against the daemon and the OpenAPI document that it serves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::stage::Stage;
use crate::kit::{Ground, Lines, note};

const VERSION: &str = "4.32.5";
const CONFIG: &str = include_str!("schemathesis.toml");
/// As much as is allowed, and a little less.
const LONGEST: Duration = Duration::from_secs(590);

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let program = installed(ground).await?;
    let stage = Stage::set(ground, "schemathesis").await?;
    let hook = r#"{"url":"https://example.com/a"}"#;
    stage.post(&stage.admin, "/endpoints", hook).await?;
    stage.post(&stage.admin, "/events", r#"{"type":"email.sent","data":{},"id":"evt_1"}"#).await?;
    let document = stage.document().await?;
    let operations = operations(&document)?;
    let folder = ground.folder("schemathesis-run")?;
    let begun = Instant::now();
    let run = run(&program, &stage, &folder, ground.is_quick()).await?;
    let took = begun.elapsed();
    stage.end().await?;
    let tested = tested(&folder.join("report.ndjson"))?;
    let missing: Vec<&String> = operations.difference(&tested).collect();
    let passed = run.passed && missing.is_empty() && took < LONGEST;
    let figure = format!(
        "{} of {} operations, {}, {} s{}",
        operations.len() - missing.len(),
        operations.len(),
        run.cases,
        took.as_secs(),
        run.failures
            .first()
            .map(|first| format!("; the first failure: {first}"))
            .unwrap_or_default()
    );
    lines.put(
        passed,
        "schemathesis",
        figure,
        "all checks, every operation of the document, seed 1, at most 10 min: 0 failures",
        json!({ "version": VERSION, "operations": operations.len(), "missing": missing, "cases": run.cases, "failures": run.failures,
                "seconds": took.as_secs() }),
    );
    Ok(())
}

struct Run {
    passed: bool,
    /// As it counts its test cases.
    cases: String,
    failures: Vec<String>,
}

/// The program, in an environment of its own under the target folder.
async fn installed(ground: &Ground) -> anyhow::Result<PathBuf> {
    let folder = ground.target().join(format!("schemathesis-{VERSION}"));
    let program = folder.join("bin/st");
    if !program.is_file() {
        note(format!("installing schemathesis {VERSION}"));
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status().await;
        ensure!(made.context("run python3")?.success(), "python3 -m venv failed");
        let pip = Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("schemathesis=={VERSION}"))
            .status()
            .await;
        ensure!(pip.context("run pip")?.success(), "pip could not install schemathesis");
    }
    Ok(program)
}

async fn run(program: &Path, stage: &Stage, folder: &Path, quick: bool) -> anyhow::Result<Run> {
    let config = folder.join("schemathesis.toml");
    std::fs::write(&config, CONFIG)?;
    let (examples, seconds) = if quick { ("5", "90") } else { ("40", "480") };
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("http://{}/openapi.json", stage.address)])
        .args(["-H", &format!("Authorization: Bearer {}", stage.admin)])
        .args(["--checks", "all", "--seed", "1", "--generation-database", "none", "--no-color"])
        .args(["-n", examples, "--max-time", seconds])
        .args(["--report", "ndjson", "--report-ndjson-path"])
        .arg(folder.join("report.ndjson"))
        .current_dir(folder)
        .kill_on_drop(true);
    let output = tokio::time::timeout(LONGEST, command.output()).await;
    let output = output.context("schemathesis has not ended in ten minutes")??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::write(folder.join("output.txt"), &text)?;
    let cases = text.lines().skip_while(|line| !line.starts_with("Test cases:")).nth(1);
    let Some(cases) = cases else {
        bail!("schemathesis said no count: {}", String::from_utf8_lossy(&output.stderr))
    };
    let failures = text.lines().filter(|line| line.starts_with("- ST"));
    Ok(Run {
        passed: output.status.success() && !text.contains("Authentication failed"),
        cases: cases.trim().to_owned(),
        failures: failures.map(str::to_owned).collect(),
    })
}

/// `GET /api/v1/events` and so on, as the document has them.
fn operations(document: &Value) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().context("paths")? {
        let methods = operations.as_object().context("operations")?.keys();
        names.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    Ok(names)
}

/// The operations of which a scenario was carried out, by the report.
fn tested(report: &Path) -> anyhow::Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(report).context("read the report")?;
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).context("read a line of the report")?;
        let scenario = &event["ScenarioFinished"];
        if let Some(label) = scenario["recorder"]["label"].as_str()
            && scenario["status"] != "skip"
        {
            names.insert(label.to_owned());
        }
    }
    Ok(names)
}
