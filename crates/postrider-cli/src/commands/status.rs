//! `postrider status`: one screen. Every number costs the same whatever the backlog.

use postrider_core::health::Circuit;
use postrider_store::admin::status::{self, Backlog, COUNT_CAP, DueLag, Partitions, Worker};
use postrider_store::admin::switches::{self, Switch};
use postrider_store::endpoint_health::{self, HealthRow};
use postrider_store::migrations;
use serde_json::{Value, json};

use super::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{ago, pairs, span, table, time};

/// All that is asked.
struct Screen {
    backlog: Backlog,
    lag: DueLag,
    workers: Vec<Worker>,
    closed: Vec<Switch>,
    partitions: Vec<Partitions>,
    unwell: Vec<HealthRow>,
    now: jiff::Timestamp,
}

pub(crate) async fn run(context: &Context, database: &Database) -> Ended {
    let screen = ask(database).await?;
    let target = match &database.embedded {
        Some(_) => format!("embedded in {}", context.config.data_dir.display()),
        None => database.connect.target(),
    };
    context.out.data(&document(&screen, &target), || text(&screen, &target));
    Ok(Exit::Done)
}

async fn ask(database: &Database) -> Result<Screen, Failure> {
    let db = &database.db;
    let (unwell, now) = (endpoint_health::unwell(db).await?, status::clock(db).await?);
    Ok(Screen {
        backlog: status::backlog(db).await?,
        lag: status::due_lag(db, &unwell, now).await?,
        workers: status::workers(db).await?,
        closed: switches::list(db).await?,
        partitions: status::partitions(db).await?,
        unwell,
        now,
    })
}

/// A count that stopped at the cap.
pub(crate) fn capped(count: i64) -> String {
    if count >= COUNT_CAP { format!("more than {}", COUNT_CAP - 1) } else { count.to_string() }
}

fn text(screen: &Screen, target: &str) -> String {
    let Screen { backlog, lag, workers, closed, partitions, unwell, now } = screen;
    let oldest = backlog.oldest_pending.filter(|_| backlog.pending_events > 0);
    let events = match oldest {
        Some(age) => format!(
            "{} waiting for fan-out, the oldest for {}",
            capped(backlog.pending_events),
            span(age.as_secs())
        ),
        None => "none waiting".to_owned(),
    };
    let due = match lag.endpoints {
        0 => "nothing overdue".to_owned(),
        n => format!(
            "{n} endpoints have deliveries due, the oldest for {}",
            span(lag.oldest.as_secs())
        ),
    };
    let waiting = match lag.waiting {
        0 => String::new(),
        n => format!("; those of {n} wait until their endpoint is well and not paused"),
    };
    let failed = match (backlog.failed_events, backlog.publish_failures) {
        (0, 0) => "none".to_owned(),
        (events, publishes) => format!(
            "{} events, {} best-effort publishes within a day (postrider failed list)",
            capped(events),
            capped(publishes)
        ),
    };
    let switch = match closed.len() {
        0 => "on".to_owned(),
        n => format!("OFF in {n} places (postrider switch list)"),
    };
    let alive = workers.iter().filter(|worker| worker.alive).count();
    let head = pairs([
        ("database", format!("{target}, schema {}", migrations::wanted())),
        ("events", events),
        ("deliveries", format!("{} open; {due}{waiting}", capped(backlog.open_deliveries))),
        (
            "endpoints",
            format!(
                "{}, of these {} disabled, {} failing, {} paused",
                capped(backlog.endpoints),
                capped(backlog.disabled_endpoints),
                failing(unwell),
                paused(unwell, *now)
            ),
        ),
        ("failed", failed),
        ("publishing", switch),
        ("wake-up", wakeup(workers).to_owned()),
        ("partitions", partition_text(partitions)),
        ("workers", format!("{alive} alive")),
    ]);
    let fleet = table(
        ["WORKER", "NAME", "STATE", "ROLES", "WAKE-UP", "PID", "VERSION", "STARTED"],
        workers.iter().map(|worker| {
            [
                worker.incarnation.to_string(),
                worker.name.clone(),
                if worker.alive { "alive" } else { "dead" }.to_owned(),
                worker.roles.join(","),
                worker.wakeup.clone(),
                worker.pid.to_string(),
                worker.version.clone(),
                ago(worker.started_at, *now),
            ]
        }),
    );
    if fleet.is_empty() { head } else { format!("{head}\n\n{fleet}") }
}

/// Endpoints whose circuit is not closed.
fn failing(unwell: &[HealthRow]) -> usize {
    unwell.iter().filter(|row| row.health.circuit != Circuit::Closed).count()
}

fn paused(unwell: &[HealthRow], now: jiff::Timestamp) -> usize {
    let is_paused =
        |row: &&HealthRow| row.paused || row.health.paused_until.is_some_and(|until| until > now);
    unwell.iter().filter(is_paused).count()
}

/// How an idle fleet learns of an event.
fn wakeup(workers: &[Worker]) -> &'static str {
    let fans_out =
        |worker: &&Worker| worker.alive && worker.roles.iter().any(|role| role == "fanout");
    let modes: Vec<&str> =
        workers.iter().filter(fans_out).map(|worker| worker.wakeup.as_str()).collect();
    if modes.is_empty() {
        "nobody listens: no worker does fan-out"
    } else if modes.contains(&"listen") {
        "listen: publishers knock when the fleet sleeps"
    } else {
        "poll: LISTEN does not work here, workers look by themselves"
    }
}

fn partition_text(partitions: &[Partitions]) -> String {
    let count: i64 = partitions.iter().map(|table| table.count).sum();
    let days = partitions.iter().filter_map(|table| table.days_until).min();
    let tail =
        if partitions.iter().all(|table| table.has_tail) { "" } else { "; A TAIL IS MISSING" };
    match days {
        Some(until) => format!("{count}, one for each day until {}{tail}", time(until)),
        None => format!("{count}{tail}"),
    }
}

fn document(screen: &Screen, target: &str) -> Value {
    let Screen { backlog, lag, workers, closed, partitions, unwell, now } = screen;
    json!({
        "database": target,
        "schema": migrations::wanted(),
        "now": now,
        "count_cap": COUNT_CAP,
        "events": {
            "pending": backlog.pending_events,
            "oldest_pending_seconds": backlog.oldest_pending.map(|age| age.as_secs_f64()),
            "failed": backlog.failed_events,
            "publish_failures_last_day": backlog.publish_failures,
        },
        "deliveries": { "open": backlog.open_deliveries, "due_endpoints": lag.endpoints, "waiting_endpoints": lag.waiting, "due_lag_seconds": lag.oldest.as_secs_f64() },
        "endpoints": { "total": backlog.endpoints, "disabled": backlog.disabled_endpoints, "failing": failing(unwell), "paused": paused(unwell, *now) },
        "switches": closed.iter().map(|switch| json!({
            "scope": switch.scope, "name": switch.name, "reason": switch.reason, "closed_at": switch.closed_at,
        })).collect::<Vec<_>>(),
        "workers": workers.iter().map(|worker| json!({
            "incarnation": worker.incarnation, "name": worker.name, "pid": worker.pid, "version": worker.version, "roles": worker.roles,
            "liveness": worker.liveness, "wakeup": worker.wakeup, "alive": worker.alive, "started_at": worker.started_at,
            "heartbeat_at": worker.heartbeat_at,
        })).collect::<Vec<_>>(),
        "partitions": partitions.iter().map(|table| json!({
            "table": table.table, "count": table.count, "days_until": table.days_until, "has_tail": table.has_tail,
        })).collect::<Vec<_>>(),
    })
}
