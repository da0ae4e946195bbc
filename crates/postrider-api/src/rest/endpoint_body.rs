//! An endpoint as it is sent to us: JSON in, checked fields out. The rules of each field are `postrider_core::endpoint`'s.

use std::time::Duration;

use postrider_core::address::TenantRules;
use postrider_core::auth::Auth;
use postrider_core::endpoint;
use postrider_core::filter::FilterError;
use postrider_core::format::Format;
use postrider_core::headers::CustomHeaders;
use postrider_core::input::InputError;
use postrider_core::ordering::{OnFailure, Ordering};
use postrider_core::retry::Schedule;
use postrider_core::signing::{Profile, SigningSecret};
use postrider_core::url::{EndpointUrl, UrlPolicy};
use postrider_store::Db;
use postrider_store::admin::egress;
use postrider_store::admin::endpoints::{Change, Endpoint, EndpointChange, Order, RequestSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Egress;
use super::body::parse;
use super::endpoint_parts::{BackfillBody, BatchBody, SecretBody, TlsBody};
use super::given::{Given, given, given_object, object};
use super::problem::Problem;
use super::shapes::{
    AnyObject, AnyValue, EndpointKindWord, EventTypePattern, FormatWord, OrderingWord, TenantText,
};

/// What an endpoint is to be, or to become.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EndpointBody {
    /// An admin's to say; a tenant's key adds for its tenant.
    #[schemars(with = "Option<TenantText>")]
    pub(super) tenant_id: Option<String>,
    /// webhook, if nothing is said; pull: its events are read, and it has no url.
    #[schemars(with = "Option<EndpointKindWord>")]
    pub(super) kind: Option<String>,
    /// What it would have wanted before it was there is sent to it too, in the background.
    #[schemars(with = "Option<BackfillBody>")]
    #[serde(deserialize_with = "object")]
    pub(super) backfill: Option<BackfillBody>,
    /// https, without user and password.
    #[schemars(length(min = 1, max = 2048))]
    pub(super) url: Option<String>,
    #[schemars(length(max = 200))]
    pub(super) description: Option<String>,
    /// Exact types, email.* or *; all if nothing is said.
    #[schemars(with = "Option<Vec<EventTypePattern>>", length(min = 1, max = 200))]
    pub(super) event_types: Option<Vec<String>>,
    /// A pattern over type, attributes, labels and data.
    #[schemars(with = "Option<AnyObject>")]
    #[serde(deserialize_with = "given")]
    pub(super) filter: Given<Value>,
    /// Of each request, beside those of ours; never shown again.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    #[serde(deserialize_with = "given")]
    headers: Given<Map<String, Value>>,
    /// Before attempt 2, 3, …; null: the standard schedule.
    #[schemars(with = "Option<Vec<u64>>", length(min = 1, max = 30))]
    #[serde(deserialize_with = "given")]
    retry_schedule_ms: Given<Vec<u64>>,
    #[schemars(with = "Option<u64>", range(min = 100, max = 30_000))]
    #[serde(deserialize_with = "given")]
    timeout_ms: Given<u64>,
    #[schemars(with = "Option<i64>", range(min = 1, max = 1_000))]
    #[serde(deserialize_with = "given")]
    max_in_flight: Given<i64>,
    /// Requests a second.
    #[schemars(with = "Option<i64>", range(min = 1))]
    #[serde(deserialize_with = "given")]
    rate_limit: Given<i64>,
    pub(super) capture_responses: Option<bool>,
    pub(super) enabled: Option<bool>,
    /// What you like, up to 4 KiB.
    #[schemars(with = "Option<AnyObject>")]
    pub(super) metadata: Option<Value>,
    #[schemars(with = "Option<FormatWord>")]
    format: Option<String>,
    /// Profiles as "github", "stripe=X-Signature", or as they are shown.
    #[schemars(with = "Option<Vec<AnyValue>>")]
    signing: Option<Vec<Value>>,
    /// basic, bearer or oauth2; never shown again.
    #[schemars(with = "Option<AnyObject>")]
    #[serde(deserialize_with = "given")]
    auth: Given<Value>,
    /// A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again.
    #[schemars(with = "Option<TlsBody>")]
    #[serde(deserialize_with = "given_object")]
    tls: Given<TlsBody>,
    #[schemars(with = "Option<OrderingWord>")]
    ordering: Option<String>,
    /// block, or skip:N after so many attempts.
    #[schemars(regex(pattern = "^(block|skip:[1-9][0-9]{0,2})$"))]
    on_failure: Option<String>,
    #[schemars(with = "Option<BatchBody>")]
    #[serde(deserialize_with = "given_object")]
    batch: Given<BatchBody>,
    #[schemars(with = "Option<SecretBody>")]
    #[serde(deserialize_with = "object")]
    pub(super) secret: Option<SecretBody>,
}

