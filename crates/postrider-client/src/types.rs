//! What the API takes and gives.
//! Written by `crates/postrider-client/generate` from the OpenAPI document: do not edit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Secret;

/// A key; never the key itself.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ApiKey {
    /// `created_at`.
    pub created_at: String,
    /// `expires_at`.
    pub expires_at: Option<String>,
    /// Its last four characters.
    pub hint: String,
    /// `id`.
    pub id: String,
    /// To the minute.
    pub last_used_at: Option<String>,
    /// `live`.
    pub live: bool,
    /// `name`.
    pub name: String,
    /// `revoked_at`.
    pub revoked_at: Option<String>,
    /// `scopes`.
    pub scopes: Vec<String>,
    /// Null: an admin's.
    pub tenant_id: Option<String>,
}

/// A key that was made just now.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ApiKeyCreated {
    /// `created_at`.
    pub created_at: String,
    /// `expires_at`.
    pub expires_at: Option<String>,
    /// `id`.
    pub id: String,
    /// The key itself, shown this once.
    pub key: Secret<String>,
    /// `name`.
    pub name: String,
    /// `scopes`.
    pub scopes: Vec<String>,
    /// `tenant_id`.
    pub tenant_id: Option<String>,
}

/// A key that was ended.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ApiKeyRevoked {
    /// `id`.
    pub id: String,
    /// `revoked`.
    pub revoked: bool,
}

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// `attempt`.
    pub attempt: i64,
    /// `batch_id`.
    pub batch_id: Option<String>,
    /// `detail`.
    pub detail: Option<String>,
    /// `duration_ms`.
    pub duration_ms: i64,
    /// An error class.
    pub error: Option<String>,
    /// One of delivered, retry, exhausted, rejected.
    pub outcome: String,
    /// `peer`.
    pub peer: Option<String>,
    /// Its first 4 KiB, as far as they are text.
    pub response_body: Option<String>,
    /// `response_headers`.
    pub response_headers: Option<String>,
    /// `started_at`.
    pub started_at: String,
    /// `status`.
    pub status: Option<i64>,
}

/// A change.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// `action`.
    pub action: String,
    /// key:ID, cli:USER, worker or sql:ROLE.
    pub actor: String,
    /// `address`.
    pub address: Option<String>,
    /// `at`.
    pub at: String,
    /// Of each column what it was and what it has become; of a secret only that it changed.
    pub changes: Value,
    /// `id`.
    pub id: i64,
    /// `request_id`.
    pub request_id: Option<String>,
    /// `subject`.
    pub subject: String,
    /// Null: of the installation.
    pub tenant_id: Option<String>,
}

/// How events go together.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Batch {
    /// `encoding`.
    pub encoding: String,
    /// `max_bytes`.
    pub max_bytes: i64,
    /// `max_events`.
    pub max_events: i64,
    /// `max_wait_ms`.
    pub max_wait_ms: i64,
}

/// What a dry run counted.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Counted {
    /// False: counting took too long, and there are more.
    pub complete: bool,
    /// `dry_run`.
    pub dry_run: bool,
    /// `expected`.
    pub expected: i64,
}

/// One event owed to one endpoint.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Delivery {
    /// `attempts`.
    pub attempts: i64,
    /// `batch_id`.
    pub batch_id: Option<String>,
    /// `closed_at`.
    pub closed_at: Option<String>,
    /// `endpoint_id`.
    pub endpoint_id: String,
    /// `event_created_at`.
    pub event_created_at: String,
    /// Null once retention removed the event.
    pub event_id: Option<String>,
    /// `event_type`.
    pub event_type: Option<String>,
    /// `id`.
    pub id: String,
    /// A worker holds it now.
    pub in_flight: bool,
    /// `last_duration_ms`.
    pub last_duration_ms: Option<i64>,
    /// An error class.
    pub last_error: Option<String>,
    /// Of the last answer.
    pub last_status: Option<i64>,
    /// `next_attempt_at`.
    pub next_attempt_at: Option<String>,
    /// `reason`.
    pub reason: Option<String>,
    /// `replay`.
    pub replay: i64,
    /// One of pending, delivered, exhausted, rejected, skipped, expired, cancelled.
    pub status: String,
    /// `tenant_id`.
    pub tenant_id: String,
}

