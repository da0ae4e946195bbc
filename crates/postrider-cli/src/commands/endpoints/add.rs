//! `postrider endpoints add`. Everything is checked before anything is stored; the secret is printed once and sealed.

use std::path::PathBuf;

use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::signing::{Profile, SecretKind};
use postrider_event::DEFAULT_TENANT;
use postrider_store::admin::endpoints::{self, NewEndpoint, Order};
use serde_json::json;

use super::fields::{self, Fields};
use super::request::{self, RequestFields};
use crate::commands::{Ended, egress};
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::output::{pairs, time};

/// Options of `endpoints add`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where events are sent
    url: String,
    /// Whose events
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    tenant: String,
    /// File with a signing secret of your own, or - for standard input; none: one is made
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The kind of its signing secret: standard (whsec_…), ed25519 (whsk_…) or opaque
    #[arg(long, value_name = "KIND", default_value = "standard", value_parser = request::kind)]
    secret_kind: SecretKind,
    /// Add it disabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    pub fields: Fields,
    #[command(flatten)]
    request: RequestFields,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    fields::check_tenant(&args.tenant)?;
    let egress = egress::for_tenant(&database.db, &context.config.egress, &args.tenant).await?;
    let url = fields::url(&args.url, &egress)?;
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
    let created_at = endpoints::create(&database.db, &keys, &new).await?;
    warn(context, database, &new, &headers).await?;

    let id = new.id;
    let shown = (!brought && secret.is_symmetric()).then(|| secret.expose());
    let shown = shown.as_ref().map(|text| text.as_str());
    let document = json!({
        "id": id, "tenant": args.tenant, "url": url.as_str(), "event_types": types, "enabled": !args.disabled,
        "created_at": created_at, "secret": shown, "public_key": secret.public_key(),
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