/// What a document says about an endpoint.
#[derive(Debug)]
pub struct Read {
    /// What is to change, or to be set on a new one.
    pub change: EndpointChange,
    /// Its secret, and whether the document brought it.
    pub secret: Option<(SigningSecret, bool)>,
    pub enabled: Option<bool>,
}

/// Why a document is not taken: the fields to blame, each with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// Reads an endpoint as `POST` and `PATCH` of `/endpoints` take it, for a tenant and beside what there is of it: what the API would
/// accept and nothing else.
///
/// # Errors
/// When a field cannot be accepted, or the database cannot be asked for the tenant's rules.
pub async fn read_endpoint(
    db: &Db,
    egress: &Egress,
    tenant: &str,
    was: Option<&Endpoint>,
    document: &Value,
) -> Result<Read, Refused> {
    let read = async {
        let body: EndpointBody = parse(document.to_string().as_bytes())?;
        let change = body.change(db, egress, tenant, was).await?;
        let secret = body.secret.as_ref().map(SecretBody::secret).transpose()?;
        Ok::<_, Problem>(Read { change, secret, enabled: body.enabled })
    };
    read.await.map_err(|problem| Refused(problem.detail().to_owned()))
}

/// The schema of a body that adds an endpoint.
pub(super) struct NewEndpointBody;

/// The schema of a body that changes one.
pub(super) struct EndpointChanges;

impl JsonSchema for NewEndpointBody {
    fn schema_name() -> Cow<'static, str> {
        "NewEndpoint".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = EndpointBody::json_schema(generator);
        let pull = json!({ "required": ["kind"], "properties": { "kind": { "const": "pull" } } });
        schema.insert("anyOf".to_owned(), json!([{ "required": ["url"] }, pull]));
        if let Some(url) = schema.pointer_mut("/properties/url") {
            url["type"] = "string".into();
        }
        schema
    }
}

impl JsonSchema for EndpointChanges {
    fn schema_name() -> Cow<'static, str> {
        "EndpointChanges".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = EndpointBody::json_schema(generator);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            for name in CREATED_WITH {
                properties.remove(name);
            }
        }
        schema
    }
}

/// What is given when an endpoint is added and changed by other ways.
const CREATED_WITH: [&str; 5] = ["tenant_id", "kind", "backfill", "secret", "enabled"];