/// An endpoint.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// The kind of its login.
    pub auth: Option<String>,
    /// `batch`.
    pub batch: Option<Batch>,
    /// `capture_responses`.
    pub capture_responses: bool,
    /// `created_at`.
    pub created_at: String,
    /// `description`.
    pub description: String,
    /// `disabled_reason`.
    pub disabled_reason: Option<String>,
    /// `enabled`.
    pub enabled: bool,
    /// `event_types`.
    pub event_types: Vec<String>,
    /// `filter`.
    pub filter: Value,
    /// `format`.
    pub format: String,
    /// `has_headers`.
    pub has_headers: bool,
    /// `has_tls`.
    pub has_tls: bool,
    /// `id`.
    pub id: String,
    /// pull: its events are read at /endpoints/{endpoint_id}/events. One of webhook, pull.
    pub kind: String,
    /// `max_in_flight`.
    pub max_in_flight: Option<i64>,
    /// `metadata`.
    pub metadata: Value,
    /// `on_failure`.
    pub on_failure: String,
    /// `ordering`.
    pub ordering: String,
    /// Since when somebody has kept its deliveries waiting.
    pub paused_at: Option<String>,
    /// `paused_reason`.
    pub paused_reason: Option<String>,
    /// Requests a second.
    pub rate_limit: Option<i64>,
    /// Before attempt 2, 3, …; null: the standard schedule.
    pub retry_schedule_ms: Option<Vec<i64>>,
    /// Signing profiles.
    pub signing: Value,
    /// `tenant_id`.
    pub tenant_id: String,
    /// `timeout_ms`.
    pub timeout_ms: Option<i64>,
    /// `updated_at`.
    pub updated_at: String,
    /// Null of an endpoint that is read.
    pub url: Option<String>,
}

/// What an endpoint is to be, or to become.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EndpointChanges {
    /// basic, bearer or oauth2; never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Option<Secret<Value>>>,
    /// `batch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Option<NewBatch>>,
    /// `capture_responses`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_responses: Option<Option<bool>>,
    /// `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Option<String>>,
    /// Exact types, email.* or *; all if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Option<Vec<String>>>,
    /// A pattern over type, attributes, labels and data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Option<Value>>,
    /// One of postrider, standard, cloudevents, raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Option<String>>,
    /// Of each request, beside those of ours; never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Option<Secret<BTreeMap<String, String>>>>,
    /// `max_in_flight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<Option<i64>>,
    /// What you like, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Option<Value>>,
    /// block, or skip:N after so many attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Option<String>>,
    /// One of none, key, endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Option<String>>,
    /// Requests a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Option<i64>>,
    /// Before attempt 2, 3, …; null: the standard schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_schedule_ms: Option<Option<Vec<i64>>>,
    /// Profiles as "github", "stripe=X-Signature", or as they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<Option<Vec<Value>>>,
    /// `timeout_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Option<i64>>,
    /// A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Option<NewTls>>,
    /// https, without user and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Option<String>>,
}

