//! `postrider endpoints add`. Everything is checked before anything is stored; the secret is printed once and sealed.

use std::path::PathBuf;

use jiff::Timestamp;
use postrider_core::headers::CustomHeaders;
use postrider_core::ids::{EndpointId, JobId};
use postrider_core::signing::{Profile, SecretKind};
use postrider_event::DEFAULT_TENANT;
use postrider_store::admin::endpoints::{self, Backfill, NewEndpoint, Order};
use postrider_store::admin::status;
use serde_json::json;
use uuid::Uuid;

use super::fields::{self, Fields};
use super::request::{self, RequestFields};
use crate::commands::{Ended, egress};
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input::{self, When};
use crate::output::{pairs, time};

/// Options of `endpoints add`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where events are sent
    #[arg(required_unless_present = "pull")]
    url: Option<String>,
    /// Its events are read by who cannot be reached; nothing is sent, so there is no URL and no secret
    #[arg(long, conflicts_with_all = [
        "url", "secret_file", "backfill_since", "headers", "header_file", "retry_schedule", "timeout", "max_in_flight", "rate_limit",
        "ordering", "on_failure", "batch_max_events", "batch_max_wait", "batch_max_bytes", "batch_encoding", "capture_responses", "format",
        "sign", "auth_file", "client_cert", "client_key", "endpoint_ca",
    ])]
    pull: bool,
    /// Send it what it would have wanted since then too: a time, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = input::when, conflicts_with = "disabled")]
    backfill_since: Option<When>,
    /// Deliveries a second while that is made up for
    #[arg(long, value_name = "N", default_value_t = 50, requires = "backfill_since", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    backfill_rate: u16,
    /// Whose events
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    pub tenant: String,
    /// File with a signing secret of your own, or - for standard input; none: one is made
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The kind of its signing secret: standard (whsec_…), ed25519 (whsk_…) or opaque
    #[arg(long, value_name = "KIND", default_value = "standard", value_parser = request::kind)]
    secret_kind: SecretKind,
    /// Add it disabled
    #[arg(long)]
    pub disabled: bool,
    #[command(flatten)]
    pub fields: Fields,
    #[command(flatten)]
    request: RequestFields,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    fields::check_tenant(&args.tenant)?;
    let Some(url) = &args.url else { return super::pull::add(context, database, args).await };
    let egress = egress::for_tenant(&database.db, &context.config.egress, &args.tenant).await?;
    let url = fields::url(url, &egress)?;
    let every_type = vec!["*".to_owned()];
    let types = args.fields.types.as_ref().unwrap_or(&every_type);
    let filter = args.fields.filter()?.flatten();
    fields::check_subscription(types, filter.as_ref())?;
    let headers = args.fields.headers()?.unwrap_or_default();
    let (secret, brought) = request::secret(args.secret_kind, args.secret_file.as_deref())?;
    let settings = args.request.settings(&egress)?;
    request::check_signed(&[secret.kind()], settings.signing.as_deref().unwrap_or_default())?;
    Profile::check_apart(settings.signing.as_deref().unwrap_or_default(), &headers)?;
    let metadata = args.fields.metadata()?.unwrap_or_else(|| json!({}));
    let schedule = args.fields.retry_schedule()?.flatten();
    let order = args.fields.order(Order::default())?;
    let batch = args.fields.batch(None)?;
    fields::check_batch_or_order(batch.is_some(), order.unwrap_or_default().ordering)?;
    let keys = context.keys()?;
    let new = NewEndpoint {
        id: endpoints::new_id(),
        tenant: &args.tenant,
        url: url.as_str(),
        description: args.fields.description()?.unwrap_or_default(),
        event_types: types,
        filter: filter.as_ref(),
        headers: &headers,
        retry_schedule_ms: schedule.as_deref(),
        timeout_ms: args.fields.timeout_ms()?.flatten(),
        max_in_flight: args.fields.max_in_flight()?.flatten(),
        rate_limit: args.fields.rate_limit()?.flatten(),
        capture_responses: args.fields.capture_responses.unwrap_or(false),
        enabled: !args.disabled,
        metadata: &metadata,
        secret: &secret,
        settings,
        order,
        batch,
    };
    let backfill = match args.backfill_since {
        None => None,
        Some(since) => {
            let since = since.at(status::clock(&database.db).await?).max(Timestamp::UNIX_EPOCH);
            Some(Backfill { job: JobId(Uuid::now_v7()), since, rate: args.backfill_rate })
        }
    };
    let created_at =
        endpoints::create_with_backfill(&database.db, &keys, &new, backfill.as_ref()).await?;
    warn(context, database, &new, &headers).await?;

    let id = new.id;
    let shown = (!brought && secret.is_symmetric()).then(|| secret.expose());
    let shown = shown.as_ref().map(|text| text.as_str());
    let document = json!({
        "id": id, "tenant": args.tenant, "url": url.as_str(), "event_types": types, "enabled": !args.disabled,
        "created_at": created_at, "secret": shown, "public_key": secret.public_key(),
        "backfill_job": backfill.map(|backfill| backfill.job),
    });
    context.out.data(&document, || {
        pairs([
            ("id", id.to_string()),
            ("tenant", args.tenant.clone()),
            ("url", url.to_string()),
            ("types", types.join(", ")),
            ("created", time(created_at)),
            match secret.public_key() {
                Some(key) => ("public key", key),
                None => ("secret", shown.unwrap_or("yours, as it is in the file").to_owned()),
            },
        ])
    });
    hint(context, id, args, shown.is_some());
    if let Some(Backfill { job, .. }) = backfill {
        context.out.note(&format!("What it missed is sent by {job}:  postrider jobs show {job}"));
    }
    Ok(Exit::Done)
}

/// What is accepted and may still be a mistake.
async fn warn(
    context: &Context,
    database: &Database,
    new: &NewEndpoint<'_>,
    headers: &CustomHeaders,
) -> Result<(), Failure> {
    for doubt in fields::doubts(new.event_types) {
        context.out.warn(&doubt);
    }
    for twin in endpoints::twins(&database.db, new.tenant, new.url, new.id).await? {
        context
            .out
            .warn(&format!("{twin} has the same URL: an event that both want is sent there twice"));
    }
    tracing::info!(endpoint.id = %new.id, tenant = new.tenant, headers = headers.iter().len(), "added endpoint {}", new.id);
    Ok(())
}

fn hint(context: &Context, id: EndpointId, args: &Args, secret_shown: bool) {
    if secret_shown {
        context
            .out
            .note("\nThe secret is shown this once. The receiver verifies signatures with it.");
    }
    if args.fields.dev {
        context.out.note(
            "Permitted with --dev: only a daemon with \"postrider run --dev\" delivers to it.",
        );
    }
    context.out.note(&format!("Try it:  postrider endpoints test {id}"));
}
