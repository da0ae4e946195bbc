// Written by crates/postrider-client/generate from the OpenAPI document: do not edit.

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }

/** A key; never the key itself. */
export interface ApiKey {
  created_at: string
  expires_at: string | null
  /** Its last four characters. */
  hint: string
  id: string
  /** To the minute. */
  last_used_at: string | null
  live: boolean
  name: string
  revoked_at: string | null
  scopes: ('read' | 'write' | 'publish')[]
  /** Null: an admin's. */
  tenant_id: string | null
}

/** A key that was made just now. */
export interface ApiKeyCreated {
  created_at: string
  expires_at: string | null
  id: string
  /** The key itself, shown this once. */
  key: string
  name: string
  scopes: ('read' | 'write' | 'publish')[]
  tenant_id: string | null
}

/** A key that was ended. */
export interface ApiKeyRevoked {
  id: string
  revoked: boolean
}

/** One request. */
export interface Attempt {
  attempt: number
  batch_id: string | null
  detail: string | null
  duration_ms: number
  /** An error class. */
  error: string | null
  outcome: 'delivered' | 'retry' | 'exhausted' | 'rejected'
  peer: string | null
  /** Its first 4 KiB, as far as they are text. */
  response_body: string | null
  response_headers: string | null
  started_at: string
  status: number | null
}

/** A change. */
export interface AuditEntry {
  action: string
  /** key:ID, cli:USER, worker or sql:ROLE. */
  actor: string
  address: string | null
  at: string
  /** Of each column what it was and what it has become; of a secret only that it changed. */
  changes: { [name: string]: Json }
  id: number
  request_id: string | null
  subject: string
  /** Null: of the installation. */
  tenant_id: string | null
}

/** How events go together. */
export interface Batch {
  encoding: string
  max_bytes: number
  max_events: number
  max_wait_ms: number
}

/** What a dry run counted. */
export interface Counted {
  /** False: counting took too long, and there are more. */
  complete: boolean
  dry_run: boolean
  expected: number
}

/** One event owed to one endpoint. */
export interface Delivery {
  attempts: number
  batch_id: string | null
  closed_at: string | null
  endpoint_id: string
  event_created_at: string
  /** Null once retention removed the event. */
  event_id: string | null
  event_type: string | null
  id: string
  /** A worker holds it now. */
  in_flight: boolean
  last_duration_ms: number | null
  /** An error class. */
  last_error: string | null
  /** Of the last answer. */
  last_status: number | null
  next_attempt_at: string | null
  reason: string | null
  replay: number
  status: 'pending' | 'delivered' | 'exhausted' | 'rejected' | 'skipped' | 'expired' | 'cancelled'
  tenant_id: string
}

/** An endpoint. */
export interface Endpoint {
  /** The kind of its login. */
  auth: string | null
  batch: Batch | null
  capture_responses: boolean
  created_at: string
  description: string
  disabled_reason: string | null
  enabled: boolean
  event_types: string[]
  filter: { [name: string]: Json } | null
  format: string
  has_headers: boolean
  has_tls: boolean
  id: string
  /** pull: its events are read at /endpoints/{endpoint_id}/events. */
  kind: 'webhook' | 'pull'
  max_in_flight: number | null
  metadata: Json
  on_failure: string
  ordering: string
  /** Since when somebody has kept its deliveries waiting. */
  paused_at: string | null
  paused_reason: string | null
  /** Requests a second. */
  rate_limit: number | null
  /** Before attempt 2, 3, …; null: the standard schedule. */
  retry_schedule_ms: number[] | null
  /** Signing profiles. */
  signing: Json
  tenant_id: string
  timeout_ms: number | null
  updated_at: string
  /** Null of an endpoint that is read. */
  url: string | null
}

