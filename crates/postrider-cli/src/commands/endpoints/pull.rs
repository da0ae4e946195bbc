//! `postrider endpoints add --pull`: an endpoint whose events are read over the API, from now on.

use postrider_store::admin::endpoints::{self, NewPull};
use postrider_store::horizon::Horizon;
use postrider_store::positions::{self, Position};
use serde_json::json;

use super::{add, fields};
use crate::commands::Ended;
use crate::context::{Context, Database};
use crate::exit::Exit;
use crate::output::{pairs, time};

pub(super) async fn add(context: &Context, database: &Database, args: &add::Args) -> Ended {
    let every_type = vec!["*".to_owned()];
    let types = args.fields.types.as_ref().unwrap_or(&every_type);
    let filter = args.fields.filter()?.flatten();
    fields::check_subscription(types, filter.as_ref())?;
    let metadata = args.fields.metadata()?.unwrap_or_else(|| json!({}));
    let new = NewPull {
        id: endpoints::new_id(),
        tenant: &args.tenant,
        description: args.fields.description()?.unwrap_or_default(),
        event_types: types,
        filter: filter.as_ref(),
        enabled: !args.disabled,
        metadata: &metadata,
    };
    let sight = Horizon::new(database.db.clone()).decided().await?;
    let created_at = endpoints::create_pull(&database.db, &new).await?;
    let begin = Position { seq: sight.decided, removed_to: sight.removed_to };
    positions::acknowledge(&database.db, new.id, new.tenant, begin).await?;
    for doubt in fields::doubts(types) {
        context.out.warn(&doubt);
    }
    let document = json!({
        "id": new.id, "tenant": args.tenant, "kind": endpoints::PULL, "url": null, "event_types": types, "enabled": new.enabled,
        "created_at": created_at,
    });
    context.out.data(&document, || {
        pairs([
            ("id", new.id.to_string()),
            ("tenant", args.tenant.clone()),
            ("types", types.join(", ")),
            ("created", time(created_at)),
        ])
    });
    context.out.note(&format!("Read it:  GET /api/v1/endpoints/{}/events?wait=30", new.id));
    Ok(Exit::Done)
}
