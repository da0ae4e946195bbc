//! Runs `postrider-bench` and judges its rows by the targets of the issue: how fast it is beside what it is compared with.
//! The million open deliveries are measured by the same program, and judged by `million`.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::kit::{Ground, Lines, signal};

/// How long the bench may take to end when it is asked to: its PostgreSQL goes first.
const TO_END: Duration = Duration::from_secs(30);

/// What a row must reach.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// The median of its ratios to what it is compared with.
    Ratio(f64),
    /// The median of its figures.
    Least(f64),
    Most(f64),
}

/// A row of the bench, and what it must reach.
struct Wanted {
    row: &'static str,
    target: Target,
    unit: &'static str,
}

const fn wanted(row: &'static str, target: Target, unit: &'static str) -> Wanted {
    Wanted { row, target, unit }
}

const SPEED: &[Wanted] = &[
    wanted("limit", Target::Least(60_000.0), "/s"),
    wanted("drain.1", Target::Ratio(0.5), "/s"),
    wanted("drain.5", Target::Ratio(0.6), "/s"),
    wanted("publish.insert", Target::Ratio(0.75), "/s"),
    wanted("publish.notify", Target::Ratio(2.5), "/s"),
    wanted("latency.p50", Target::Most(2.0), " ms"),
    wanted("latency.p99", Target::Most(5.0), " ms"),
    wanted("bytes.event", Target::Most(1_200.0), " bytes"),
    wanted("bytes.delivery", Target::Most(350.0), " bytes"),
];

const BACKLOG: &[Wanted] = &[
    wanted("backlog.future", Target::Ratio(0.8), "/s"),
    wanted("backlog.future.memory", Target::Most(200.0), " MiB"),
    wanted("backlog.hanging", Target::Ratio(0.8), "/s"),
    wanted("backlog.hanging.memory", Target::Most(200.0), " MiB"),
];

/// Drain, publish, latency and room on disk.
pub(crate) async fn speed(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let report = run(ground, "limit,drain,publish,latency").await?;
    put(&report, "bench", SPEED, lines);
    Ok(())
}

/// A million open deliveries, due in the future and behind an endpoint that hangs.
pub(crate) async fn million(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let report = run(ground, "backlog").await?;
    put(&report, "million", BACKLOG, lines);
    Ok(())
}