/** What an endpoint is to be, or to become. */
export interface EndpointChanges {
  /** basic, bearer or oauth2; never shown again. */
  auth?: { [name: string]: Json } | null
  batch?: NewBatch | null
  capture_responses?: boolean | null
  description?: string | null
  /** Exact types, email.* or *; all if nothing is said. */
  event_types?: string[] | null
  /** A pattern over type, attributes, labels and data. */
  filter?: { [name: string]: Json } | null
  format?: 'postrider' | 'standard' | 'cloudevents' | 'raw' | null
  /** Of each request, beside those of ours; never shown again. */
  headers?: { [name: string]: string } | null
  max_in_flight?: number | null
  /** What you like, up to 4 KiB. */
  metadata?: { [name: string]: Json } | null
  /** block, or skip:N after so many attempts. */
  on_failure?: string | null
  ordering?: 'none' | 'key' | 'endpoint' | null
  /** Requests a second. */
  rate_limit?: number | null
  /** Before attempt 2, 3, …; null: the standard schedule. */
  retry_schedule_ms?: number[] | null
  /** Profiles as "github", "stripe=X-Signature", or as they are shown. */
  signing?: Json[] | null
  timeout_ms?: number | null
  /** A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again. */
  tls?: NewTls | null
  /** https, without user and password. */
  url?: string | null
}

/** An endpoint that was added just now. */
export interface EndpointCreated {
  /** The kind of its login. */
  auth: string | null
  /** The job that sends it what it would have wanted before. */
  backfill_job_id?: string | null
  batch: Batch | null
  capture_responses: boolean
  created_at: string
  description: string
  disabled_reason: string | null
  enabled: boolean
  event_types: string[]
  filter: { [name: string]: Json } | null
  format: string
  has_headers: boolean
  has_tls: boolean
  id: string
  /** pull: its events are read at /endpoints/{endpoint_id}/events. */
  kind: 'webhook' | 'pull'
  max_in_flight: number | null
  metadata: Json
  on_failure: string
  ordering: string
  /** Since when somebody has kept its deliveries waiting. */
  paused_at: string | null
  paused_reason: string | null
  /** Requests a second. */
  rate_limit: number | null
  /** Before attempt 2, 3, …; null: the standard schedule. */
  retry_schedule_ms: number[] | null
  /** The signing secret, shown this once; null if the caller brought it, or nobody needs it. */
  secret: string | null
  /** Signing profiles. */
  signing: Json
  tenant_id: string
  timeout_ms: number | null
  updated_at: string
  /** Null of an endpoint that is read. */
  url: string | null
}

/** An endpoint that is gone. */
export interface EndpointDeleted {
  /** Deliveries that were cancelled. */
  cancelled: number
  deleted: boolean
  id: string
}

/** What was counted. */
export interface EndpointStats {
  bucket: 'hour' | 'day'
  data: StatsPeriod[]
  since: string
  until: string
}

/** A test that is on its way. */
export interface EndpointTested {
  delivery_id: string
  event_id: string
}

/** An event in a list. */
export interface Event {
  attributes: { [name: string]: Json } | null
  created_at: string
  /** The body of every request, as it was published; not in the list of the newest. */
  envelope?: { [name: string]: Json } | null
  expires_at: string | null
  id: string
  labels: string[]
  ordering_key: string | null
  state: 'pending' | 'failed' | 'fanned_out'
  tenant_id: string
  type: string
}

/** An event with all that was published. */
export interface EventDetail {
  attributes: { [name: string]: Json } | null
  created_at: string
  /** How many deliveries it has, by their status; of more than a thousand the first thousand count. */
  deliveries: { [name: string]: number }
  /** The body of every request, as it was published; not in the list of the newest. */
  envelope?: { [name: string]: Json } | null
  expires_at: string | null
  id: string
  labels: string[]
  ordering_key: string | null
  /** Why it is not fanned out yet, or never will be. */
  problem: string | null
  state: 'pending' | 'failed' | 'fanned_out'
  tenant_id: string
  traceparent: string | null
  type: string
}

/** A type. */
export interface EventType {
  created_at: string
  /** False: nobody declared it, but an event of it was published. */
  declared: boolean
  description: string | null
  /** As it was given, or null. */
  example: Json
  has_example: boolean
  has_schema: boolean
  name: string
  /** As it was given, or null. */
  schema: Json
  schema_check: 'off' | 'report' | 'enforce'
  updated_at: string
  /** Another with every change of the schema or of its check. */
  version: number
}

