//! What there is to do so that tenants and endpoints are what the file says. Reads; changes nothing.

use std::collections::BTreeSet;

use postrider_api::{Egress, Given, read_endpoint};
use postrider_core::endpoint;
use postrider_core::ids::EndpointId;
use postrider_core::input::InputError;
use postrider_core::seal::KeyRing;
use postrider_core::signing::{Profile, SecretKind};
use postrider_event::DEFAULT_TENANT;
use postrider_store::Db;
use postrider_store::admin::endpoints::{self, Change, Endpoint, EndpointChange};
use postrider_store::admin::tenants::{self, TenantChange};
use serde_json::{Map, Value, json};

use super::differences::differences;
use super::manifest::{Manifest, TenantWanted};
use crate::commands::endpoints::check_tenant;
use crate::exit::{Exit, Failure};

/// Endpoints of one tenant that are read at a time.
const PAGE: i64 = 100;

/// All there is to do, in this order.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// How many things are what they should be.
    pub(super) unchanged: usize,
}

/// One thing to do.
pub(super) enum Step {
    Tenant {
        tenant: String,
        change: TenantChange,
        fields: Vec<&'static str>,
    },
    Create {
        tenant: String,
        name: String,
        given: Box<Given>,
    },
    Change {
        of: Box<Named>,
        change: Box<EndpointChange>,
        enabled: Option<bool>,
        fields: Vec<&'static str>,
    },
    Delete {
        of: Box<Named>,
    },
}

/// An endpoint that has a name.
pub(super) struct Named {
    pub(super) tenant: String,
    pub(super) name: String,
    pub(super) id: EndpointId,
}

/// How many of which kind.
pub(super) struct Changes {
    pub(super) created: usize,
    pub(super) changed: usize,
    pub(super) deleted: usize,
}

/// What there is to do. Nothing of the file is left out: the first mistake in it ends this.
pub(super) async fn plan(
    db: &Db,
    keys: &KeyRing,
    egress: &Egress,
    manifest: Manifest,
    prune: bool,
) -> Result<Plan, Failure> {
    let mut plan = Plan { steps: Vec::new(), unchanged: 0 };
    for (tenant, wanted) in &manifest.tenants {
        plan.tenant(db, tenant, wanted).await?;
    }
    let mut owners: BTreeSet<String> = manifest.tenants.keys().cloned().collect();
    let mut wanted = Vec::new();
    for (name, mut body) in manifest.endpoints {
        let tenant = match body.remove("tenant_id") {
            None => DEFAULT_TENANT.to_owned(),
            Some(Value::String(tenant)) => tenant,
            Some(_) => return Err(InputError::new("tenant_id", "type", "must be text").into()),
        };
        check_tenant(&tenant)?;
        owners.insert(tenant.clone());
        wanted.push((tenant, name, body));
    }
    let mut known = Vec::new();
    for owner in &owners {
        known.extend(named(db, owner).await?);
    }
    for (tenant, name, body) in wanted {
        let place = known.iter().position(|(of, _)| of.tenant == tenant && of.name == name);
        let was = place.map(|place| known.swap_remove(place));
        if known.iter().any(|(of, _)| of.tenant == tenant && of.name == name) {
            return Err(Failure::new(
                Exit::Failed,
                format!("several endpoints of tenant {tenant} have the name {name}"),
            )
            .remedy("give each another metadata.name"));
        }
        let failed = |failure: Failure| failure.doing(format!("endpoint {name} cannot be applied"));
        plan.endpoint(db, keys, egress, &tenant, &name, body, was).await.map_err(failed)?;
    }
    if prune {
        plan.steps.extend(known.into_iter().map(|(of, _)| Step::Delete { of: Box::new(of) }));
    }
    Ok(plan)
}

/// The endpoints of a tenant that have a name.
async fn named(db: &Db, tenant: &str) -> Result<Vec<(Named, Endpoint)>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = endpoints::list(db, Some(tenant), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        // Those that are read are made otherwise, and are none of this file's.
        let sent_to = page.into_iter().filter(|endpoint| !endpoint.is_pull());
        found.extend(sent_to.filter_map(|endpoint| {
            let name = endpoint.metadata.get("name")?.as_str()?.to_owned();
            let of = Named { tenant: tenant.to_owned(), name, id: endpoint.id };
            Some((of, endpoint))
        }));
    }
}

impl Plan {
    pub(super) fn changes(&self) -> Changes {
        let count = |action: &str| self.steps.iter().filter(|step| step.action() == action).count();
        Changes { created: count("create"), changed: count("change"), deleted: count("delete") }
    }

