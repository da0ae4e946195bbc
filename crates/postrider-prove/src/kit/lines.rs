//! The lines of a proof: printed as they are measured, and kept with their figures for the JSON file.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};

/// One measured line.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    verdict: &'static str,
    figure: String,
    target: String,
    figures: Value,
}

/// The lines of a run.
#[derive(Debug)]
pub(crate) struct Lines {
    proof: &'static str,
    quick: bool,
    lines: Vec<Line>,
}

impl Lines {
    pub(crate) fn new(proof: &'static str, quick: bool) -> Self {
        Self { proof, quick, lines: Vec::new() }
    }

    /// Prints `PASS name figure (target)`, or `FAIL …`, and keeps the figures.
    pub(crate) fn put(
        &mut self,
        passed: bool,
        name: &str,
        figure: impl Into<String>,
        target: impl Into<String>,
        figures: Value,
    ) {
        let verdict = if passed { "PASS" } else { "FAIL" };
        let (figure, target) = (figure.into(), target.into());
        println!("{verdict} {name} {figure} ({target})");
        self.lines.push(Line { name: name.to_owned(), verdict, figure, target, figures });
    }

    /// Prints that a line has no code yet; it counts as failed.
    pub(crate) fn not_yet(&mut self, name: &str) {
        println!("NOT YET {name}");
        self.lines.push(Line {
            name: name.to_owned(),
            verdict: "NOT YET",
            figure: String::new(),
            target: String::new(),
            figures: Value::Null,
        });
    }

    /// How many lines there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is a line, and every line passed.
    pub(crate) fn all_passed(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.verdict == "PASS")
    }

    /// Writes all lines with their figures to a file.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let document = json!({
            "proof": self.proof,
            "quick": self.quick,
            "passed": self.all_passed(),
            "lines": self.lines,
        });
        let doing = || format!("write the figures to {}", file.display());
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(doing)?;
        }
        let text = serde_json::to_string_pretty(&document)? + "\n";
        std::fs::write(file, text).with_context(doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_failed_or_is_missing_fails_the_run() {
        let mut lines = Lines::new("x", true);
        assert!(!lines.all_passed(), "nothing measured proves nothing");
        lines.put(true, "a", "1", "≥ 1", Value::Null);
        assert!(lines.all_passed());
        lines.not_yet("b");
        assert!(!lines.all_passed());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/x.json");
        lines.write(&file).unwrap();
        let read: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(read["lines"][1]["verdict"], "NOT YET");
        assert_eq!(read["passed"], false);
    }
}