impl EndpointBody {
    /// What it changes about an endpoint, or sets on a new one, whose tenant and present state are given. What is not named is neither
    /// changed nor checked.
    pub(super) async fn change(
        &self,
        db: &Db,
        egress: &Egress,
        tenant: &str,
        was: Option<&Endpoint>,
    ) -> Result<EndpointChange, Problem> {
        let rules = match (&self.url, &self.auth) {
            (None, None | Some(None)) => None,
            _ => Some(for_tenant(db, egress, tenant).await?),
        };
        let judged = |text: &str| {
            let rules = rules.as_ref().unwrap_or(egress);
            let policy = UrlPolicy { allow_http: rules.allow_http, addresses: &rules.addresses };
            EndpointUrl::parse(text, policy)
        };
        let url = self.url.as_deref().map(judged).transpose()?;
        if self.event_types.is_some() || self.filter.is_some() || was.is_none() {
            let all = vec!["*".to_owned()];
            let types = self.event_types.as_ref().or(was.map(|was| &was.event_types));
            let filter = match (&self.filter, was) {
                (Some(filter), _) => filter.as_ref(),
                (None, was) => was.and_then(|was| was.filter.as_ref()),
            };
            endpoint::check_subscription(types.unwrap_or(&all), filter)?;
        }
        self.description.as_deref().map_or(Ok(()), endpoint::check_description)?;
        self.metadata.as_ref().map_or(Ok(()), endpoint::check_metadata)?;
        let headers = change(&self.headers, |object| Ok(CustomHeaders::parse_json(object)?))?;
        let auth = change(&self.auth, |auth| {
            let auth = Auth::parse_json(&auth.to_string())?;
            if let Auth::OAuth2(oauth) = &auth {
                judged(&oauth.token_url).map_err(|refused| InputError {
                    field: "auth.token_url".to_owned(),
                    ..refused
                })?;
            }
            Ok(auth)
        })?;
        let settings = RequestSettings {
            format: self.format()?,
            signing: self.profiles()?,
            auth,
            tls: change(&self.tls, TlsBody::identity)?,
        };
        let order = self.order(was)?;
        let batch = change(&self.batch, |batch| {
            batch.policy(was.and_then(|was| was.batch).unwrap_or_default())
        })?;
        let batched = match &batch {
            Change::Keep => was.is_some_and(|was| was.batch.is_some()),
            Change::Clear => false,
            Change::Set(_) => true,
        };
        let ordering = order.map_or(was.map(|was| was.ordering), |order| Some(order.ordering));
        endpoint::check_batch_or_order(batched, ordering.unwrap_or_default())?;
        Ok(EndpointChange {
            url: url.map(|url| url.as_str().to_owned()),
            description: self.description.clone(),
            event_types: self.event_types.clone(),
            filter: change(&self.filter, |filter| Ok(filter.clone()))?,
            headers,
            retry_schedule_ms: change(&self.retry_schedule_ms, |waits| {
                let waits = waits.iter().map(|ms| Duration::from_millis(*ms)).collect();
                Ok(endpoint::schedule_ms(&Schedule::new(waits)?)?)
            })?,
            timeout_ms: change(&self.timeout_ms, |ms| {
                Ok(endpoint::timeout_ms(Some(Duration::from_millis(*ms)))?)
            })?,
            max_in_flight: change(&self.max_in_flight, |n| Ok(endpoint::max_in_flight(Some(*n))?))?,
            rate_limit: change(&self.rate_limit, |n| Ok(endpoint::rate_limit(Some(*n))?))?,
            capture_responses: self.capture_responses,
            metadata: self.metadata.clone(),
            settings,
            order,
            batch,
            unchanged_since: None,
        })
    }

    fn format(&self) -> Result<Option<Format>, Problem> {
        let Some(text) = &self.format else { return Ok(None) };
        let format = text
            .parse::<Format>()
            .map_err(|error| InputError::new("format", "format.unknown", error.to_string()))?;
        Ok(Some(format))
    }

    /// `["github"]`, `["stripe=X-Signature"]`, or as it is shown: `[{"profile", "header"}]`.
    fn profiles(&self) -> Result<Option<Vec<Profile>>, Problem> {
        let Some(list) = &self.signing else { return Ok(None) };
        let profile = |entry: &Value| match (entry, &entry["profile"], &entry["header"]) {
            (Value::String(text), ..) => Profile::parse(text),
            (_, Value::String(name), Value::String(header)) => {
                Profile::parse(&format!("{name}={header}"))
            }
            (_, Value::String(name), Value::Null) => Profile::parse(name),
            _ => Err(InputError::new("signing", "signing.profile", "must be a profile's name")),
        };
        let profiles = list.iter().map(profile).collect::<Result<_, _>>()?;
        Ok(Some(Profile::checked_list(profiles)?))
    }

    fn order(&self, was: Option<&Endpoint>) -> Result<Option<Order>, Problem> {
        let ordering = self.ordering.as_deref().map(Ordering::parse).transpose()?;
        let on_failure = self.on_failure.as_deref().map(OnFailure::parse).transpose()?;
        let before =
            was.map_or((Ordering::None, OnFailure::Block), |was| (was.ordering, was.on_failure));
        let order = endpoint::order(ordering, on_failure, before)?;
        Ok(order.map(|(ordering, on_failure)| Order { ordering, on_failure }))
    }
}

/// The installation's rules with those of the tenant.
async fn for_tenant(db: &Db, installation: &Egress, tenant: &str) -> Result<Egress, Problem> {
    let mut rules = installation.clone();
    if let Some(stored) = egress::list(db, Some(tenant)).await?.into_iter().next() {
        let own = TenantRules::parse(&stored.allow_cidrs, &stored.deny_cidrs, &stored.ports)?;
        rules.addresses = rules.addresses.for_tenant(own);
    }
    Ok(rules)
}

fn change<T, U>(
    given: &Given<T>,
    read: impl FnOnce(&T) -> Result<U, Problem>,
) -> Result<Change<U>, Problem> {
    Ok(match given {
        None => Change::Keep,
        Some(None) => Change::Clear,
        Some(Some(value)) => Change::Set(read(value)?),
    })
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        Self::field(error.pointer, error.code, &error.detail)
    }
}
