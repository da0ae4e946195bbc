//! `postrider api-keys`: who may ask the API. A key is shown once, when it is made; its hash is stored.

use std::time::Duration;

use postrider_core::api_key::{ApiKey, Scope};
use postrider_core::ids::ApiKeyId;
use postrider_core::input::InputError;
use postrider_store::admin::api_keys::{self, ApiKeyInfo, NewApiKey};
use postrider_store::admin::status;
use serde_json::{Value, json};

use super::Ended;
use super::endpoints::check_tenant;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{ago, pairs, table, time};

const MAX_NAME: usize = 100;

/// What to do with the keys of the API.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key, and show it this once
    Create(Create),
    /// List keys, without what they are
    List(List),
    /// End a key at once
    Revoke(Revoke),
}

/// Options of `api-keys create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// What it is for, or who has it
    #[arg(value_name = "NAME")]
    name: String,
    /// For one tenant
    #[arg(
        long,
        value_name = "TENANT",
        required_unless_present = "admin",
        conflicts_with = "admin"
    )]
    tenant: Option<String>,
    /// For everything of everybody
    #[arg(long)]
    admin: bool,
    /// What it allows: read, write, publish; default: all of them
    #[arg(long = "scope", value_name = "SCOPES", value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// When it ends by itself; default: never
    #[arg(long, value_name = "SPAN", value_parser = input::span)]
    expires_in: Option<Duration>,
}

/// Options of `api-keys list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only this tenant's
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Only those after this one: the last of the page before
    #[arg(long, value_name = "KEY")]
    after: Option<ApiKeyId>,
}

/// Options of `api-keys revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The key's id: key_…
    #[arg(value_name = "KEY")]
    id: ApiKeyId,
}

pub(crate) async fn run(context: &Context, database: &Database, command: Command) -> Ended {
    match command {
        Command::Create(args) => create(context, database, args).await,
        Command::List(args) => list(context, database, &args).await,
        Command::Revoke(args) => revoke(context, database, args.id).await,
    }
}

async fn create(context: &Context, database: &Database, args: Create) -> Ended {
    args.tenant.as_deref().map_or(Ok(()), check_tenant)?;
    if !(1..=MAX_NAME).contains(&args.name.chars().count()) {
        let detail = format!("must be 1 to {MAX_NAME} characters");
        return Err(InputError::new("name", "name.length", detail).into());
    }
    let scopes = if args.scopes.is_empty() { Scope::ALL.to_vec() } else { args.scopes };
    let scopes = Scope::checked_list(scopes)?;
    let key = ApiKey::generate(&rand::random());
    let new = NewApiKey {
        tenant: args.tenant.as_deref(),
        name: &args.name,
        scopes: &scopes,
        expires_in: args.expires_in,
    };
    let (id, created_at, expires_at) = api_keys::create(&database.db, &key, &new).await?;
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let document = json!({
        "id": id, "tenant": args.tenant, "name": args.name, "scopes": words, "key": key.expose(), "created_at": created_at,
        "expires_at": expires_at,
    });
    context.out.data(&document, || {
        pairs([
            ("id", id.to_string()),
            ("tenant", args.tenant.clone().unwrap_or_else(|| "all: an admin key".to_owned())),
            ("scopes", words.join(", ")),
            ("ends", expires_at.map_or_else(|| "never".to_owned(), time)),
            ("key", key.expose().to_owned()),
        ])
    });
    context.out.note("\nThe key is shown this once; its hash is stored.");
    Ok(Exit::Done)
}

async fn list(context: &Context, database: &Database, args: &List) -> Ended {
    let now = status::clock(&database.db).await?;
    let keys = api_keys::list(&database.db, args.tenant.as_deref(), args.after, args.limit).await?;
    let full = i64::try_from(keys.len()).is_ok_and(|rows| rows == args.limit);
    let next = keys.last().filter(|_| full).map(|key| key.id);
    let data: Vec<Value> = keys.iter().map(document).collect();
    context.out.data(
        &json!({ "data": data, "has_more": next.is_some(), "next_cursor": next }),
        || {
            let rows = keys.iter().map(|key| {
                [
                    key.id.to_string(),
                    key.tenant.clone().unwrap_or_else(|| "(admin)".to_owned()),
                    key.name.clone(),
                    format!("…{}", key.hint),
                    key.scopes.join(","),
                    key.last_used_at.map_or_else(|| "never".to_owned(), |at| ago(at, now)),
                    state(key).to_owned(),
                ]
            });
            table(["KEY", "TENANT", "NAME", "HINT", "SCOPES", "LAST USED", "STATE"], rows)
        },
    );
    if let Some(next) = next {
        context.out.note(&format!("more with --after {next}"));
    }
    Ok(Exit::Done)
}

async fn revoke(context: &Context, database: &Database, id: ApiKeyId) -> Ended {
    if !api_keys::revoke(&database.db, id, None).await? {
        return Err(Failure::new(Exit::Missing, format!("there is no live key {id}")));
    }
    context
        .out
        .data(&json!({ "id": id, "revoked": true }), || format!("{id} lets nobody in any more"));
    Ok(Exit::Done)
}

fn state(key: &ApiKeyInfo) -> &'static str {
    match (key.live, key.revoked_at) {
        (true, _) => "live",
        (false, Some(_)) => "revoked",
        (false, None) => "expired",
    }
}

/// A key as JSON; never the key itself.
fn document(key: &ApiKeyInfo) -> Value {
    json!({
        "id": key.id, "tenant": key.tenant, "name": key.name, "hint": key.hint, "scopes": key.scopes, "created_at": key.created_at,
        "expires_at": key.expires_at, "last_used_at": key.last_used_at, "revoked_at": key.revoked_at, "state": state(key),
    })
}
