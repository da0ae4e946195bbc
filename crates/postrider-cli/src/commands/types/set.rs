//! `postrider types set`: what is named changes, the rest stays.

use postrider_core::event_type::{Change, Declaration, Named, Refused};
use postrider_store::admin::event_types;
use serde_json::value::RawValue;

use super::{document, named};
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::{Exit, Failure};
use crate::input;

/// Options of `types set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// The event type, such as user.signed_up
    #[arg(value_name = "TYPE")]
    name: String,
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A payload: JSON, @FILE or - for standard input
    #[arg(long, value_name = "JSON")]
    example: Option<String>,
    /// No example any more
    #[arg(long, conflicts_with = "example")]
    no_example: bool,
    /// JSON Schema of the payload: JSON, @FILE or - for standard input
    #[arg(long, value_name = "JSON")]
    schema: Option<String>,
    /// No schema any more, and nothing to check
    #[arg(long, conflicts_with_all = ["schema", "check"])]
    no_schema: bool,
    /// What becomes of payloads that do not fit
    #[arg(long, value_name = "off|report|enforce", value_parser = ["off", "report", "enforce"])]
    check: Option<String>,
}

pub(super) async fn set(context: &Context, database: &Database, args: &Set) -> Ended {
    let now = event_types::find(&database.db, &args.name).await?;
    let wanted = Declaration::judge(&merged(now.map(named), args)?).map_err(refused)?;
    let changes = event_types::put(&database.db, std::slice::from_ref(&wanted)).await?;
    let info = super::find(database, wanted.name()).await?;
    let change = changes.first().copied().unwrap_or(Change::Unchanged);
    let mut answer = document(&info);
    answer["change"] = change.as_str().into();
    context.out.data(&answer, || format!("{} is {}", info.name, change.as_str()));
    Ok(Exit::Done)
}

/// What is there, with what is to be changed.
fn merged(now: Option<Named>, args: &Set) -> Result<Named, Failure> {
    let mut wanted = now.unwrap_or(Named {
        name: args.name.clone(),
        description: None,
        example: None,
        schema: None,
        schema_check: None,
    });
    if let Some(text) = &args.description {
        wanted.description = Some(text.clone());
    }
    match (&args.example, args.no_example) {
        (Some(text), _) => wanted.example = Some(json("example", text)?),
        (None, true) => wanted.example = None,
        (None, false) => {}
    }
    match (&args.schema, args.no_schema) {
        (Some(text), _) => wanted.schema = Some(json("schema", text)?),
        (None, true) => (wanted.schema, wanted.schema_check) = (None, None),
        (None, false) => {}
    }
    if let Some(check) = &args.check {
        wanted.schema_check = Some(check.clone());
    }
    Ok(wanted)
}

fn json(field: &str, value: &str) -> Result<Box<RawValue>, Failure> {
    let text = input::text(field, "json.size", value)?;
    RawValue::from_string(text.trim().to_owned())
        .map_err(|error| Failure::new(Exit::Usage, format!("{field}: is not JSON: {error} (json)")))
}

/// All that is wrong, a line each.
pub(super) fn refused(errors: Vec<Refused>) -> Failure {
    let mut lines = errors.iter().take(20).map(ToString::to_string);
    let failure = Failure::new(Exit::Usage, lines.next().unwrap_or_default());
    let rest: Vec<String> = lines.collect();
    if rest.is_empty() { failure } else { failure.why(rest.join("\n")) }
}