/** A type that was removed. */
export interface EventTypeDeleted {
  deleted: boolean
  name: string
}

/** Many types. */
export interface EventTypeImport {
  event_types: EventTypeImportItem[]
}

/** One of many types. */
export interface EventTypeImportItem {
  description?: string | null
  example?: Json
  name: string
  schema?: Json
  schema_check?: 'off' | 'report' | 'enforce' | null
}

/** What an import does about one type. */
export interface EventTypePlanned {
  change: 'added' | 'changed' | 'unchanged'
  name: string
}

/** A type in a list. */
export interface EventTypeSummary {
  created_at: string
  /** False: nobody declared it, but an event of it was published. */
  declared: boolean
  description: string | null
  has_example: boolean
  has_schema: boolean
  name: string
  schema_check: 'off' | 'report' | 'enforce'
  updated_at: string
  /** Another with every change of the schema or of its check. */
  version: number
}

/** What an import changed, or would. */
export interface EventTypesImported {
  added: number
  changed: number
  data: EventTypePlanned[]
  dry_run: boolean
  unchanged: number
}

/** Whether there is an event. */
export interface Existence {
  at: string | null
  /** The newest. */
  event_id: string | null
  exists: boolean
  tenant_id: string | null
}

/** What an event is to each endpoint of its tenant. */
export interface Explanation {
  data: Verdict[]
  event_id: string
  tenant_id: string
}

/** A field that cannot be accepted. */
export interface FieldError {
  code: string
  detail: string
  /** A JSON pointer into the body, or ?name of a parameter. */
  pointer: string
}

/** A filter, and what it is tried on: exactly one of event, event_id and last. */
export interface FilterTest {
  /** An event that need not exist. */
  event?: SampleEvent | null
  /** One that was published. */
  event_id?: string | null
  /** As an endpoint has them; all if nothing is said. */
  event_types?: string[] | null
  /** As an endpoint has it. */
  filter?: { [name: string]: Json } | null
  /** So many that the tenant published last. */
  last?: number | null
  /** An admin's to say; a tenant's key asks about its tenant. */
  tenant_id?: string | null
}

/** What came of trying a filter. */
export type FilterTested = OneTried | LastTried

/** Bulk work in the background. */
export interface Job {
  created_at: string
  endpoint_id: string
  error: string | null
  /** What was counted before it was made. */
  expected: number | null
  finished_at: string | null
  id: string
  kind: string
  /** When the event was published up to which it has looked. */
  looked_at: string | null
  /** Deliveries made so far. */
  made: number
  /** Deliveries a second. */
  rate: number
  reason: string | null
  since: string
  started_at: string | null
  state: 'queued' | 'running' | 'done' | 'stopped' | 'failed'
  /** Somebody asked it to stop. */
  stop: boolean
  tenant_id: string
  until: string
  wanted: { [name: string]: Json }
}

/** What it would have matched among the last events. */
export interface LastTried {
  /** Those it matches, the newest first. */
  event_ids: string[]
  /** Of each clause that failed, by its JSON pointer into the endpoint, for how many events; one event may fail by several. */
  failed_clauses: { [name: string]: number }
  looked_at: number
  matched: number
  missed: number
  /** When the oldest that was looked at was published. */
  oldest: string | null
  /** Events that no filter can read. */
  unreadable: number
}

/** A key to be made. */
export interface NewApiKey {
  /** In seconds. */
  expires_in?: number | null
  name: string
  /** All of them if nothing is said. */
  scopes?: ('read' | 'write' | 'publish')[] | null
  /** None, or null: an admin key. */
  tenant_id?: string | null
}

/** Events of which time are sent to a new endpoint besides those to come. */
export interface NewBackfill {
  /** Deliveries a second. */
  rate?: number | null
  since: string
}

export interface NewBatch {
  encoding?: string | null
  max_bytes?: number | null
  max_events?: number | null
  max_wait_ms?: number | null
}