/// An endpoint that was added just now.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EndpointCreated {
    /// The kind of its login.
    pub auth: Option<Secret<String>>,
    /// The job that sends it what it would have wanted before.
    #[serde(default)]
    pub backfill_job_id: Option<String>,
    /// `batch`.
    pub batch: Option<Batch>,
    /// `capture_responses`.
    pub capture_responses: bool,
    /// `created_at`.
    pub created_at: String,
    /// `description`.
    pub description: String,
    /// `disabled_reason`.
    pub disabled_reason: Option<String>,
    /// `enabled`.
    pub enabled: bool,
    /// `event_types`.
    pub event_types: Vec<String>,
    /// `filter`.
    pub filter: Value,
    /// `format`.
    pub format: String,
    /// `has_headers`.
    pub has_headers: bool,
    /// `has_tls`.
    pub has_tls: bool,
    /// `id`.
    pub id: String,
    /// pull: its events are read at /endpoints/{endpoint_id}/events. One of webhook, pull.
    pub kind: String,
    /// `max_in_flight`.
    pub max_in_flight: Option<i64>,
    /// `metadata`.
    pub metadata: Value,
    /// `on_failure`.
    pub on_failure: String,
    /// `ordering`.
    pub ordering: String,
    /// Since when somebody has kept its deliveries waiting.
    pub paused_at: Option<String>,
    /// `paused_reason`.
    pub paused_reason: Option<String>,
    /// Requests a second.
    pub rate_limit: Option<i64>,
    /// Before attempt 2, 3, …; null: the standard schedule.
    pub retry_schedule_ms: Option<Vec<i64>>,
    /// The signing secret, shown this once; null if the caller brought it, or nobody needs it.
    pub secret: Option<Secret<String>>,
    /// Signing profiles.
    pub signing: Value,
    /// `tenant_id`.
    pub tenant_id: String,
    /// `timeout_ms`.
    pub timeout_ms: Option<i64>,
    /// `updated_at`.
    pub updated_at: String,
    /// Null of an endpoint that is read.
    pub url: Option<String>,
}

/// An endpoint that is gone.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EndpointDeleted {
    /// Deliveries that were cancelled.
    pub cancelled: i64,
    /// `deleted`.
    pub deleted: bool,
    /// `id`.
    pub id: String,
}

/// What was counted.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EndpointStats {
    /// One of hour, day.
    pub bucket: String,
    /// `data`.
    pub data: Vec<StatsPeriod>,
    /// `since`.
    pub since: String,
    /// `until`.
    pub until: String,
}

/// A test that is on its way.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EndpointTested {
    /// `delivery_id`.
    pub delivery_id: String,
    /// `event_id`.
    pub event_id: String,
}

/// An event in a list.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// `attributes`.
    pub attributes: Value,
    /// `created_at`.
    pub created_at: String,
    /// The body of every request, as it was published; not in the list of the newest.
    #[serde(default)]
    pub envelope: Value,
    /// `expires_at`.
    pub expires_at: Option<String>,
    /// `id`.
    pub id: String,
    /// `labels`.
    pub labels: Vec<String>,
    /// `ordering_key`.
    pub ordering_key: Option<String>,
    /// One of pending, failed, fanned_out.
    pub state: String,
    /// `tenant_id`.
    pub tenant_id: String,
    /// `type`.
    pub r#type: String,
}

/// An event with all that was published.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventDetail {
    /// `attributes`.
    pub attributes: Value,
    /// `created_at`.
    pub created_at: String,
    /// How many deliveries it has, by their status; of more than a thousand the first thousand count.
    pub deliveries: BTreeMap<String, i64>,
    /// The body of every request, as it was published; not in the list of the newest.
    #[serde(default)]
    pub envelope: Value,
    /// `expires_at`.
    pub expires_at: Option<String>,
    /// `id`.
    pub id: String,
    /// `labels`.
    pub labels: Vec<String>,
    /// `ordering_key`.
    pub ordering_key: Option<String>,
    /// Why it is not fanned out yet, or never will be.
    pub problem: Option<String>,
    /// One of pending, failed, fanned_out.
    pub state: String,
    /// `tenant_id`.
    pub tenant_id: String,
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// `type`.
    pub r#type: String,
}

/// A type.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventType {
    /// `created_at`.
    pub created_at: String,
    /// False: nobody declared it, but an event of it was published.
    pub declared: bool,
    /// `description`.
    pub description: Option<String>,
    /// As it was given, or null.
    pub example: Value,
    /// `has_example`.
    pub has_example: bool,
    /// `has_schema`.
    pub has_schema: bool,
    /// `name`.
    pub name: String,
    /// As it was given, or null.
    pub schema: Value,
    /// One of off, report, enforce.
    pub schema_check: String,
    /// `updated_at`.
    pub updated_at: String,
    /// Another with every change of the schema or of its check.
    pub version: i64,
}

