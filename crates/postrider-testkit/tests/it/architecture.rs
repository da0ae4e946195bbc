//! The map, the tables and the tests of `docs/ARCHITECTURE.md` are those that there are. Who depends on whom is compared in
//! `crates/postrider-cli/tests/it/layers.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../../../docs/ARCHITECTURE.md");
const SCHEMA: &str = include_str!("../../../../migrations/schema.sql");

#[test]
fn every_crate_is_on_the_code_map() {
    for name in crates() {
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
        for name in crates() {
            read_all(&top().join("crates").join(&name).join(folder), &mut source);
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

/// The names of our crates: those of their folders.
fn crates() -> BTreeSet<String> {
    let entries = std::fs::read_dir(top().join("crates")).expect("the folder can be read");
    entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
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