/** What an endpoint is to be, or to become. */
export interface NewEndpoint {
  /** basic, bearer or oauth2; never shown again. */
  auth?: { [name: string]: Json } | null
  /** What it would have wanted before it was there is sent to it too, in the background. */
  backfill?: NewBackfill | null
  batch?: NewBatch | null
  capture_responses?: boolean | null
  description?: string | null
  enabled?: boolean | null
  /** Exact types, email.* or *; all if nothing is said. */
  event_types?: string[] | null
  /** A pattern over type, attributes, labels and data. */
  filter?: { [name: string]: Json } | null
  format?: 'postrider' | 'standard' | 'cloudevents' | 'raw' | null
  /** Of each request, beside those of ours; never shown again. */
  headers?: { [name: string]: string } | null
  /** webhook, if nothing is said; pull: its events are read, and it has no url. */
  kind?: 'webhook' | 'pull' | null
  max_in_flight?: number | null
  /** What you like, up to 4 KiB. */
  metadata?: { [name: string]: Json } | null
  /** block, or skip:N after so many attempts. */
  on_failure?: string | null
  ordering?: 'none' | 'key' | 'endpoint' | null
  /** Requests a second. */
  rate_limit?: number | null
  /** Before attempt 2, 3, …; null: the standard schedule. */
  retry_schedule_ms?: number[] | null
  secret?: NewSecret | null
  /** Profiles as "github", "stripe=X-Signature", or as they are shown. */
  signing?: Json[] | null
  /** An admin's to say; a tenant's key adds for its tenant. */
  tenant_id?: string | null
  timeout_ms?: number | null
  /** A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again. */
  tls?: NewTls | null
  /** https, without user and password. */
  url?: string
}

/** An event as it is sent to us. */
export interface NewEvent {
  attributes?: { [name: string]: Scalar }
  /** Kept byte for byte. */
  data: Json
  /** In seconds. */
  expires_after?: number | null
  id?: string | null
  /** The parts of a natural key, of which the id is made. */
  key?: string[] | null
  labels?: string[]
  ordering_key?: string | null
  /** An admin's to say; a tenant's key publishes for its tenant. */
  tenant_id?: string | null
  /** As W3C Trace Context has it; another is dropped. */
  traceparent?: string | null
  type: string
}

/** What is to be said of a type. */
export interface NewEventType {
  description?: string | null
  /** A payload, kept as it is given; it must fit the schema. */
  example?: Json
  /** A JSON Schema of the payload that stands alone: it refers to no other document. */
  schema?: Json
  /** What becomes of payloads that do not fit; off if nothing is said. */
  schema_check?: 'off' | 'report' | 'enforce' | null
}

/** A signing secret: one of the caller's, or a new one of a kind. */
export interface NewSecret {
  kind?: 'standard' | 'opaque' | 'ed25519' | null
  /** One of yours; else a new one is made. */
  value?: string | null
}

/** PEM texts. No `Debug`: one of them is a key. */
export interface NewTls {
  /** The authorities that are believed, instead of the usual ones. */
  ca?: string | null
  /** The client certificate, with what is between it and its authority; together with its key. */
  certificate?: string | null
  key?: string | null
}

/** What it says of one event. */
export interface OneTried {
  /** One for the event types and one for each clause: where it stands, whether it holds, and why. All must hold. */
  clauses: ({ [name: string]: Json })[]
  matched: boolean
}

/** Why an endpoint is paused. */
export interface Pause {
  /** For whoever looks at it later. */
  reason?: string | null
}

/** A problem as it is answered. */
export interface Problem {
  /** Stable: what a program goes by. */
  code: string
  /** For people. */
  detail: string
  errors?: FieldError[]
  /** Also in the header x-request-id and in the log of the daemon. */
  request_id: string
  status: number
  title: string
  type: string
}

/** What came of publishing. */
export interface Published {
  id: string
  /** inserted or duplicate. */
  outcome: string
  tenant_id: string
  type: string
}

/** The words of explain::Reason. One of matched, pending, failed, type, filter, broken_filter, disabled, created_later, changed_since, own_trouble, read. */
export type ReasonWord = 'matched' | 'pending' | 'failed' | 'type' | 'filter' | 'broken_filter' | 'disabled' | 'created_later' | 'changed_since' | 'own_trouble' | 'read'