/// A type that was removed.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventTypeDeleted {
    /// `deleted`.
    pub deleted: bool,
    /// `name`.
    pub name: String,
}

/// Many types.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventTypeImport {
    /// `event_types`.
    pub event_types: Vec<EventTypeImportItem>,
}

/// One of many types.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventTypeImportItem {
    /// `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `example`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// `name`.
    pub name: String,
    /// `schema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// One of off, report, enforce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_check: Option<String>,
}

/// What an import does about one type.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventTypePlanned {
    /// One of added, changed, unchanged.
    pub change: String,
    /// `name`.
    pub name: String,
}

/// A type in a list.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventTypeSummary {
    /// `created_at`.
    pub created_at: String,
    /// False: nobody declared it, but an event of it was published.
    pub declared: bool,
    /// `description`.
    pub description: Option<String>,
    /// `has_example`.
    pub has_example: bool,
    /// `has_schema`.
    pub has_schema: bool,
    /// `name`.
    pub name: String,
    /// One of off, report, enforce.
    pub schema_check: String,
    /// `updated_at`.
    pub updated_at: String,
    /// Another with every change of the schema or of its check.
    pub version: i64,
}

/// What an import changed, or would.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct EventTypesImported {
    /// `added`.
    pub added: i64,
    /// `changed`.
    pub changed: i64,
    /// `data`.
    pub data: Vec<EventTypePlanned>,
    /// `dry_run`.
    pub dry_run: bool,
    /// `unchanged`.
    pub unchanged: i64,
}

/// Whether there is an event.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Existence {
    /// `at`.
    pub at: Option<String>,
    /// The newest.
    pub event_id: Option<String>,
    /// `exists`.
    pub exists: bool,
    /// `tenant_id`.
    pub tenant_id: Option<String>,
}

/// What an event is to each endpoint of its tenant.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// `data`.
    pub data: Vec<Verdict>,
    /// `event_id`.
    pub event_id: String,
    /// `tenant_id`.
    pub tenant_id: String,
}

/// A field that cannot be accepted.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct FieldError {
    /// `code`.
    pub code: String,
    /// `detail`.
    pub detail: String,
    /// A JSON pointer into the body, or ?name of a parameter.
    pub pointer: String,
}

/// A filter, and what it is tried on: exactly one of event, event_id and last.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FilterTest {
    /// An event that need not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<SampleEvent>,
    /// One that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// As an endpoint has them; all if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// As an endpoint has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// So many that the tenant published last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// An admin's to say; a tenant's key asks about its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// What came of trying a filter.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum FilterTested {
    /// OneTried
    OneTried(OneTried),
    /// LastTried
    LastTried(LastTried),
}

/// Bulk work in the background.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Job {
    /// `created_at`.
    pub created_at: String,
    /// `endpoint_id`.
    pub endpoint_id: String,
    /// `error`.
    pub error: Option<String>,
    /// What was counted before it was made.
    pub expected: Option<i64>,
    /// `finished_at`.
    pub finished_at: Option<String>,
    /// `id`.
    pub id: String,
    /// `kind`.
    pub kind: String,
    /// When the event was published up to which it has looked.
    pub looked_at: Option<String>,
    /// Deliveries made so far.
    pub made: i64,
    /// Deliveries a second.
    pub rate: i64,
    /// `reason`.
    pub reason: Option<String>,
    /// `since`.
    pub since: String,
    /// `started_at`.
    pub started_at: Option<String>,
    /// One of queued, running, done, stopped, failed.
    pub state: String,
    /// Somebody asked it to stop.
    pub stop: bool,
    /// `tenant_id`.
    pub tenant_id: String,
    /// `until`.
    pub until: String,
    /// `wanted`.
    pub wanted: Value,
}

