//! A month of an installation, and every list, detail and capped count of the API asked of it: how long the answers take, and by what plans.

mod connection;
mod plans;
mod routes;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use self::connection::Connection;
use self::routes::{Routes, Sample};
use super::stage::Stage;
use crate::kit::{Dice, Ground, Installation, Lines, note};

const SEED: &str = include_str!("scale/seed.sql");
/// What an answer may take, but for one of a hundred.
const TARGET: Duration = Duration::from_millis(20);
/// Requests of each route before those that count.
const WARM_UP: u32 = 50;

pub(crate) async fn prove(ground: &Ground, lines: &mut Lines) -> anyhow::Result<()> {
    let events = ground.size(1_000_000, 100_000);
    let requests = ground.size(1_000, 200);
    // A server for a database of this size, as the guide to tuning has it: a quarter of the memory.
    let settings = [("shared_buffers", "512MB"), ("max_wal_size", "4GB")];
    let installation = Installation::bare(ground, "scale", &settings).await?;
    installation.succeed(&["migrate", "up"]).await?;
    seed(&installation, events).await?;
    let stage = Stage::on(installation).await?;
    let sample = Sample::take(&stage).await?;
    let routes = Routes::of(&stage.document().await?)?;
    let measured = measure(&stage, &routes, &sample, requests).await?;
    report(&measured, &routes, events, requests, lines);
    plans::prove(stage, &routes, &sample, lines).await
}

async fn seed(installation: &Installation, events: i32) -> anyhow::Result<()> {
    let begun = Instant::now();
    let client = installation.client().await?;
    client.batch_execute(&format!("SET seed.events = '{events}'; SET work_mem = '64MB'")).await?;
    client.batch_execute(SEED).await.context("fill the installation")?;
    client.batch_execute("VACUUM ANALYZE").await?;
    client.batch_execute("CHECKPOINT").await?;
    note(format!(
        "{events} events and what became of them were made in {} s",
        begun.elapsed().as_secs()
    ));
    Ok(())
}

/// How long the answers of one route took.
struct Measured {
    route: String,
    /// In order of length.
    took: Vec<Duration>,
    /// Answers that were none.
    wrong: Vec<String>,
}

impl Measured {
    fn at(&self, share: f64) -> Duration {
        let last = self.took.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a few thousand"
        )]
        let place = (last as f64 * share).ceil() as usize;
        self.took.get(place.min(last)).copied().unwrap_or_default()
    }
}

async fn measure(
    stage: &Stage,
    routes: &Routes,
    sample: &Sample,
    requests: u32,
) -> anyhow::Result<Vec<Measured>> {
    let mut connection = Connection::to(stage.address).await?;
    let mut all = Vec::new();
    for route in routes.judged() {
        let (mut dice, mut next) = (Dice::new(4), None);
        let mut measured =
            Measured { route: route.to_owned(), took: Vec::new(), wrong: Vec::new() };
        for number in 0..WARM_UP + requests {
            let (key, path) = sample.request(route, next.take(), &mut dice);
            let begun = Instant::now();
            let answer = connection.get(&key, &path).await?;
            if number >= WARM_UP {
                measured.took.push(begun.elapsed());
            }
            if answer.status != 200 {
                measured.wrong.push(format!("{path}: {} {:.300}", answer.status, answer.body));
            }
            // Of every other page the next one is asked for.
            if dice.per_mille(500) {
                next = routes::next_page(&key, &path, &answer.body);
            }
        }
        measured.took.sort_unstable();
        all.push(measured);
    }
    Ok(all)
}

fn report(all: &[Measured], routes: &Routes, events: i32, requests: u32, lines: &mut Lines) {
    let slowest = all.iter().max_by_key(|measured| measured.at(0.99));
    let wrong: Vec<&String> = all.iter().flat_map(|measured| &measured.wrong).collect();
    let late = all.iter().filter(|measured| measured.at(0.99) > TARGET).count();
    let ms = |time: Duration| (time.as_secs_f64() * 100_000.0).round() / 100.0;
    let figures: Map<String, Value> = all
        .iter()
        .map(|measured| {
            let figures = json!({
                "requests": measured.took.len(), "p50_ms": ms(measured.at(0.5)), "p99_ms": ms(measured.at(0.99)), "max_ms": ms(measured.at(1.0)),
            });
            (measured.route.clone(), figures)
        })
        .collect();
    let named = slowest
        .map(|slowest| format!("{:.1} ms at worst (GET {})", ms(slowest.at(0.99)), slowest.route))
        .unwrap_or_default();
    let figure = format!(
        "p99 {named}; {late} of {} routes over the target, {} answers wrong{}",
        all.len(),
        wrong.len(),
        wrong.first().map(|first| format!(", the first: {first}")).unwrap_or_default()
    );
    lines.put(
        !all.is_empty() && late == 0 && wrong.is_empty(),
        "scale",
        figure,
        format!("p99 of every list, detail and capped count at most 20 ms over {requests} requests, with {events} events and three deliveries each"),
        json!({ "routes": figures, "not_judged": routes.others(), "wrong": wrong.len() }),
    );
}
