//! The ten crates asked for are direct dependencies of ours, and their names stand in our sources.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::kit::{Ground, Lines};

const ASKED_FOR: [&str; 10] = [
    "tokio",
    "tokio-postgres",
    "deadpool-postgres",
    "sha2",
    "hex",
    "hyper",
    "hyper-util",
    "serde_json",
    "backoff",
    "tracing-subscriber",
];

/// Tools about the product; what only they use is not used by the product.
const TOOLS: [&str; 3] = ["postrider-testkit", "postrider-bench", "postrider-prove"];

pub(super) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(ground.repository())
        .output()
        .await
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let mut users = serde_json::Map::new();
    for name in ASKED_FOR {
        users.insert(name.to_owned(), json!(users_of(name, &metadata)));
    }
    let used = users.values().filter(|by| by.as_array().is_some_and(|by| !by.is_empty())).count();
    lines.put(
        used == ASKED_FOR.len(),
        "ids-and-rows.crates",
        format!("{used} of the {} crates asked for are used directly", ASKED_FOR.len()),
        "all of them",
        Value::Object(users),
    );
    Ok(())
}

/// Our crates, tools apart, that declare `name` as a normal dependency and name it in their sources.
fn users_of(name: &str, metadata: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut users = Vec::new();
    for package in list(&metadata["packages"]) {
        let (user, manifest) = (package["name"].as_str(), package["manifest_path"].as_str());
        let (Some(user), Some(manifest)) = (user, manifest) else { continue };
        let declares = list(&package["dependencies"])
            .iter()
            .any(|dependency| dependency["name"] == name && dependency["kind"].is_null());
        let sources = Path::new(manifest).with_file_name("src");
        if declares && !TOOLS.contains(&user) && names(&sources, &name.replace('-', "_")) {
            users.push(user.to_owned());
        }
    }
    users
}

/// Whether a source file in this folder has a path that begins with the crate's name.
fn names(folder: &Path, crate_name: &str) -> bool {
    let path = format!("{crate_name}::");
    let begins = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        code.match_indices(&path).any(|(at, _)| {
            !code[..at].ends_with(|before: char| {
                before.is_alphanumeric() || before == '_' || before == ':'
            })
        })
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return names(&path, crate_name);
        }
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        is_source && std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(begins))
    })
}