/// Runs the bench and reads its report. Its progress is ours to show.
async fn run(ground: &Ground, only: &str) -> anyhow::Result<Value> {
    let program = ground.sibling("postrider-bench");
    let mut command = Command::new(&program);
    command.args(["--json", "-", "--only", only]).arg("--postrider").arg(ground.binary());
    if ground.is_quick() {
        command.arg("--quick");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().with_context(|| format!("start {}", program.display()))?;
    let (report, status) = Bench(child).ended().await?;
    // A void run ends with a failure too, and with its report.
    if report.is_empty() {
        bail!("postrider-bench ended with {status} and without a report");
    }
    serde_json::from_slice(&report).context("read the report of postrider-bench")
}

/// The bench at work. Dropped before its end, because this run was interrupted, it is asked to end and waited for: it has a
/// PostgreSQL of its own, which would outlive a bench that is killed.
struct Bench(Child);

impl Bench {
    /// What it has printed when it has ended, and how it ended.
    async fn ended(mut self) -> anyhow::Result<(Vec<u8>, ExitStatus)> {
        let mut report = Vec::new();
        let mut output = self.0.stdout.take().context("its standard output is a pipe")?;
        output.read_to_end(&mut report).await?;
        Ok((report, self.0.wait().await?))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let Some(pid) = self.0.id() else { return };
        if signal(pid, Signal::TERM).is_err() {
            return;
        }
        let asked = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && asked.elapsed() < TO_END {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

fn put(report: &Value, group: &str, wanted: &[Wanted], lines: &mut Lines) {
    let rows = report["rows"].as_array().cloned().unwrap_or_default();
    let void = report["void"].as_str();
    for Wanted { row: name, target, unit } in wanted {
        let line = format!("{group}.{name}");
        let Some(row) = rows.iter().find(|row| row["name"] == *name) else {
            lines.put(false, &line, "no such row was measured", "a row", report["machine"].clone());
            continue;
        };
        let figures = Spread::of(&row["figures"]);
        let ratios = Spread::of(&row["beside"]["ratios"]);
        let (reached, target) = match target {
            Target::Ratio(least) => {
                let of = row["beside"]["what"].as_str().unwrap_or("what it is compared with");
                (ratios.median >= *least, format!("≥ {least} of {of}"))
            }
            Target::Least(least) => (figures.median >= *least, format!("≥ {least}{unit}")),
            Target::Most(most) => (figures.median <= *most, format!("≤ {most}{unit}")),
        };
        let mut figure = format!("{}{unit}", figures.shown());
        if !ratios.median.is_nan() {
            figure = format!("{} times as much: {figure}", ratios.shown());
        }
        if let Some(void) = void {
            figure = format!("{figure}; the run is void: {void}");
        }
        let rounds = figures.rounds;
        let target = format!("{target}, median of {rounds} rounds");
        let figures = json!({ "row": row, "machine": report["machine"], "void": void });
        lines.put(reached && void.is_none(), &line, figure, target, figures);
    }
}

/// A median, and how far the rounds lie apart.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
    rounds: usize,
}

impl Spread {
    fn of(samples: &Value) -> Self {
        let list = samples.as_array().cloned().unwrap_or_default();
        let mut sorted: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        let (middle, rounds) = (sorted.len() / 2, sorted.len());
        let median = match rounds % 2 {
            0 if rounds > 0 => f64::midpoint(at(middle - 1), at(middle)),
            _ => at(middle),
        };
        Self { median, least: at(0), most: at(rounds.saturating_sub(1)), rounds }
    }

    /// `0.54 (0.52–0.55)`, with as many digits as make sense.
    fn shown(&self) -> String {
        let digits = if self.median < 10.0 { 2 } else { 0 };
        let text = |figure: f64| format!("{figure:.digits$}");
        format!("{} ({}–{})", text(self.median), text(self.least), text(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_judged_by_their_median_and_missing_or_void_ones_fail() {
        let row = |median: f64| {
            json!({ "name": "drain.1", "figures": [1.0, 40_000.0, 50_000.0],
                    "beside": { "what": "limit", "figures": [], "ratios": [median, 0.0, 1.0] } })
        };
        let judge = |report: Value| {
            let mut lines = Lines::new("x", true);
            put(&report, "bench", &[wanted("drain.1", Target::Ratio(0.5), "/s")], &mut lines);
            lines.all_passed()
        };
        assert!(judge(json!({ "rows": [row(0.5)], "void": null })));
        assert!(!judge(json!({ "rows": [row(0.49)], "void": null })));
        assert!(!judge(json!({ "rows": [row(0.5)], "void": "too slow" })));
        assert!(!judge(json!({ "rows": [], "void": null })));
    }

    #[tokio::test]
    async fn a_bench_that_is_dropped_is_asked_to_end_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let server = folder.path().join("server");
        // Stands for a bench that needs a moment for its server.
        let script =
            "trap 'sleep 0.2; rm \"$1\"; exit 0' TERM; touch \"$1\"; while :; do sleep 0.05; done";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&server).stdout(Stdio::piped()).kill_on_drop(true);
        let bench = Bench(command.spawn().unwrap());
        while !server.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(bench);
        assert!(!server.exists(), "it had the time to end its server");
    }

    #[test]
    fn the_spread_is_shown_with_digits_that_make_sense() {
        let shown = |samples: Value| Spread::of(&samples).shown();
        assert_eq!(shown(json!([0.5, 0.7])), "0.60 (0.50–0.70)");
        assert_eq!(shown(json!([3.0, 40_000.4, 50_000.0])), "40000 (3–50000)");
        assert!(Spread::of(&json!([])).median.is_nan());
    }
}
