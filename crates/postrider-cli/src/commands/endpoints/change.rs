//! `postrider endpoints update`, `enable`, `disable`, `pause`, `resume` and `delete`.

use std::time::Instant;

use postrider_core::endpoint::check_reason;
use postrider_store::admin::endpoints::{self, Change, EndpointChange, Order};
use postrider_store::workers;
use serde_json::json;

use super::fields::{self, Fields};
use super::request::{self, RequestFields};
use crate::commands::{Ended, egress};
use crate::config::Egress;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::lookup;

/// Options of `endpoints update`. What is not given is neither changed nor checked again.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// Where events are sent
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Take all request headers away
    #[arg(long, conflicts_with_all = ["headers", "header_file"])]
    no_headers: bool,
    /// Take its login away
    #[arg(long, conflicts_with = "auth_file")]
    no_auth: bool,
    /// Take its client certificate and its authorities away
    #[arg(long, conflicts_with_all = ["client_cert", "endpoint_ca"])]
    no_tls: bool,
    /// Send its events one by one again
    #[arg(long, conflicts_with_all = ["batch_max_events", "batch_max_wait", "batch_max_bytes", "batch_encoding"])]
    no_batch: bool,
    #[command(flatten)]
    pub fields: Fields,
    #[command(flatten)]
    request: RequestFields,
}

pub(crate) async fn update(context: &Context, database: &Database, args: &Update) -> Ended {
    let endpoint = lookup::endpoint(&database.db, &args.id).await?;
    let egress = egress::for_tenant(&database.db, &context.config.egress, &endpoint.tenant).await?;
    let change = changes(args, &endpoint, &egress)?;
    if let Some(profiles) = &change.settings.signing {
        let secrets = endpoints::secrets(&database.db, endpoint.id).await?;
        request::check_signed(&endpoints::lasting_kinds(&secrets), profiles)?;
    }
    // The keys are asked for only when there is something to seal.
    let sealing = matches!(change.headers, Change::Set(_)) || change.settings.is_secret();
    let keys = sealing.then(|| context.keys()).transpose()?;
    for doubt in args.fields.types.iter().flat_map(|types| fields::doubts(types)) {
        context.out.warn(&doubt);
    }
    if !endpoints::update(&database.db, keys.as_ref(), endpoint.id, change).await? {
        return Err(gone(&args.id));
    }
    context.out.data(&json!({ "id": endpoint.id, "updated": true }), || {
        format!("updated {}", endpoint.id)
    });
    Ok(Exit::Done)
}

fn changes(
    args: &Update,
    endpoint: &endpoints::Endpoint,
    egress: &Egress,
) -> Result<EndpointChange, Failure> {
    let url = args.url.as_deref().map(|text| fields::url(text, egress)).transpose()?;
    let filter = args.fields.filter()?;
    if args.fields.types.is_some() || filter.is_some() {
        // Types and filter are judged together, the one that stays with the one that comes.
        let types = args.fields.types.as_ref().unwrap_or(&endpoint.event_types);
        fields::check_subscription(types, filter.as_ref().unwrap_or(&endpoint.filter).as_ref())?;
    }
    let headers = match (args.fields.headers()?, args.no_headers) {
        (Some(headers), _) => Change::Set(headers),
        (None, true) => Change::Clear,
        (None, false) => Change::Keep,
    };
    let mut settings = args.request.settings(egress)?;
    if args.no_auth {
        settings.auth = Change::Clear;
    }
    if args.no_tls {
        settings.tls = Change::Clear;
    }
    let order = args
        .fields
        .order(Order { ordering: endpoint.ordering, on_failure: endpoint.on_failure })?;
    let batch = match (args.fields.batch(endpoint.batch)?, args.no_batch) {
        (Some(batch), _) => Change::Set(batch),
        (None, true) => Change::Clear,
        (None, false) => Change::Keep,
    };
    let batched = match &batch {
        Change::Keep => endpoint.batch.is_some(),
        Change::Clear => false,
        Change::Set(_) => true,
    };
    let ordering = order.map_or(endpoint.ordering, |order| order.ordering);
    fields::check_batch_or_order(batched, ordering)?;
    let change = EndpointChange {
        url: url.map(|url| url.as_str().to_owned()),
        description: args.fields.description()?.map(str::to_owned),
        event_types: args.fields.types.clone(),
        filter: optional(filter),
        headers,
        retry_schedule_ms: optional(args.fields.retry_schedule()?),
        timeout_ms: optional(args.fields.timeout_ms()?),
        max_in_flight: optional(args.fields.max_in_flight()?),
        rate_limit: optional(args.fields.rate_limit()?),
        capture_responses: args.fields.capture_responses,
        metadata: args.fields.metadata()?,
        settings,
        order,
        batch,
        unchanged_since: None,
    };
    if change.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is nothing to change")
            .remedy("name what to change, such as --url"));
    }
    Ok(change)
}