    async fn tenant(
        &mut self,
        db: &Db,
        tenant: &str,
        wanted: &TenantWanted,
    ) -> Result<(), Failure> {
        let was = tenants::show(db, tenant).await?;
        let mut fields = Vec::new();
        let mut limit = |field: &'static str, wanted: &Option<Value>, was: Option<i32>, most| {
            let change = limit(field, wanted.as_ref(), most)?;
            let same = match &change {
                Change::Keep => true,
                Change::Clear => was.is_none(),
                Change::Set(number) => was == Some(*number),
            };
            if same {
                return Ok(Change::Keep);
            }
            fields.push(field);
            Ok::<_, Failure>(change)
        };
        let max_in_flight =
            limit("max_in_flight", &wanted.max_in_flight, was.max_in_flight, 100_000)?;
        let rate_limit = limit("rate_limit", &wanted.rate_limit, was.rate_limit, 1_000_000)?;
        let capture = wanted.workflows_config.capture_messaging_engagement_events;
        let capture = capture.filter(|capture| *capture != was.capture_engagement_events);
        fields.extend(capture.map(|_| "workflows_config"));
        let change = TenantChange { max_in_flight, rate_limit, capture_engagement_events: capture };
        if fields.is_empty() {
            self.unchanged += 1;
        } else {
            self.steps.push(Step::Tenant { tenant: tenant.to_owned(), change, fields });
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what is known and what is wanted")]
    async fn endpoint(
        &mut self,
        db: &Db,
        keys: &KeyRing,
        egress: &Egress,
        tenant: &str,
        name: &str,
        mut body: Map<String, Value>,
        was: Option<(Named, Endpoint)>,
    ) -> Result<(), Failure> {
        if let Some(field) =
            ["kind", "backfill"].into_iter().find(|field| body.contains_key(*field))
        {
            let what = format!("endpoint {name}: {field} cannot be said in a file");
            return Err(Failure::new(Exit::Usage, what)
                .remedy("postrider endpoints add has --pull and --backfill-since"));
        }
        // What the file leaves out of an endpoint stays; its name it has already.
        if was.is_none() {
            body.entry("metadata").or_insert_with(|| json!({}));
        }
        if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
            metadata.insert("name".to_owned(), name.into());
        }
        let Some((of, was)) = was else {
            let given = read(db, egress, tenant, None, body).await?;
            check_new(&given)?;
            let given = Box::new(given);
            self.steps.push(Step::Create {
                tenant: tenant.to_owned(),
                name: name.to_owned(),
                given,
            });
            return Ok(());
        };
        // It has its secrets; others are given by rotating them.
        body.remove("secret");
        let Given { mut change, enabled, .. } = read(db, egress, tenant, Some(&was), body).await?;
        let mut fields = differences(&mut change, &was, keys);
        // Nobody may come in between: the plan is what is asked about.
        change.unchanged_since = Some(was.updated_at);
        check_change(db, keys, &was, &change).await?;
        let enabled = enabled.filter(|enabled| *enabled != was.enabled);
        fields.extend(enabled.map(|_| "enabled"));
        if fields.is_empty() {
            self.unchanged += 1;
        } else {
            let (of, change) = (Box::new(of), Box::new(change));
            self.steps.push(Step::Change { of, change, enabled, fields });
        }
        Ok(())
    }
}

async fn read(
    db: &Db,
    egress: &Egress,
    tenant: &str,
    was: Option<&Endpoint>,
    body: Map<String, Value>,
) -> Result<Given, Failure> {
    let read = read_endpoint(db, egress, tenant, was, &Value::Object(body)).await;
    read.map_err(|refused| Failure::new(Exit::Usage, refused.0))
}

fn check_new(given: &Given) -> Result<(), Failure> {
    if given.change.url.is_none() {
        return Err(InputError::new("url", "required", "is required").into());
    }
    let kind = given.secret.as_ref().map_or(SecretKind::Standard, |(secret, _)| secret.kind());
    let profiles = given.change.settings.signing.as_deref().unwrap_or_default();
    endpoint::check_signed(&[kind], profiles)?;
    if let Change::Set(headers) = &given.change.headers {
        Profile::check_apart(profiles, headers)?;
    }
    Ok(())
}

async fn check_change(
    db: &Db,
    keys: &KeyRing,
    was: &Endpoint,
    change: &EndpointChange,
) -> Result<(), Failure> {
    if let Some(profiles) = &change.settings.signing {
        let secrets = endpoints::secrets(db, was.id).await?;
        endpoint::check_signed(&endpoints::lasting_kinds(&secrets), profiles)?;
    }
    let stored = Profile::list_from_json(&was.signing)?;
    let profiles = change.settings.signing.as_ref().unwrap_or(&stored);
    match &change.headers {
        Change::Clear => {}
        Change::Set(headers) => Profile::check_apart(profiles, headers)?,
        Change::Keep => {
            if let Ok(headers) = was.headers(keys) {
                Profile::check_apart(profiles, &headers)?;
            }
        }
    }
    Ok(())
}

/// A limit from 1 to `most`; `"none"` or null: none.
fn limit(field: &'static str, wanted: Option<&Value>, most: i32) -> Result<Change<i32>, Failure> {
    let code = if field == "rate_limit" { "rate_limit.range" } else { "max_in_flight.range" };
    match wanted {
        None => Ok(Change::Keep),
        Some(Value::Null) => Ok(Change::Clear),
        Some(Value::String(word)) if word == "none" => Ok(Change::Clear),
        Some(number) => match number.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(number) if (1..=most).contains(&number) => Ok(Change::Set(number)),
            _ => Err(InputError::new(field, code, format!("must be 1 to {most}, or none")).into()),
        },
    }
}

impl Step {
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Tenant { .. } | Self::Change { .. } => "change",
            Self::Delete { .. } => "delete",
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Tenant { .. } => "tenant",
            _ => "endpoint",
        }
    }

    pub(super) fn tenant(&self) -> &str {
        match self {
            Self::Tenant { tenant, .. } | Self::Create { tenant, .. } => tenant,
            Self::Change { of, .. } | Self::Delete { of } => &of.tenant,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Tenant { .. } => None,
            Self::Create { name, .. } => Some(name),
            Self::Change { of, .. } | Self::Delete { of } => Some(&of.name),
        }
    }

    pub(super) fn id(&self) -> Option<EndpointId> {
        match self {
            Self::Tenant { .. } | Self::Create { .. } => None,
            Self::Change { of, .. } | Self::Delete { of } => Some(of.id),
        }
    }

    /// What changes, by the names of the fields; of one that is created, where to.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            Self::Tenant { fields, .. } | Self::Change { fields, .. } => fields.clone(),
            Self::Create { given, .. } => given.change.url.as_deref().into_iter().collect(),
            Self::Delete { .. } => Vec::new(),
        }
    }
}
