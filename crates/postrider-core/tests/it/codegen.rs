//! What is written for a catalog is what is committed. The Rust of it is compiled and used by the tests of the producer library.

use std::path::Path;
use std::process::Command;

use postrider_core::codegen::{Language, generate};
use postrider_core::event_type::{Catalog, Declaration};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/codegen");
const LANGUAGES: [(Language, &str); 3] = [
    (Language::Rust, "events.rs"),
    (Language::TypeScript, "events.ts"),
    (Language::Go, "events.go"),
];

fn catalog() -> Vec<Declaration> {
    let text =
        std::fs::read_to_string(Path::new(FOLDER).join("catalog.json")).expect("it is there");
    serde_json::from_str::<Catalog>(&text).expect("a catalog").judge().expect("a good one")
}

#[test]
fn the_committed_files_are_what_is_written() {
    for (language, file) in LANGUAGES {
        let written = generate(language, &catalog());
        let path = Path::new(FOLDER).join(file);
        if std::env::var_os("POSTRIDER_WRITE_DOCS").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == committed,
            "{file} differs; POSTRIDER_WRITE_DOCS=1 writes it anew:\n{written}"
        );
    }
}

#[test]
fn the_order_of_the_declarations_changes_nothing() {
    let mut turned = catalog();
    turned.reverse();
    for (language, file) in LANGUAGES {
        assert_eq!(generate(language, &catalog()), generate(language, &turned), "{file}");
    }
}

#[test]
fn an_empty_catalog_is_a_module_too() {
    assert!(generate(Language::Rust, &[]).lines().count() == 1);
    assert!(
        generate(Language::TypeScript, &[]).contains("export const EVENT_TYPES = [\n] as const;")
    );
    assert!(generate(Language::Go, &[]).ends_with("package events\n"));
}

/// Runs a checker on a committed file; true where the machine has none, which is said.
fn checked(mut command: Command, what: &str) -> bool {
    match command.output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(output.status.success(), "{what}: {said}");
            true
        }
        Err(error) => {
            eprintln!("{what} was not run: {error}");
            false
        }
    }
}

#[test]
fn go_is_written_as_gofmt_would_leave_it() {
    let mut command = Command::new("gofmt");
    command.args(["-d", &format!("{FOLDER}/events.go")]);
    let Ok(output) = command.output() else {
        eprintln!("gofmt was not run: it is not here");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "gofmt would change it");
    let mut vet = Command::new("go");
    vet.args(["vet", &format!("{FOLDER}/events.go")]);
    checked(vet, "go vet");
}

#[test]
fn typescript_is_taken_by_its_compiler_where_there_is_one() {
    let file = format!("{FOLDER}/events.ts");
    let mut compiler = Command::new("tsc");
    compiler.args(["--noEmit", "--strict", &file]);
    if !checked(compiler, "tsc") && node_strips_types() {
        let mut node = Command::new("node");
        checked(
            {
                node.args(["--experimental-strip-types", &file]);
                node
            },
            "node",
        );
    }
}

/// Since 22.6.
fn node_strips_types() -> bool {
    let Ok(output) = Command::new("node").arg("--version").output() else { return false };
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= 23)
}