/// What it would have matched among the last events.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct LastTried {
    /// Those it matches, the newest first.
    pub event_ids: Vec<String>,
    /// Of each clause that failed, by its JSON pointer into the endpoint, for how many events; one event may fail by several.
    pub failed_clauses: BTreeMap<String, i64>,
    /// `looked_at`.
    pub looked_at: i64,
    /// `matched`.
    pub matched: i64,
    /// `missed`.
    pub missed: i64,
    /// When the oldest that was looked at was published.
    pub oldest: Option<String>,
    /// Events that no filter can read.
    pub unreadable: i64,
}

/// A key to be made.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewApiKey {
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// `name`.
    pub name: String,
    /// All of them if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// None, or null: an admin key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// Events of which time are sent to a new endpoint besides those to come.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewBackfill {
    /// Deliveries a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<i64>,
    /// `since`.
    pub since: String,
}

/// NewBatch
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewBatch {
    /// `encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// `max_bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<i64>,
    /// `max_events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_events: Option<i64>,
    /// `max_wait_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wait_ms: Option<i64>,
}

/// What an endpoint is to be, or to become.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewEndpoint {
    /// basic, bearer or oauth2; never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Secret<Value>>,
    /// What it would have wanted before it was there is sent to it too, in the background.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<NewBackfill>,
    /// `batch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<NewBatch>,
    /// `capture_responses`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_responses: Option<bool>,
    /// `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `enabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Exact types, email.* or *; all if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// A pattern over type, attributes, labels and data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// One of postrider, standard, cloudevents, raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Of each request, beside those of ours; never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Secret<BTreeMap<String, String>>>,
    /// webhook, if nothing is said; pull: its events are read, and it has no url. One of webhook, pull.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `max_in_flight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<i64>,
    /// What you like, up to 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// block, or skip:N after so many attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
    /// One of none, key, endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering: Option<String>,
    /// Requests a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<i64>,
    /// Before attempt 2, 3, …; null: the standard schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_schedule_ms: Option<Vec<i64>>,
    /// `secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<NewSecret>,
    /// Profiles as "github", "stripe=X-Signature", or as they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<Vec<Value>>,
    /// An admin's to say; a tenant's key adds for its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// `timeout_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<NewTls>,
    /// https, without user and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// An event as it is sent to us.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewEvent {
    /// `attributes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, Scalar>>,
    /// Kept byte for byte.
    pub data: Box<RawValue>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<i64>,
    /// `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The parts of a natural key, of which the id is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<String>>,
    /// `labels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// `ordering_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// An admin's to say; a tenant's key publishes for its tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// As W3C Trace Context has it; another is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// `type`.
    pub r#type: String,
}

/// What is to be said of a type.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewEventType {
    /// `description`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A payload, kept as it is given; it must fit the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// A JSON Schema of the payload that stands alone: it refers to no other document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What becomes of payloads that do not fit; off if nothing is said. One of off, report, enforce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_check: Option<String>,
}

/// A signing secret: one of the caller's, or a new one of a kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewSecret {
    /// One of standard, opaque, ed25519.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// One of yours; else a new one is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Secret<String>>,
}

/// PEM texts. No `Debug`: one of them is a key.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewTls {
    /// The authorities that are believed, instead of the usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The client certificate, with what is between it and its authority; together with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// `key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret<String>>,
}

/// What it says of one event.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct OneTried {
    /// One for the event types and one for each clause: where it stands, whether it holds, and why. All must hold.
    pub clauses: Vec<Value>,
    /// `matched`.
    pub matched: bool,
}

/// Why an endpoint is paused.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Pause {
    /// For whoever looks at it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A problem as it is answered.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// Stable: what a program goes by.
    pub code: String,
    /// For people.
    pub detail: String,
    /// `errors`.
    #[serde(default)]
    pub errors: Option<Vec<FieldError>>,
    /// Also in the header x-request-id and in the log of the daemon.
    pub request_id: String,
    /// `status`.
    pub status: i64,
    /// `title`.
    pub title: String,
    /// `type`.
    pub r#type: String,
}

/// What came of publishing.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// `id`.
    pub id: String,
    /// inserted or duplicate.
    pub outcome: String,
    /// `tenant_id`.
    pub tenant_id: String,
    /// `type`.
    pub r#type: String,
}