pub(crate) async fn enable(context: &Context, database: &Database, id: &str) -> Ended {
    let endpoint = lookup::endpoint(&database.db, id).await?;
    let changed = endpoints::set_enabled(&database.db, endpoint.id, true, "").await?;
    let document = json!({ "id": endpoint.id, "enabled": true, "changed": changed });
    context.out.data(&document, || match changed {
        true => format!("enabled {}; it gets what is published from now on", endpoint.id),
        false => format!("{} was enabled already", endpoint.id),
    });
    Ok(Exit::Done)
}

pub(crate) async fn disable(context: &Context, database: &Database, id: &str) -> Ended {
    let endpoint = lookup::endpoint(&database.db, id).await?;
    let changed =
        endpoints::set_enabled(&database.db, endpoint.id, false, endpoints::BY_HAND).await?;
    let since = Instant::now();
    // Also when it was disabled before: a command that was interrupted here can be repeated.
    let cancelled =
        endpoints::cancel_deliveries(&database.db, endpoint.id, endpoints::ENDPOINT_DISABLED)
            .await?;
    settle(database, since).await?;
    let document =
        json!({ "id": endpoint.id, "enabled": false, "changed": changed, "cancelled": cancelled });
    context.out.data(&document, || {
        let what = if changed { "disabled" } else { "was disabled already:" };
        format!("{what} {}; {cancelled} deliveries cancelled", endpoint.id)
    });
    Ok(Exit::Done)
}

/// Options of `endpoints pause`.
#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    /// The endpoint: whk_… or the beginning of it
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn pause(context: &Context, database: &Database, args: &Pause) -> Ended {
    args.reason.as_deref().map_or(Ok(()), check_reason)?;
    let endpoint = lookup::endpoint(&database.db, &args.id).await?;
    let reason = args.reason.as_deref();
    let changed = endpoints::set_paused(&database.db, endpoint.id, true, reason).await?;
    settle(database, Instant::now()).await?;
    let document = json!({ "id": endpoint.id, "paused": true, "changed": changed });
    context.out.data(&document, || match changed {
        true => format!("paused {}; what it is owed waits", endpoint.id),
        false => format!("{} was paused already", endpoint.id),
    });
    Ok(Exit::Done)
}

pub(crate) async fn resume(context: &Context, database: &Database, id: &str) -> Ended {
    let endpoint = lookup::endpoint(&database.db, id).await?;
    let changed = endpoints::set_paused(&database.db, endpoint.id, false, None).await?;
    let document = json!({ "id": endpoint.id, "paused": false, "changed": changed });
    context.out.data(&document, || match (changed, endpoint.enabled) {
        (true, true) => format!("{} goes on; what waited goes now", endpoint.id),
        (true, false) => format!("{} is not paused any more, and still disabled", endpoint.id),
        (false, _) => format!("{} was not paused", endpoint.id),
    });
    Ok(Exit::Done)
}

pub(crate) async fn delete(context: &Context, database: &Database, id: &str) -> Ended {
    let endpoint = lookup::endpoint(&database.db, id).await?;
    context.confirm(&format!(
        "delete {} ({}), its secrets and what it is owed",
        endpoint.id, endpoint.url
    ))?;
    if !endpoints::delete(&database.db, endpoint.id).await? {
        return Err(gone(id));
    }
    let since = Instant::now();
    let cancelled =
        endpoints::cancel_deliveries(&database.db, endpoint.id, endpoints::ENDPOINT_DELETED)
            .await?;
    settle(database, since).await?;
    let document = json!({ "id": endpoint.id, "deleted": true, "cancelled": cancelled });
    context
        .out
        .data(&document, || format!("deleted {}; {cancelled} deliveries cancelled", endpoint.id));
    Ok(Exit::Done)
}

/// Waits until nothing starts any more by what the endpoint was, so that the answer can be relied on.
async fn settle(database: &Database, since: Instant) -> Result<(), Failure> {
    if workers::delivering(&database.db).await? > 0 {
        tokio::time::sleep(endpoints::CHANGE_SETTLES.saturating_sub(since.elapsed())).await;
    }
    Ok(())
}

fn optional<T>(value: Option<Option<T>>) -> Change<T> {
    match value {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(value)) => Change::Set(value),
    }
}

fn gone(id: &str) -> Failure {
    Failure::new(Exit::Missing, format!("there is no endpoint {id}"))
        .why("somebody deleted it just now")
}
