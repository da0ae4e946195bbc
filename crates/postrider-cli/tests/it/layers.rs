//! The crates depend on each other as docs/ARCHITECTURE.md says, and on the libraries that only some of them may know.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

type Edges = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What each crate of the workspace depends on outside of its tests.
fn edges() -> Edges {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let output = command.current_dir(root()).output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut edges = Edges::new();
    for package in metadata["packages"].as_array().unwrap() {
        let names = package["dependencies"].as_array().unwrap().iter();
        let names = names.filter(|dependency| dependency["kind"] != "dev");
        let names = names.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
        edges.insert(package["name"].as_str().unwrap().to_owned(), names.collect());
    }
    edges
}

/// The rows of the table under this head: the names in the first cell, and the text of the second.
fn table(head: &str) -> Vec<(Vec<String>, String)> {
    let page = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let mut lines = page.lines().skip_while(|line| *line != head);
    assert!(lines.next().is_some(), "docs/ARCHITECTURE.md has no table {head}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [names, text] = cells[..] else { panic!("{row} has not two cells") };
            (names_in(names), text.to_owned())
        })
        .collect();
    assert!(!rows.is_empty());
    rows
}

/// What stands between backquotes.
fn names_in(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a row of the table permits a dependency.
fn permits(text: &str, dependency: &str) -> bool {
    match text.strip_prefix("everything") {
        Some("") => true,
        Some(but) => {
            let but = but.strip_prefix(" but ").unwrap_or_else(|| panic!("what is {text:?}?"));
            let but = but.split([',', ' ']).filter(|word| !matches!(*word, "" | "and"));
            but.map(|word| format!("postrider-{}", word.trim_matches('`')))
                .all(|name| name != dependency)
        }
        None => names_in(text).iter().any(|name| name == dependency),
    }
}

/// The first way that leads from a crate back to itself.
fn circle(edges: &Edges) -> Option<Vec<String>> {
    fn walk(edges: &Edges, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let last = way[way.len() - 1].clone();
        for next in edges.get(&last).into_iter().flatten() {
            let round = way.contains(next);
            if done.contains(next) {
                continue;
            }
            way.push(next.clone());
            if round || walk(edges, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(last);
        false
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|start| {
        let mut way = vec![start.clone()];
        walk(edges, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    let (edges, table) = (edges(), table("| crate | may depend on |"));
    let mut wrong = Vec::new();
    for (name, dependencies) in &edges {
        let Some((_, text)) = table.iter().find(|(names, _)| names.contains(name)) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        let ours = dependencies.iter().filter(|dependency| edges.contains_key(*dependency));
        let ours = ours.filter(|dependency| !permits(text, dependency));
        wrong.extend(ours.map(|dependency| format!("{name} must not depend on {dependency}")));
    }
    assert!(wrong.is_empty(), "docs/ARCHITECTURE.md, Direction of dependencies: {wrong:#?}");
}

#[test]
fn there_are_no_circles() {
    assert_eq!(circle(&edges()), None);
    let allowed = table("| crate | may depend on |").into_iter().flat_map(|(names, text)| {
        let may: BTreeSet<String> = names_in(&text).into_iter().collect();
        names.into_iter().map(move |name| (name, may.clone()))
    });
    assert_eq!(circle(&allowed.collect()), None, "the table itself");
}

#[test]
fn only_some_crates_know_the_driver_the_http_library_and_the_backoff() {
    let edges = edges();
    let mut wrong = Vec::new();
    for (libraries, text) in table("| library | only in |") {
        for (name, dependencies) in &edges {
            let known = libraries.iter().filter(|library| dependencies.contains(*library));
            let known = known.filter(|_| !permits(&text, name));
            wrong.extend(known.map(|library| format!("{name} must not depend on {library}")));
        }
        for library in libraries {
            let used = edges.values().any(|dependencies| dependencies.contains(&library));
            assert!(used, "nobody depends on {library} any more");
        }
    }
    assert!(wrong.is_empty(), "docs/ARCHITECTURE.md, Direction of dependencies: {wrong:#?}");
}

#[test]
fn a_circle_is_found_and_a_row_is_read() {
    let edges = |edges: &[(&str, &[&str])]| -> Edges {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(from, to)| ((*from).to_owned(), owned(to))).collect()
    };
    assert_eq!(circle(&edges(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])), None);
    assert!(circle(&edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])])).is_some());
    assert!(permits("`x`, `y`", "y") && !permits("`x`, `y`", "z") && !permits("", "z"));
    assert!(permits("everything", "postrider-x"));
    let but = "everything but testkit, bench and prove";
    assert!(
        permits(but, "postrider-store")
            && !permits(but, "postrider-testkit")
            && !permits(but, "postrider-prove")
    );
}
