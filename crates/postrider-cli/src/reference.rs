//! The reference pages in `docs/reference`, written from what they describe: configuration keys, command line, metrics.
//!
//! A page that does not say what the code says fails its test; `POSTRIDER_WRITE_DOCS=1` (`just docs-gen`) writes it anew.

mod cli;
mod configuration;
mod metrics;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");

/// Compares a page with what is committed, or writes it where that was asked for.
fn keep(name: &str, page: &str) {
    let path = format!("{FOLDER}/{name}");
    if std::env::var_os("POSTRIDER_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(FOLDER).expect("the folder can be made");
        std::fs::write(&path, page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (ours, theirs)) in page.lines().zip(committed.lines()).enumerate() {
        let line = line + 1;
        assert_eq!(ours, theirs, "line {line} of docs/reference/{name}; `just docs-gen` writes it");
    }
    assert_eq!(page.len(), committed.len(), "`just docs-gen` writes docs/reference/{name}");
}

/// Text as it may stand in the cell of a table.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => cell.push(' '),
            '|' | '*' | '<' => cell.extend(['\\', character]),
            other => cell.push(other),
        }
    }
    cell
}

/// Text as code, or a dash if there is none.
fn code(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { format!("`{text}`") }
}