/** What is to be recovered. */
export interface Recover {
  /** Only count. */
  dry_run?: boolean
  event_types?: string[] | null
  /** What the endpoint would want and never got, too. */
  missed?: boolean
  /** Deliveries a second. */
  rate?: number | null
  /** For the job's own record. */
  reason?: string | null
  /** Of events published not before this. */
  since: string
  /** What the last delivery has become; exhausted, rejected, skipped and cancelled if nothing is said. */
  statuses?: ('delivered' | 'exhausted' | 'rejected' | 'skipped' | 'expired' | 'cancelled')[] | null
  /** And before this; now if nothing is said. */
  until?: string | null
}

/** What to send again. */
export interface Redeliver {
  /** Only to this one; else to all that it was sent to. */
  endpoint_id?: string | null
}

/** What was done, endpoint by endpoint. */
export interface Redeliveries {
  data: Redelivery[]
  event_id: string
}

/** What came of sending it to one endpoint. */
export interface Redelivery {
  delivery_id: string | null
  endpoint_id: string
  /** Why not: still_owed or endpoint_disabled. */
  reason?: string | null
  redelivered: boolean
  replay?: number | null
}

/** What retrying came to. */
export type Retried = { changed: boolean; delivery_id: string; redelivered: boolean } | Redelivery

/** What a new secret is to be, and how long those before it stay. */
export interface Rotation {
  /** How long those before it go on signing, in seconds; null: for ever; a day if nothing is said. */
  overlap?: number | null
  secret?: NewSecret | null
}

/** An event to try a filter on. */
export interface SampleEvent {
  attributes?: { [name: string]: Json }
  data: Json
  labels?: string[]
  type: string
}

/** What an attribute may be. */
export type Scalar = string | number | boolean

/** A secret that was added just now. */
export interface SecretRotated {
  created_at: string
  endpoint_id: string
  id: string
  kind: string
  /** Of a key pair. */
  public_key: string | null
  /** Shown this once; null if the caller brought it, or nobody needs it. */
  secret: string | null
}

/** A delivery of it. */
export interface Sent {
  id: string
  status: 'pending' | 'delivered' | 'exhausted' | 'rejected' | 'skipped' | 'expired' | 'cancelled'
}

/** What was counted. */
export interface Stats {
  /** The smallest groups were left out. */
  cut: boolean
  /** A thousand at most. */
  data: StatsGroup[]
  since: string
  until: string
}

export interface StatsGroup {
  count: number
  /** Null: of events that have no such value. */
  key: string | null
  /** How many values there were of what `unique` names. */
  unique: number | null
}

export interface StatsPeriod {
  /** Its beginning. */
  at: string
  /** Made for these deliveries so far. */
  attempts: number
  /** By status. */
  deliveries: { [name: string]: number }
}

/** A tenant. It is there by its name, whether anything was ever set of it or not. */
export interface Tenant {
  id: string
  /** Requests in flight to all its endpoints together; null: no limit. */
  max_in_flight: number | null
  /** Requests a second to all its endpoints together; null: no limit. */
  rate_limit: number | null
  /** Null: nothing was ever set. */
  updated_at: string | null
  workflows_config: WorkflowsConfig
}

/** What is to change of a tenant. What is left out stays. */
export interface TenantChanges {
  /** Null: no limit. For admins. */
  max_in_flight?: number | null
  /** Null: no limit. For admins. */
  rate_limit?: number | null
  workflows_config?: WorkflowsChanges
}

/** What an event is to one endpoint. */
export interface Verdict {
  /** What became of each clause of its types and filter, as they are now. */
  clauses: ({ [name: string]: Json })[] | null
  deliveries: Sent[]
  /** The reason in words. */
  detail: string
  endpoint_id: string
  reason: ReasonWord
  /** Null: it was deleted. */
  url: string | null
}

/** The same of its e-mails. What is not known here is ignored: others keep settings of theirs in the same place. */
export interface WorkflowsChanges {
  capture_messaging_engagement_events?: boolean
}

