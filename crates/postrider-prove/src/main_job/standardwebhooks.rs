//! Python's and Node's packages of Standard Webhooks and of Svix verify every kind of request sent: by the test that
//! `./run-tests` runs, which may not skip any of them here.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::kit::{Ground, Lines};

const TEST: &str = "standardwebhooks::python_and_node_verify_every_kind_of_request";

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--quiet", "--locked", "--package", "postrider-cli", "--test", "it", "--"])
        .args(["--exact", TEST, "--nocapture"])
        .env("POSTRIDER_REQUIRE_RECEIVERS", "1")
        .current_dir(ground.repository())
        .kill_on_drop(true);
    let output = command.output().await.context("run the test")?;
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut figures = serde_json::Map::new();
    let mut shown = Vec::new();
    for library in ["python", "node", "python-svix", "node-svix"] {
        let begin = format!("{library} accepted ");
        let Some((accepted, refused)) = out.lines().find_map(|line| {
            let (accepted, refused) = line.split_once(&begin)?.1.split_once(" and refused ")?;
            Some((accepted.parse::<u64>().ok()?, refused.trim().parse::<u64>().ok()?))
        }) else {
            let why =
                err.lines().find(|line| line.contains("SKIPPED") || line.contains("panicked"));
            bail!("{library} verified nothing: {}", why.unwrap_or("the test says no more"));
        };
        figures.insert(library.to_owned(), json!({ "accepted": accepted, "refused": refused }));
        shown.push(format!(
            "{library} accepted {accepted} requests and refused {refused} changed ones"
        ));
    }
    lines.put(
        output.status.success(),
        "standardwebhooks",
        shown.join(", "),
        "every request, by PyPI's and npm's packages standardwebhooks and svix, with three live secrets too",
        Value::Object(figures),
    );
    Ok(())
}