/// The words of explain::Reason. One of matched, pending, failed, type, filter, broken_filter, disabled, created_later, changed_since, own_trouble, read.
pub type ReasonWord = String;

/// What is to be recovered.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Recover {
    /// Only count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// `event_types`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// What the endpoint would want and never got, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<bool>,
    /// Deliveries a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<i64>,
    /// For the job's own record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of events published not before this.
    pub since: String,
    /// What the last delivery has become; exhausted, rejected, skipped and cancelled if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
    /// And before this; now if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What to send again.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Redeliver {
    /// Only to this one; else to all that it was sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
}

/// What was done, endpoint by endpoint.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Redeliveries {
    /// `data`.
    pub data: Vec<Redelivery>,
    /// `event_id`.
    pub event_id: String,
}

/// What came of sending it to one endpoint.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Redelivery {
    /// `delivery_id`.
    pub delivery_id: Option<String>,
    /// `endpoint_id`.
    pub endpoint_id: String,
    /// Why not: still_owed or endpoint_disabled.
    #[serde(default)]
    pub reason: Option<String>,
    /// `redelivered`.
    pub redelivered: bool,
    /// `replay`.
    #[serde(default)]
    pub replay: Option<i64>,
}

/// What retrying came to.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Retried {
    /// It was open.
    RetriedOpen(RetriedOpen),
    /// It was closed, and is owed once more.
    Redelivery(Redelivery),
}

/// It was open.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct RetriedOpen {
    /// False: it is due already, or a worker holds it.
    pub changed: bool,
    /// `delivery_id`.
    pub delivery_id: String,
    /// `redelivered`.
    pub redelivered: bool,
}

/// What a new secret is to be, and how long those before it stay.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Rotation {
    /// How long those before it go on signing, in seconds; null: for ever; a day if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Option<i64>>,
    /// `secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Option<NewSecret>>,
}

/// An event to try a filter on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SampleEvent {
    /// `attributes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Value>,
    /// `data`.
    pub data: Value,
    /// `labels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// `type`.
    pub r#type: String,
}

/// What an attribute may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Text
    Text(String),
    /// Number
    Number(f64),
    /// Bool
    Bool(bool),
}

/// A secret that was added just now.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct SecretRotated {
    /// `created_at`.
    pub created_at: String,
    /// `endpoint_id`.
    pub endpoint_id: String,
    /// `id`.
    pub id: String,
    /// `kind`.
    pub kind: String,
    /// Of a key pair.
    pub public_key: Option<String>,
    /// Shown this once; null if the caller brought it, or nobody needs it.
    pub secret: Option<Secret<String>>,
}

/// A delivery of it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Sent {
    /// `id`.
    pub id: String,
    /// One of pending, delivered, exhausted, rejected, skipped, expired, cancelled.
    pub status: String,
}

/// What was counted.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// The smallest groups were left out.
    pub cut: bool,
    /// A thousand at most.
    pub data: Vec<StatsGroup>,
    /// `since`.
    pub since: String,
    /// `until`.
    pub until: String,
}

/// StatsGroup
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct StatsGroup {
    /// `count`.
    pub count: i64,
    /// Null: of events that have no such value.
    pub key: Option<String>,
    /// How many values there were of what `unique` names.
    pub unique: Option<i64>,
}

/// StatsPeriod
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct StatsPeriod {
    /// Its beginning.
    pub at: String,
    /// Made for these deliveries so far.
    pub attempts: i64,
    /// By status.
    pub deliveries: BTreeMap<String, i64>,
}

/// A tenant. It is there by its name, whether anything was ever set of it or not.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Tenant {
    /// `id`.
    pub id: String,
    /// Requests in flight to all its endpoints together; null: no limit.
    pub max_in_flight: Option<i64>,
    /// Requests a second to all its endpoints together; null: no limit.
    pub rate_limit: Option<i64>,
    /// Null: nothing was ever set.
    pub updated_at: Option<String>,
    /// `workflows_config`.
    pub workflows_config: WorkflowsConfig,
}

