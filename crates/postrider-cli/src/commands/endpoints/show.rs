//! `postrider endpoints list` and `show`.

use std::time::Duration;

use postrider_core::batch::BatchPolicy;
use postrider_core::health::Circuit;
use postrider_core::ordering::Ordering;
use postrider_core::retry::Schedule;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{Profile, is_unsigned};
use postrider_store::admin::endpoints::{self, Endpoint, SecretInfo};
use postrider_store::admin::status::{self, COUNT_CAP};
use postrider_store::endpoint_health::{self, HealthRow};
use serde_json::{Value, json};

use crate::commands::Ended;
use crate::commands::status::capped;
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::lookup;
use crate::output::{pairs, safe, table, time};

/// Options of `endpoints list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those after this endpoint: the last one of the page before
    #[arg(long, value_name = "ENDPOINT")]
    after: Option<postrider_core::ids::EndpointId>,
}

pub(crate) async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let mut rows =
        endpoints::list(&database.db, args.tenant.as_deref(), args.after, args.limit + 1).await?;
    let has_more = rows.len() > usize::try_from(args.limit).unwrap_or(usize::MAX);
    if has_more {
        rows.pop();
    }
    let next = rows.last().filter(|_| has_more).map(|endpoint| endpoint.id);
    let data: Vec<Value> = rows.iter().map(|endpoint| document(endpoint, None)).collect();
    context.out.data(&json!({ "data": data, "has_more": has_more, "next_cursor": next }), || {
        table(
            ["ID", "TENANT", "STATE", "TYPES", "URL"],
            rows.iter().map(|endpoint| {
                [
                    endpoint.id.to_string(),
                    endpoint.tenant.clone(),
                    state(endpoint),
                    safe(&endpoint.event_types.join(","), 40),
                    without_query(&endpoint.url),
                ]
            }),
        )
    });
    if let Some(next) = next {
        context.out.note(&format!("more with --after {next}"));
    }
    Ok(Exit::Done)
}

pub(crate) async fn show(context: &Context, database: &Database, id: &str) -> Ended {
    let endpoint = lookup::endpoint(&database.db, id).await?;
    let secrets = endpoints::secrets(&database.db, endpoint.id).await?;
    let owed = endpoints::open_deliveries(&database.db, endpoint.id, COUNT_CAP).await?;
    let keys = context.keys().ok();
    let mut answer = document(&endpoint, keys.as_ref());
    answer["open_deliveries"] = json!(owed);
    let known = endpoint_health::read(&database.db, &[endpoint.id]).await?;
    let known = known.into_iter().next().unwrap_or_else(|| HealthRow::clean(endpoint.id));
    let now = status::clock(&database.db).await?;
    answer["health"] = health_document(&known);
    answer["secrets"] = secrets.iter().map(secret_document).collect();
    answer["unsigned"] = json!(unsigned(&endpoint, &secrets));
    context.out.data(&answer, || {
        let or_default = |value: Option<String>| value.unwrap_or_else(|| "default".to_owned());
        let schedule =
            endpoint.retry_schedule_ms.as_deref().map(|waits| wait_texts(waits).join(","));
        let listed = secrets.iter().map(|secret| {
            let until =
                secret.expires_at.map_or(String::new(), |at| format!(", until {}", time(at)));
            format!("{} from {}{until}", secret.kind_name(), time(secret.created_at))
        });
        pairs([
            ("id", endpoint.id.to_string()),
            ("tenant", endpoint.tenant.clone()),
            ("url", endpoint.url.clone()),
            ("description", safe(&endpoint.description, 200)),
            ("state", state(&endpoint)),
            ("health", health(&known, now)),
            ("types", endpoint.event_types.join(", ")),
            ("filter", endpoint.filter.as_ref().map_or("none".to_owned(), Value::to_string)),
            ("headers", headers(&endpoint, keys.as_ref())),
            ("retry schedule", or_default(schedule)),
            ("timeout", or_default(endpoint.timeout_ms.map(|ms| format!("{ms}ms")))),
            ("max in flight", or_default(endpoint.max_in_flight.map(|number| number.to_string()))),
            ("order", order(&endpoint)),
            ("batches", endpoint.batch.map_or("none".to_owned(), batch)),
            ("format", endpoint.format.clone()),
            ("signed as well", profiles(&endpoint, &secrets)),
            ("login", endpoint.auth.clone().unwrap_or_else(|| "none".to_owned())),
            ("own TLS identity", endpoint.tls_sealed.is_some().to_string()),
            ("rate limit", endpoint.rate_limit.map_or("none".to_owned(), |n| format!("{n}/s"))),
            ("keeps answers", endpoint.capture_responses.to_string()),
            ("metadata", endpoint.metadata.to_string()),
            ("secrets", listed.collect::<Vec<_>>().join("\n")),
            ("owed", format!("{} deliveries", capped(owed))),
            ("created", time(endpoint.created_at)),
            ("updated", time(endpoint.updated_at)),
        ])
    });
    Ok(Exit::Done)
}

/// What may be shown of a secret.
pub(super) fn secret_document(secret: &SecretInfo) -> Value {
    json!({
        "id": secret.id, "kind": secret.kind_name(), "algorithm": secret.algorithm, "encoding": secret.encoding,
        "public_key": secret.public_key, "created_at": secret.created_at, "expires_at": secret.expires_at,
    })
}

/// Whether its requests have no signature of any kind, now or when the secrets that have an end have ended.
fn unsigned(endpoint: &Endpoint, secrets: &[SecretInfo]) -> bool {
    let profiles = Profile::list_from_json(&endpoint.signing).unwrap_or_default();
    is_unsigned(endpoints::lasting_kinds(secrets), &profiles)
}