/** What becomes of what people do with the tenant's e-mails. */
export interface WorkflowsConfig {
  /** Whether such events go to analytics. */
  capture_messaging_engagement_events: boolean
}

/** Of a request that changes something: the same key is carried out once. One is made if none is given. */
export interface Once {
  idempotencyKey?: string
}

/** Changes only what nobody else has changed: the `etag` that a GET answered with. */
export interface IfMatch {
  ifMatch?: string
}

export interface ApiKeysApi {
  /** Keys, never the keys themselves. */
  list(options?: { tenant_id?: string; limit?: number; cursor?: string }): AsyncIterable<ApiKey>
  /** Makes a key, which is shown this once. */
  create(body: NewApiKey, options?: Once): Promise<ApiKeyCreated>
  /** Ends a key at once. */
  revoke(keyId: string): Promise<ApiKeyRevoked>
}

export interface AuditApi {
  /** Every change of what people set, the newest first. */
  list(options?: { tenant_id?: string; subject?: string; action?: string; since?: string; limit?: number; cursor?: string }): AsyncIterable<AuditEntry>
}

export interface DeliveriesApi {
  /** Deliveries, those of the newest events first. */
  list(options?: { tenant_id?: string; status?: 'pending' | 'delivered' | 'exhausted' | 'rejected' | 'skipped' | 'expired' | 'cancelled'; since?: string; limit?: number; cursor?: string }): AsyncIterable<Delivery>
  /** One delivery. */
  get(deliveryId: string): Promise<Delivery>
  /** The requests that were made for a delivery, and what was answered. */
  attempts(deliveryId: string): AsyncIterable<Attempt>
  /** Ends an open delivery. */
  cancel(deliveryId: string, options?: Once): Promise<Delivery>
  /** Makes an open delivery due now, and sends what a closed one was about once more. */
  retry(deliveryId: string, options?: Once): Promise<Retried>
}

export interface EndpointsApi {
  /** Endpoints, the oldest first. */
  list(options?: { tenant_id?: string; limit?: number; cursor?: string }): AsyncIterable<Endpoint>
  /** Adds an endpoint. */
  create(body: NewEndpoint, options?: Once): Promise<EndpointCreated>
  /** Deletes an endpoint and cancels what it is owed. */
  delete(endpointId: string): Promise<EndpointDeleted>
  /** One endpoint, with its ETag. */
  get(endpointId: string): Promise<Endpoint>
  /** Changes what is named and looks at nothing else; with If-Match only if nobody has changed it. */
  update(endpointId: string, body: EndpointChanges, options?: IfMatch): Promise<Endpoint>
  /** What an endpoint is owed and got, also of one that was deleted. */
  deliveries(endpointId: string, options?: { status?: 'pending' | 'delivered' | 'exhausted' | 'rejected' | 'skipped' | 'expired' | 'cancelled'; since?: string; limit?: number; cursor?: string }): AsyncIterable<Delivery>
  /** Stops an endpoint and cancels what it is owed. */
  disable(endpointId: string, options?: Once): Promise<Endpoint>
  /** Lets an endpoint have new events; sends nothing old. */
  enable(endpointId: string, options?: Once): Promise<Endpoint>
  /** What an endpoint wants, in order, read by who cannot be reached; a cursor acknowledges what came before it, if the key has the scope write. */
  events(endpointId: string, options?: { after?: string; limit?: number; wait?: number }): AsyncIterable<Event>
  /** Keeps what an endpoint is owed waiting; events go on being matched, and nothing is lost. */
  pause(endpointId: string, body?: Pause, options?: Once): Promise<Endpoint>
  /** Sends what an endpoint failed to get, or missed, once more, in the background. */
  recover(endpointId: string, body: Recover, options?: Once): Promise<Counted | Job>
  /** Lets a paused endpoint go on, with a clean record of its health; what waited goes at once. */
  resume(endpointId: string, options?: Once): Promise<Endpoint>
  /** Gives an endpoint a new secret beside those it has, which end after the overlap. */
  rotateSecret(endpointId: string, body?: Rotation, options?: Once): Promise<SecretRotated>
  /** What became of an endpoint's deliveries, by the hour or the day of their events. */
  stats(endpointId: string, options?: { since?: string; until?: string; bucket?: 'hour' | 'day' }): Promise<EndpointStats>
  /** Sends a signed test event, whose delivery says what came of it. */
  test(endpointId: string, options?: Once): Promise<EndpointTested>
}