/// What is to change of a tenant. What is left out stays.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TenantChanges {
    /// Null: no limit. For admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<Option<i64>>,
    /// Null: no limit. For admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Option<i64>>,
    /// `workflows_config`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflows_config: Option<WorkflowsChanges>,
}

/// What an event is to one endpoint.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// What became of each clause of its types and filter, as they are now.
    pub clauses: Option<Vec<Value>>,
    /// `deliveries`.
    pub deliveries: Vec<Sent>,
    /// The reason in words.
    pub detail: String,
    /// `endpoint_id`.
    pub endpoint_id: String,
    /// `reason`.
    pub reason: ReasonWord,
    /// Null: it was deleted.
    pub url: Option<String>,
}

/// The same of its e-mails. What is not known here is ignored: others keep settings of theirs in the same place.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WorkflowsChanges {
    /// `capture_messaging_engagement_events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_messaging_engagement_events: Option<bool>,
}

/// What becomes of what people do with the tenant's e-mails.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct WorkflowsConfig {
    /// Whether such events go to analytics.
    pub capture_messaging_engagement_events: bool,
}

/// Sends what an endpoint failed to get, or missed, once more, in the background.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RecoverEndpointAnswer {
    /// Counted
    Counted(Counted),
    /// Job
    Job(Job),
}

/// What may be said of `api_keys().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListApiKeysQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `audit().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListAuditQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Only of what has this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// As endpoint.updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Not older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `deliveries().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListDeliveriesQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Only those that are this. One of pending, delivered, exhausted, rejected, skipped, expired, cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of events not older than this; a day ago if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `endpoints().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListEndpointsQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `endpoints().deliveries`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListEndpointDeliveriesQuery {
    /// Only those that are this. One of pending, delivered, exhausted, rejected, skipped, expired, cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of events not older than this; a day ago if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `endpoints().events`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PullEventsQuery {
    /// The next_cursor of the page before, which is acknowledged with that (by keys with the scope write); start: from the oldest event that is left; nothing: from what was acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// So many seconds for something to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<i64>,
}

/// What may be said of `endpoints().stats`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EndpointStatsQuery {
    /// Of events not older than this; a day ago if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Of events older than this, now if nothing is said; at most 400 days later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Hours, 1,000 at most, or days; hours for up to a week if nothing is said. One of hour, day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

/// What may be said of `event_types().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListEventTypesQuery {
    /// Those that somebody declared, or those that were only met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<bool>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `event_types().import`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImportEventTypesQuery {
    /// Only say what would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// What may be said of `events().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListEventsQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// An exact type, or a prefix as email.*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The attribute user_id, else distinct_id in the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_id: Option<String>,
    /// One of its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Where it stands. One of pending, failed, fanned_out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Not older than this; a day ago if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Instead of since: not older than 30m, 24h, 7d ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// Newest first (desc) or oldest first (asc). One of asc, desc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Oldest first, from this next_cursor on, or from start; without cursor, and with envelopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `events().exists`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventExistsQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// An exact type, or a prefix as email.*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The attribute user_id, else distinct_id in the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_id: Option<String>,
    /// One of its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Where it stands. One of pending, failed, fanned_out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Not older than this; a day ago if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Instead of since: not older than 30m, 24h, 7d ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
}

/// What may be said of `events().stats`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventStatsQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// An exact type, or a prefix as email.*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// type, day, template, attribute.NAME or data.PATH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Of how many: distinct_id, attribute.NAME or data.PATH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique: Option<String>,
    /// Not older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Older than this, now if nothing is said; at most 400 days later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What may be said of `events().get`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ShowEventQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// What may be said of `events().deliveries`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListEventDeliveriesQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// What may be said of `events().explain`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ExplainEventQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// What may be said of `events().redeliver`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RedeliverEventQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
}

/// What may be said of `jobs().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListJobsQuery {
    /// Only of this tenant; a tenant's key sees only its own anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What may be said of `tenants().list`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListTenantsQuery {
    /// How many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}
