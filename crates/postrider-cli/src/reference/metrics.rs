//! `metrics.md`: every series of `/metrics`, read from what a fresh process answers there.

use std::collections::BTreeMap;

use postrider_runtime::Metrics;

use super::{cell, keep};

const HEAD: &str = "\
# Metrics

Written by `just docs-gen` from `crates/postrider-runtime/src/metrics`; a test keeps it true.

`GET /metrics` on the admin listener (`admin.listen`, 127.0.0.1:9090 unless configured) answers in the OpenMetrics text format. Every
series is there from the start, at 0. No label holds an id, a URL, a tenant or a message. Counters, histograms and the gauges of lanes
and requests are this process's own; the gauges of the backlog are of the whole database, sampled by the janitor every 15 seconds.

Worth an alarm: `postrider_oldest_pending_event_age_seconds` and `postrider_due_lag_seconds` that grow (work is not done in time),
`postrider_events_failed_total` that rises (an event cannot be fanned out; `postrider failed list` says why), a
`postrider_oldest_snapshot_age_seconds` of hours (an open transaction keeps dead rows), and `postrider_db_errors_total`.

| series | kind | means | labels |
| --- | --- | --- | --- |
";

#[test]
fn the_page_on_metrics_is_true() {
    let text = Metrics::new().encode();
    let mut help = BTreeMap::new();
    let mut page = HEAD.to_owned();
    for line in text.lines() {
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", "HELP", name, words] => drop(help.insert(name, words.trim_end_matches('.'))),
            ["#", "TYPE", name, kind] => {
                let series =
                    if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
                let means = cell(help.get(name).copied().unwrap_or_default());
                page.push_str(&format!(
                    "| `{series}` | {kind} | {means} | {} |\n",
                    labels(&text, &series)
                ));
            }
            _ => {}
        }
    }
    keep("metrics.md", &page);
}

/// `name`: the values that it has.
fn labels(text: &str, series: &str) -> String {
    let mut name = "";
    let mut values = Vec::new();
    for line in text.lines() {
        let Some(label) = line.strip_prefix(series).and_then(|rest| rest.strip_prefix('{')) else {
            continue;
        };
        let Some((key, rest)) = label.split_once("=\"") else { continue };
        name = key;
        values.extend(rest.split_once('"').map(|(value, _)| value));
    }
    if values.is_empty() {
        return "–".to_owned();
    }
    values.sort_unstable();
    format!("`{name}`: `{}`", values.join("`, `"))
}