fn profiles(endpoint: &Endpoint, secrets: &[SecretInfo]) -> String {
    let list = Profile::list_from_json(&endpoint.signing).unwrap_or_default();
    if unsigned(endpoint, secrets) {
        return "no, AND ITS REQUESTS HAVE NO SIGNATURE AT ALL: name a profile with --sign"
            .to_owned();
    }
    let shown =
        list.iter().map(|profile| format!("{} in {}", profile.kind.as_str(), profile.header));
    match shown.collect::<Vec<_>>().join("\n") {
        none if none.is_empty() => "no".to_owned(),
        shown => shown,
    }
}

/// An endpoint as JSON. Header values and secrets have no place in it.
pub(crate) fn document(endpoint: &Endpoint, keys: Option<&KeyRing>) -> Value {
    json!({
        "id": endpoint.id,
        "tenant": endpoint.tenant,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "filter": endpoint.filter,
        "has_headers": endpoint.headers_sealed.is_some(),
        "header_names": keys.and_then(|keys| endpoint.header_names(keys).ok()),
        "retry_schedule": endpoint.retry_schedule_ms.as_deref().map(wait_texts),
        "timeout_ms": endpoint.timeout_ms,
        "max_in_flight": endpoint.max_in_flight,
        "rate_limit": endpoint.rate_limit,
        "ordering": endpoint.ordering.as_str(),
        "on_failure": endpoint.on_failure.to_text(),
        "batch": endpoint.batch.map(|batch| json!({
            "max_events": batch.max_events(),
            "max_wait_ms": batch.max_wait().as_millis(),
            "max_bytes": batch.max_bytes(),
            "encoding": batch.encoding().as_str(),
        })),
        "capture_responses": endpoint.capture_responses,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "paused_at": endpoint.paused_at,
        "paused_reason": endpoint.paused_reason,
        "format": endpoint.format,
        "signing": endpoint.signing,
        "auth": endpoint.auth,
        "has_tls": endpoint.tls_sealed.is_some(),
        "metadata": endpoint.metadata,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    })
}

fn health_document(known: &HealthRow) -> Value {
    let health = &known.health;
    json!({
        "circuit": health.circuit.as_str(),
        "consecutive_failures": health.consecutive_failures,
        "failed_probes": health.failed_probes,
        "opened_at": health.opened_at,
        "next_probe_at": health.next_probe_at,
        "paused_until": health.paused_until,
        "first_failure_at": health.first_failure_at,
        "last_success_at": health.last_success_at,
        "warned_at": health.warned_at,
    })
}

fn health(known: &HealthRow, now: jiff::Timestamp) -> String {
    let health = &known.health;
    let since = health.first_failure_at.map_or(String::new(), |at| format!(" since {}", time(at)));
    let warned = match health.warned_at {
        Some(_) => "; it will be disabled unless a request succeeds",
        None => "",
    };
    match (health.circuit, health.paused_until.filter(|until| *until > now)) {
        (Circuit::HalfOpen, _) => format!("failing{since}; being probed{warned}"),
        (Circuit::Open, _) => {
            let next = health.waits_until().map_or("soon".to_owned(), time);
            format!("failing{since}; deliveries wait for a probe at {next}{warned}")
        }
        (Circuit::Closed, Some(until)) => format!("paused by its receiver until {}", time(until)),
        (Circuit::Closed, None) if health.consecutive_failures > 0 => {
            format!("{} failures in a row{since}", health.consecutive_failures)
        }
        (Circuit::Closed, None) => "well".to_owned(),
    }
}

/// Waits as they are written in options.
fn wait_texts(waits_ms: &[i32]) -> Vec<String> {
    let wait = |ms: &i32| Duration::from_millis(u64::try_from(*ms).unwrap_or(0));
    let schedule = Schedule::new(waits_ms.iter().map(wait).collect());
    schedule.map(|schedule| schedule.to_texts()).unwrap_or_default()
}

fn order(endpoint: &Endpoint) -> String {
    match endpoint.ordering {
        Ordering::None => "none".to_owned(),
        ordering => {
            format!("{}, a failing one: {}", ordering.as_str(), endpoint.on_failure.to_text())
        }
    }
}

fn batch(batch: BatchPolicy) -> String {
    format!(
        "{} events, {} ms, {} bytes at most; {}",
        batch.max_events(),
        batch.max_wait().as_millis(),
        batch.max_bytes(),
        batch.encoding().as_str()
    )
}

fn state(endpoint: &Endpoint) -> String {
    let with = |state: &str, reason: &Option<String>| match reason {
        Some(reason) => format!("{state} ({})", safe(reason, 200)),
        None => state.to_owned(),
    };
    match (endpoint.enabled, endpoint.paused_at) {
        (true, None) => "enabled".to_owned(),
        (true, Some(_)) => with("paused", &endpoint.paused_reason),
        (false, _) => with("disabled", &endpoint.disabled_reason),
    }
}

fn headers(endpoint: &Endpoint, keys: Option<&KeyRing>) -> String {
    match (&endpoint.headers_sealed, keys.map(|keys| endpoint.header_names(keys))) {
        (None, _) => "none".to_owned(),
        (Some(_), Some(Ok(names))) => format!("{} (values sealed)", names.join(", ")),
        (Some(_), Some(Err(error))) => format!("sealed: {error}"),
        (Some(_), None) => "sealed; their names need the master key".to_owned(),
    }
}

/// People put tokens into queries, and a list is often shared.
fn without_query(url: &str) -> String {
    url.split_once('?').map_or_else(|| url.to_owned(), |(url, _)| format!("{url}?…"))
}
