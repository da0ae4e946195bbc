//! What `docs/ARCHITECTURE.md` says about the crates and the tests is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PAGE: &str = include_str!("../../../../docs/ARCHITECTURE.md");
const SCHEMA: &str = include_str!("../../../../migrations/schema.sql");

#[test]
fn crates_depend_only_on_those_in_their_row() {
    let crates = crates();
    let rows = rows("## Direction of dependencies");
    let allowed: BTreeMap<String, &str> =
        rows.iter().flat_map(|row| names(row[0]).into_iter().map(|name| (name, row[1]))).collect();
    for (name, needs) in &crates {
        let Some(row) = allowed.get(name) else { panic!("{name} has no row") };
        let permitted = match *row {
            "everything" => crates.keys().cloned().collect(),
            "everything but testkit, bench and prove" => {
                let tools = ["postrider-testkit", "postrider-bench", "postrider-prove"];
                crates.keys().filter(|name| !tools.contains(&name.as_str())).cloned().collect()
            }
            row => names(row),
        };
        for needed in needs {
            assert!(
                permitted.contains(needed),
                "{name} depends on {needed}, its row does not say so"
            );
        }
    }
    for name in allowed.keys() {
        assert!(crates.contains_key(name), "there is no crate {name}");
    }
}

#[test]
fn every_crate_is_on_the_code_map() {
    for name in crates().keys() {
        assert!(PAGE.contains(&format!("**`{name}`**")), "{name} is not on the code map");
    }
}

#[test]
fn every_table_of_the_schema_has_its_duty() {
    let tables: Vec<&str> = SCHEMA
        .lines()
        .filter_map(|line| line.strip_prefix("CREATE TABLE postrider.")?.split_once(' '))
        .map(|(table, _)| table)
        .collect();
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        // Partitions that the schema makes by name are told of with their parent.
        let parent = table.trim_end_matches("_open").trim_end_matches("_closed");
        assert!(PAGE.contains(&format!("`{parent}`")), "{table} is not among the tables");
    }
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let mut source = String::new();
    for folder in ["src", "tests"] {
        for name in crates().keys() {
            read_all(&top().join("crates").join(name).join(folder), &mut source);
        }
    }
    let rows = rows("## Invariants");
    assert_eq!(rows.len(), 12);
    for row in rows {
        for test in names(row[2]) {
            assert!(source.contains(&format!("fn {test}(")), "{}: there is no test {test}", row[0]);
        }
        assert!(!names(row[2]).is_empty(), "{} names no test", row[0]);
    }
}

/// Our crates, with those of ours that each depends on, tests left out.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(top())
        .output()
        .expect("cargo can be started");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let needs = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let ours = dependencies
            .iter()
            .filter(|needed| needed["kind"].is_null() && !needed["path"].is_null());
        ours.map(|needed| text(&needed["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), needs(package))).collect()
}

/// The rows of the first table under a heading, without its head.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = PAGE.split_once(heading).expect("the page has this heading");
    let table = below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    table.skip(2).map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backquotes.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).expect("a source can be read"));
        }
    }
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