export interface EventTypesApi {
  /** Event types by name, without their schemas and examples. */
  list(options?: { declared?: boolean; limit?: number; cursor?: string }): AsyncIterable<EventTypeSummary>
  /** Declares many types, all or none; what is not named stays as it is. */
  import(body: EventTypeImport, options?: { dry_run?: boolean }): Promise<EventTypesImported>
  /** Removes a type from the catalog. */
  delete(eventType: string): Promise<EventTypeDeleted>
  /** An event type with its schema and example. */
  get(eventType: string): Promise<EventType>
  /** Declares a type, or says something else of it. */
  put(eventType: string, body: NewEventType): Promise<EventType>
}

export interface EventsApi {
  /** Events, the newest first; attribute.NAME=VALUE narrows by an attribute. */
  list(options?: { tenant_id?: string; type?: string; distinct_id?: string; label?: string; state?: 'pending' | 'failed' | 'fanned_out'; since?: string; until?: string; within?: string; order?: 'asc' | 'desc'; after?: string; limit?: number; cursor?: string }): AsyncIterable<Event>
  /** Publishes an event. */
  publish(body: NewEvent, options?: Once): Promise<Published>
  /** Whether there is such an event, and the newest one; attribute.NAME=VALUE narrows by an attribute. */
  exists(options?: { tenant_id?: string; type?: string; distinct_id?: string; label?: string; state?: 'pending' | 'failed' | 'fanned_out'; since?: string; until?: string; within?: string }): Promise<Existence>
  /** How many events there were, by what, and how many users or other values they had. */
  stats(options?: { tenant_id?: string; type?: string; group_by?: string; unique?: string; since?: string; until?: string }): Promise<Stats>
  /** One event with its envelope. */
  get(eventId: string, options?: { tenant_id?: string }): Promise<EventDetail>
  /** Where an event went. */
  deliveries(eventId: string, options?: { tenant_id?: string }): AsyncIterable<Delivery>
  /** Every endpoint of its tenant, matched or not, and the reason. */
  explain(eventId: string, options?: { tenant_id?: string }): Promise<Explanation>
  /** Sends an event again, to one endpoint or to all it was sent to. */
  redeliver(eventId: string, body?: Redeliver, options?: { tenant_id?: string } & Once): Promise<Redeliveries>
}

export interface FiltersApi {
  /** What event types and a filter say of an event, clause by clause, or would have matched among the last ones. */
  test(body: FilterTest, options?: Once): Promise<FilterTested>
}

export interface JobsApi {
  /** Jobs, the newest first. */
  list(options?: { tenant_id?: string; limit?: number; cursor?: string }): AsyncIterable<Job>
  /** One job. */
  get(jobId: string): Promise<Job>
  /** Asks a job to stop, which it does within its next step. */
  stop(jobId: string, options?: Once): Promise<Job>
}

export interface TenantsApi {
  /** Tenants that ever published, had an endpoint or have settings, by their names. */
  list(options?: { limit?: number; cursor?: string }): AsyncIterable<Tenant>
  /** What is set of a tenant. */
  get(tenantId: string): Promise<Tenant>
  /** Changes what is named of a tenant; its limits are for admins to say. */
  update(tenantId: string, body: TenantChanges, options?: IfMatch): Promise<Tenant>
}

export interface Resources {
  readonly apiKeys: ApiKeysApi
  readonly audit: AuditApi
  readonly deliveries: DeliveriesApi
  readonly endpoints: EndpointsApi
  readonly eventTypes: EventTypesApi
  readonly events: EventsApi
  readonly filters: FiltersApi
  readonly jobs: JobsApi
  readonly tenants: TenantsApi
}
