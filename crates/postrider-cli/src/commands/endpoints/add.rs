//! `postrider endpoints add`. Everything is checked before anything is stored; the secret is printed once and sealed.

use std::path::PathBuf;

use postrider_core::headers::CustomHeaders;
use postrider_core::ids::EndpointId;
use postrider_core::signing::Secret;
use postrider_event::DEFAULT_TENANT;
use postrider_store::admin::endpoints::{self, NewEndpoint};
use serde_json::json;

use super::fields::{self, Fields};
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{pairs, time};

/// Options of `endpoints add`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where events are sent
    url: String,
    /// Whose events
    #[arg(long, value_name = "TENANT", default_value = DEFAULT_TENANT)]
    tenant: String,
    /// File with a signing secret of your own (whsec_…), or - for standard input; none: one is made
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Add it disabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    pub fields: Fields,
}

pub(crate) async fn run(context: &Context, database: &Database, args: &Args) -> Ended {
    fields::check_tenant(&args.tenant)?;
    let url = fields::url(&args.url, &context.config.egress)?;
    let every_type = vec!["*".to_owned()];
    let types = args.fields.types.as_ref().unwrap_or(&every_type);
    let filter = args.fields.filter()?.flatten();
    fields::check_subscription(types, filter.as_ref())?;
    let headers = args.fields.headers()?.unwrap_or_default();
    let (secret, brought) = secret(context, args)?;
    let metadata = args.fields.metadata()?.unwrap_or_else(|| json!({}));
    let schedule = args.fields.retry_schedule()?.flatten();
    let keys = context.keys()?;
    let new = NewEndpoint {
        id: endpoints::new_id(),
        tenant: &args.tenant,
        url: url.as_str(),
        description: args.fields.description()?.unwrap_or_default(),
        event_types: types,
        filter: filter.as_ref(),
        headers: &headers,
        retry_schedule: schedule.as_deref(),
        timeout_ms: args.fields.timeout_ms()?.flatten(),
        max_in_flight: args.fields.max_in_flight()?.flatten(),
        capture_responses: args.fields.capture_responses.unwrap_or(false),
        enabled: !args.disabled,
        metadata: &metadata,
        secret: &secret,
    };
    let created_at = endpoints::create(&database.db, &keys, &new).await?;
    warn(context, database, &new, &headers).await?;

    let id = new.id;
    let shown = (!brought).then(|| secret.expose());
    let shown = shown.as_ref().map(|text| text.as_str());
    let document = json!({
        "id": id, "tenant": args.tenant, "url": url.as_str(), "event_types": types, "enabled": !args.disabled,
        "created_at": created_at, "secret": shown,
    });
    context.out.data(&document, || {
        pairs([
            ("id", id.to_string()),
            ("tenant", args.tenant.clone()),
            ("url", url.to_string()),
            ("types", types.join(", ")),
            ("created", time(created_at)),
            ("secret", shown.unwrap_or("yours, as it is in the file").to_owned()),
        ])
    });
    hint(context, id, args, shown.is_some());
    Ok(Exit::Done)
}

/// The secret, and whether the caller brought it.
fn secret(context: &Context, args: &Args) -> Result<(Secret, bool), Failure> {
    let Some(file) = &args.secret_file else {
        return Ok((Secret::generate(&rand::random()), false));
    };
    let mut secrets = input::secrets(Some(file), &[], "", &context.sources)?;
    match secrets.len() {
        1 => Ok((secrets.remove(0), true)),
        0 => Err(Failure::new(Exit::Usage, format!("{} holds no secret", file.display()))),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("{} holds several secrets; an endpoint begins with one", file.display()),
        )),
    }
}

/// What is accepted and may still be a mistake.
async fn warn(
    context: &Context,
    database: &Database,
    new: &NewEndpoint<'_>,
    headers: &CustomHeaders,
) -> Result<(), Failure> {
    for name in fields::undeclared(new.event_types) {
        context.out.warn(&format!("event type {name} is not declared; check its spelling"));
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
