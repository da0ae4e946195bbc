//! By what plans: the server itself says so of every statement that it runs for a pass over all routes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio_postgres::Client;

use super::super::stage::Stage;
use super::connection::Connection;
use super::routes::{Routes, Sample, next_page};
use crate::kit::{Dice, Lines};

/// Requests of each route.
const REQUESTS: u32 = 60;
/// A table with no more rows than this may be read whole.
const SMALL: f32 = 10_000.0;
/// New sessions explain what they run, in functions too.
const EXPLAIN: &str = "DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = auto_explain', current_database());
    EXECUTE format('ALTER DATABASE %I SET auto_explain.log_min_duration = 0', current_database());
    EXECUTE format('ALTER DATABASE %I SET auto_explain.log_nested_statements = on', current_database());
END $$";

pub(super) async fn prove(
    stage: Stage,
    routes: &Routes,
    sample: &Sample,
    lines: &mut Lines,
) -> anyhow::Result<()> {
    stage.installation.client().await?.batch_execute(EXPLAIN).await.context("load auto_explain")?;
    // The worker's sessions begin anew.
    let stage = Stage::on(stage.leave().await?).await?;
    let before = log(&stage)?.len();
    let requests = pass(&stage, routes, sample).await?;
    let log = log(&stage)?;
    let said = log.get(before..).context("a log that only grows")?;
    let plans = said.matches("\tQuery Text: ").count();
    ensure!(plans > 100, "auto_explain has said nothing");
    let scans = large(&stage.installation.client().await?, scans(said)).await?;
    let total: usize = scans.values().sum();
    let figure = format!(
        "{total} sequential scans in {plans} plans of {requests} requests{}",
        scans.keys().next().map(|table| format!(", the first of {table}")).unwrap_or_default()
    );
    lines.put(
        total == 0,
        "scale.plans",
        figure,
        "no plan of any route reads a table of more than 10,000 rows whole",
        json!({ "plans": plans, "requests": requests, "sequential_scans": scans }),
    );
    stage.end().await
}

async fn pass(stage: &Stage, routes: &Routes, sample: &Sample) -> anyhow::Result<u32> {
    let mut connection = Connection::to(stage.address).await?;
    let (mut dice, mut requests) = (Dice::new(5), 0);
    for route in routes.judged() {
        let mut next = None;
        for _ in 0..REQUESTS {
            let (key, path) = sample.request(route, next.take(), &mut dice);
            let answer = connection.get(&key, &path).await?;
            ensure!(answer.status == 200, "{path}: {} {:.300}", answer.status, answer.body);
            requests += 1;
            if dice.per_mille(300) {
                next = next_page(&key, &path, &answer.body);
            }
        }
    }
    Ok(requests)
}

fn log(stage: &Stage) -> anyhow::Result<String> {
    let cluster: PathBuf = stage.installation.server.cluster();
    let file = cluster.with_file_name("server.log");
    let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How often each table is read whole in the plans of a log.
fn scans(log: &str) -> BTreeMap<String, usize> {
    let mut scans = BTreeMap::new();
    for (_, rest) in
        log.match_indices("Seq Scan on ").map(|(at, found)| log.split_at(at + found.len()))
    {
        let table: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        *scans.entry(table).or_insert(0) += 1;
    }
    scans
}

/// Those of tables that are large.
async fn large(
    client: &Client,
    scans: BTreeMap<String, usize>,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let names: Vec<&String> = scans.keys().collect();
    let sql = "SELECT relname::text FROM pg_class WHERE relname = ANY ($1) AND reltuples > $2";
    let rows = client.query(sql, &[&names, &SMALL]).await?;
    let large: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok(scans.into_iter().filter(|(table, _)| large.contains(table)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_whole_is_found_in_a_log() {
        let log = "  ->  Seq Scan on webhook_events_d1 e  (cost=1)\n  ->  Index Scan using x on y\n\tSeq Scan on jobs\n ->  Seq Scan on jobs j";
        let expected = [("jobs".to_owned(), 2), ("webhook_events_d1".to_owned(), 1)];
        assert_eq!(scans(log), expected.into());
    }
}
