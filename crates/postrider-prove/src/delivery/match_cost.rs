//! Runs `postrider-bench match`: what one endpoint of 10,000 costs when an event is matched, and that nothing is allocated.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::kit::{Ground, Lines};

/// Rows of the bench, what each may come to at most, and its unit.
const ROWS: &[(&str, f64, &str)] = &[
    ("match", 1000.0, " ns"),
    ("match.allocations", 0.0, " allocations"),
    ("match.data", 1000.0, " ns"),
    ("match.data.allocations", 0.0, " allocations"),
];

/// Measures and judges every row.
pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let program = ground.sibling("postrider-bench");
    let mut command = Command::new(&program);
    command.args(["match", "--json", "-"]).stdin(Stdio::null()).kill_on_drop(true);
    if ground.is_quick() {
        command.arg("--quick");
    }
    let output = command.output().await.with_context(|| format!("start {}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("postrider-bench match ended with {}: {}", output.status, said.trim());
    }
    put(&serde_json::from_slice(&output.stdout).context("read its report")?, lines);
    Ok(())
}

fn put(report: &Value, lines: &mut Lines) {
    for (name, most, unit) in ROWS {
        let rows = report["rows"].as_array();
        let row = rows.and_then(|rows| rows.iter().find(|row| row["name"] == *name));
        let mut figures: Vec<f64> = row
            .and_then(|row| row["figures"].as_array())
            .map(|figures| figures.iter().filter_map(Value::as_f64).collect())
            .unwrap_or_default();
        figures.sort_by(f64::total_cmp);
        let (Some(row), Some(least), Some(worst)) = (row, figures.first(), figures.last()) else {
            lines.put(false, name, "no such row was measured", "a row", Value::Null);
            continue;
        };
        // Every round counts, not their median alone: nothing else takes part that could disturb one.
        let figure = format!("{least:.0}–{worst:.0}{unit} in {} rounds", figures.len());
        let what = row["what"].as_str().unwrap_or_default();
        let target = format!("≤ {most:.0}{unit} in every round; {what}");
        lines.put(worst <= most, name, figure, target, row.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_slow_round_one_allocation_or_a_missing_row_fails() {
        let judge = |nanoseconds: f64, allocations: f64| {
            let row = |name: &str, figure: f64| json!({ "name": name, "figures": [0.0, figure] });
            let mut lines = Lines::new("x", true);
            let report = json!({ "rows": [
                row("match", nanoseconds),
                row("match.allocations", allocations),
                row("match.data", 500.0),
                row("match.data.allocations", 0.0),
            ] });
            put(&report, &mut lines);
            lines.all_passed()
        };
        assert!(judge(1000.0, 0.0));
        assert!(!judge(1001.0, 0.0) && !judge(1000.0, 1.0));
        let mut lines = Lines::new("x", true);
        put(&json!({ "rows": [] }), &mut lines);
        assert!(!lines.all_passed() && lines.len() == ROWS.len());
    }
}
