"""What the API takes and gives, as dictionaries with known keys. Written by `crates/postrider-client/generate` from the OpenAPI document: do not edit."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Optional, TypedDict, Union


class ApiKey(TypedDict):
    """A key; never the key itself."""

    created_at: str
    expires_at: Optional[str]
    hint: str  # Its last four characters.
    id: str
    last_used_at: Optional[str]  # To the minute.
    live: bool
    name: str
    revoked_at: Optional[str]
    scopes: List[Literal["read", "write", "publish"]]
    tenant_id: Optional[str]  # Null: an admin's.


class ApiKeyCreated(TypedDict):
    """A key that was made just now."""

    created_at: str
    expires_at: Optional[str]
    id: str
    key: str  # The key itself, shown this once.
    name: str
    scopes: List[Literal["read", "write", "publish"]]
    tenant_id: Optional[str]


class ApiKeyRevoked(TypedDict):
    """A key that was ended."""

    id: str
    revoked: bool


class Attempt(TypedDict):
    """One request."""

    attempt: int
    batch_id: Optional[str]
    detail: Optional[str]
    duration_ms: int
    error: Optional[str]  # An error class.
    outcome: Literal["delivered", "retry", "exhausted", "rejected"]
    peer: Optional[str]
    response_body: Optional[str]  # Its first 4 KiB, as far as they are text.
    response_headers: Optional[str]
    started_at: str
    status: Optional[int]


class AuditEntry(TypedDict):
    """A change."""

    action: str
    actor: str  # key:ID, cli:USER, worker or sql:ROLE.
    address: Optional[str]
    at: str
    changes: Dict[str, Any]  # Of each column what it was and what it has become; of a secret only that it changed.
    id: int
    request_id: Optional[str]
    subject: str
    tenant_id: Optional[str]  # Null: of the installation.


class Batch(TypedDict):
    """How events go together."""

    encoding: str
    max_bytes: int
    max_events: int
    max_wait_ms: int


class Counted(TypedDict):
    """What a dry run counted."""

    complete: bool  # False: counting took too long, and there are more.
    dry_run: bool
    expected: int


class Delivery(TypedDict):
    """One event owed to one endpoint."""

    attempts: int
    batch_id: Optional[str]
    closed_at: Optional[str]
    endpoint_id: str
    event_created_at: str
    event_id: Optional[str]  # Null once retention removed the event.
    event_type: Optional[str]
    id: str
    in_flight: bool  # A worker holds it now.
    last_duration_ms: Optional[int]
    last_error: Optional[str]  # An error class.
    last_status: Optional[int]  # Of the last answer.
    next_attempt_at: Optional[str]
    reason: Optional[str]
    replay: int
    status: Literal["pending", "delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"]
    tenant_id: str


class Endpoint(TypedDict):
    """An endpoint."""

    auth: Optional[str]  # The kind of its login.
    batch: Optional[Batch]
    capture_responses: bool
    created_at: str
    description: str
    disabled_reason: Optional[str]
    enabled: bool
    event_types: List[str]
    filter: Optional[Dict[str, Any]]
    format: str
    has_headers: bool
    has_tls: bool
    id: str
    kind: Literal["webhook", "pull"]  # pull: its events are read at /endpoints/{endpoint_id}/events.
    max_in_flight: Optional[int]
    metadata: Any
    on_failure: str
    ordering: str
    paused_at: Optional[str]  # Since when somebody has kept its deliveries waiting.
    paused_reason: Optional[str]
    rate_limit: Optional[int]  # Requests a second.
    retry_schedule_ms: Optional[List[int]]  # Before attempt 2, 3, …; null: the standard schedule.
    signing: Any  # Signing profiles.
    tenant_id: str
    timeout_ms: Optional[int]
    updated_at: str
    url: Optional[str]  # Null of an endpoint that is read.


class EndpointChanges(TypedDict, total=False):
    """What an endpoint is to be, or to become."""

    auth: Optional[Dict[str, Any]]  # basic, bearer or oauth2; never shown again.
    batch: Optional[NewBatch]
    capture_responses: Optional[bool]
    description: Optional[str]
    event_types: Optional[List[str]]  # Exact types, email.* or *; all if nothing is said.
    filter: Optional[Dict[str, Any]]  # A pattern over type, attributes, labels and data.
    format: Optional[Literal["postrider", "standard", "cloudevents", "raw"]]
    headers: Optional[Dict[str, str]]  # Of each request, beside those of ours; never shown again.
    max_in_flight: Optional[int]
    metadata: Optional[Dict[str, Any]]  # What you like, up to 4 KiB.
    on_failure: Optional[str]  # block, or skip:N after so many attempts.
    ordering: Optional[Literal["none", "key", "endpoint"]]
    rate_limit: Optional[int]  # Requests a second.
    retry_schedule_ms: Optional[List[int]]  # Before attempt 2, 3, …; null: the standard schedule.
    signing: Optional[List[Any]]  # Profiles as "github", "stripe=X-Signature", or as they are shown.
    timeout_ms: Optional[int]
    tls: Optional[NewTls]  # A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again.
    url: Optional[str]  # https, without user and password.


class _EndpointCreated(TypedDict):
    auth: Optional[str]  # The kind of its login.
    batch: Optional[Batch]
    capture_responses: bool
    created_at: str
    description: str
    disabled_reason: Optional[str]
    enabled: bool
    event_types: List[str]
    filter: Optional[Dict[str, Any]]
    format: str
    has_headers: bool
    has_tls: bool
    id: str
    kind: Literal["webhook", "pull"]  # pull: its events are read at /endpoints/{endpoint_id}/events.
    max_in_flight: Optional[int]
    metadata: Any
    on_failure: str
    ordering: str
    paused_at: Optional[str]  # Since when somebody has kept its deliveries waiting.
    paused_reason: Optional[str]
    rate_limit: Optional[int]  # Requests a second.
    retry_schedule_ms: Optional[List[int]]  # Before attempt 2, 3, …; null: the standard schedule.
    secret: Optional[str]  # The signing secret, shown this once; null if the caller brought it, or nobody needs it.
    signing: Any  # Signing profiles.
    tenant_id: str
    timeout_ms: Optional[int]
    updated_at: str
    url: Optional[str]  # Null of an endpoint that is read.


class EndpointCreated(_EndpointCreated, total=False):
    """An endpoint that was added just now."""

    backfill_job_id: Optional[str]  # The job that sends it what it would have wanted before.


class EndpointDeleted(TypedDict):
    """An endpoint that is gone."""

    cancelled: int  # Deliveries that were cancelled.
    deleted: bool
    id: str


class EndpointStats(TypedDict):
    """What was counted."""

    bucket: Literal["hour", "day"]
    data: List[StatsPeriod]
    since: str
    until: str


class EndpointTested(TypedDict):
    """A test that is on its way."""

    delivery_id: str
    event_id: str


class _Event(TypedDict):
    attributes: Optional[Dict[str, Any]]
    created_at: str
    expires_at: Optional[str]
    id: str
    labels: List[str]
    ordering_key: Optional[str]
    state: Literal["pending", "failed", "fanned_out"]
    tenant_id: str
    type: str


class Event(_Event, total=False):
    """An event in a list."""

    envelope: Optional[Dict[str, Any]]  # The body of every request, as it was published; not in the list of the newest.


class _EventDetail(TypedDict):
    attributes: Optional[Dict[str, Any]]
    created_at: str
    deliveries: Dict[str, int]  # How many deliveries it has, by their status; of more than a thousand the first thousand count.
    expires_at: Optional[str]
    id: str
    labels: List[str]
    ordering_key: Optional[str]
    problem: Optional[str]  # Why it is not fanned out yet, or never will be.
    state: Literal["pending", "failed", "fanned_out"]
    tenant_id: str
    traceparent: Optional[str]
    type: str


class EventDetail(_EventDetail, total=False):
    """An event with all that was published."""

    envelope: Optional[Dict[str, Any]]  # The body of every request, as it was published; not in the list of the newest.


class EventType(TypedDict):
    """A type."""

    created_at: str
    declared: bool  # False: nobody declared it, but an event of it was published.
    description: Optional[str]
    example: Any  # As it was given, or null.
    has_example: bool
    has_schema: bool
    name: str
    schema: Any  # As it was given, or null.
    schema_check: Literal["off", "report", "enforce"]
    updated_at: str
    version: int  # Another with every change of the schema or of its check.


class EventTypeDeleted(TypedDict):
    """A type that was removed."""

    deleted: bool
    name: str


class EventTypeImport(TypedDict):
    """Many types."""

    event_types: List[EventTypeImportItem]


class _EventTypeImportItem(TypedDict):
    name: str


class EventTypeImportItem(_EventTypeImportItem, total=False):
    """One of many types."""

    description: Optional[str]
    example: Any
    schema: Any
    schema_check: Optional[Literal["off", "report", "enforce"]]


class EventTypePlanned(TypedDict):
    """What an import does about one type."""

    change: Literal["added", "changed", "unchanged"]
    name: str


class EventTypeSummary(TypedDict):
    """A type in a list."""

    created_at: str
    declared: bool  # False: nobody declared it, but an event of it was published.
    description: Optional[str]
    has_example: bool
    has_schema: bool
    name: str
    schema_check: Literal["off", "report", "enforce"]
    updated_at: str
    version: int  # Another with every change of the schema or of its check.


class EventTypesImported(TypedDict):
    """What an import changed, or would."""

    added: int
    changed: int
    data: List[EventTypePlanned]
    dry_run: bool
    unchanged: int


class Existence(TypedDict):
    """Whether there is an event."""

    at: Optional[str]
    event_id: Optional[str]  # The newest.
    exists: bool
    tenant_id: Optional[str]


class Explanation(TypedDict):
    """What an event is to each endpoint of its tenant."""

    data: List[Verdict]
    event_id: str
    tenant_id: str


class FieldError(TypedDict):
    """A field that cannot be accepted."""

    code: str
    detail: str
    pointer: str  # A JSON pointer into the body, or ?name of a parameter.


class FilterTest(TypedDict, total=False):
    """A filter, and what it is tried on: exactly one of event, event_id and last."""

    event: Optional[SampleEvent]  # An event that need not exist.
    event_id: Optional[str]  # One that was published.
    event_types: Optional[List[str]]  # As an endpoint has them; all if nothing is said.
    filter: Optional[Dict[str, Any]]  # As an endpoint has it.
    last: Optional[int]  # So many that the tenant published last.
    tenant_id: Optional[str]  # An admin's to say; a tenant's key asks about its tenant.


FilterTested = Union["OneTried", "LastTried"]


class Job(TypedDict):
    """Bulk work in the background."""

    created_at: str
    endpoint_id: str
    error: Optional[str]
    expected: Optional[int]  # What was counted before it was made.
    finished_at: Optional[str]
    id: str
    kind: str
    looked_at: Optional[str]  # When the event was published up to which it has looked.
    made: int  # Deliveries made so far.
    rate: int  # Deliveries a second.
    reason: Optional[str]
    since: str
    started_at: Optional[str]
    state: Literal["queued", "running", "done", "stopped", "failed"]
    stop: bool  # Somebody asked it to stop.
    tenant_id: str
    until: str
    wanted: Dict[str, Any]


class LastTried(TypedDict):
    """What it would have matched among the last events."""

    event_ids: List[str]  # Those it matches, the newest first.
    failed_clauses: Dict[str, int]  # Of each clause that failed, by its JSON pointer into the endpoint, for how many events; one event may fail by several.
    looked_at: int
    matched: int
    missed: int
    oldest: Optional[str]  # When the oldest that was looked at was published.
    unreadable: int  # Events that no filter can read.


class _NewApiKey(TypedDict):
    name: str


class NewApiKey(_NewApiKey, total=False):
    """A key to be made."""

    expires_in: Optional[int]  # In seconds.
    scopes: Optional[List[Literal["read", "write", "publish"]]]  # All of them if nothing is said.
    tenant_id: Optional[str]  # None, or null: an admin key.


class _NewBackfill(TypedDict):
    since: str


class NewBackfill(_NewBackfill, total=False):
    """Events of which time are sent to a new endpoint besides those to come."""

    rate: Optional[int]  # Deliveries a second.


class NewBatch(TypedDict, total=False):
    """NewBatch"""

    encoding: Optional[str]
    max_bytes: Optional[int]
    max_events: Optional[int]
    max_wait_ms: Optional[int]


class NewEndpoint(TypedDict, total=False):
    """What an endpoint is to be, or to become."""

    auth: Optional[Dict[str, Any]]  # basic, bearer or oauth2; never shown again.
    backfill: Optional[NewBackfill]  # What it would have wanted before it was there is sent to it too, in the background.
    batch: Optional[NewBatch]
    capture_responses: Optional[bool]
    description: Optional[str]
    enabled: Optional[bool]
    event_types: Optional[List[str]]  # Exact types, email.* or *; all if nothing is said.
    filter: Optional[Dict[str, Any]]  # A pattern over type, attributes, labels and data.
    format: Optional[Literal["postrider", "standard", "cloudevents", "raw"]]
    headers: Optional[Dict[str, str]]  # Of each request, beside those of ours; never shown again.
    kind: Optional[Literal["webhook", "pull"]]  # webhook, if nothing is said; pull: its events are read, and it has no url.
    max_in_flight: Optional[int]
    metadata: Optional[Dict[str, Any]]  # What you like, up to 4 KiB.
    on_failure: Optional[str]  # block, or skip:N after so many attempts.
    ordering: Optional[Literal["none", "key", "endpoint"]]
    rate_limit: Optional[int]  # Requests a second.
    retry_schedule_ms: Optional[List[int]]  # Before attempt 2, 3, …; null: the standard schedule.
    secret: Optional[NewSecret]
    signing: Optional[List[Any]]  # Profiles as "github", "stripe=X-Signature", or as they are shown.
    tenant_id: Optional[str]  # An admin's to say; a tenant's key adds for its tenant.
    timeout_ms: Optional[int]
    tls: Optional[NewTls]  # A client certificate with its key, authorities of its own, or both; what is not named stays. Never shown again.
    url: str  # https, without user and password.


class _NewEvent(TypedDict):
    data: Any  # Kept byte for byte.
    type: str


class NewEvent(_NewEvent, total=False):
    """An event as it is sent to us."""

    attributes: Dict[str, Scalar]
    expires_after: Optional[int]  # In seconds.
    id: Optional[str]
    key: Optional[List[str]]  # The parts of a natural key, of which the id is made.
    labels: List[str]
    ordering_key: Optional[str]
    tenant_id: Optional[str]  # An admin's to say; a tenant's key publishes for its tenant.
    traceparent: Optional[str]  # As W3C Trace Context has it; another is dropped.


class NewEventType(TypedDict, total=False):
    """What is to be said of a type."""

    description: Optional[str]
    example: Any  # A payload, kept as it is given; it must fit the schema.
    schema: Any  # A JSON Schema of the payload that stands alone: it refers to no other document.
    schema_check: Optional[Literal["off", "report", "enforce"]]  # What becomes of payloads that do not fit; off if nothing is said.


class NewSecret(TypedDict, total=False):
    """A signing secret: one of the caller's, or a new one of a kind."""

    kind: Optional[Literal["standard", "opaque", "ed25519"]]
    value: Optional[str]  # One of yours; else a new one is made.


class NewTls(TypedDict, total=False):
    """PEM texts. No `Debug`: one of them is a key."""

    ca: Optional[str]  # The authorities that are believed, instead of the usual ones.
    certificate: Optional[str]  # The client certificate, with what is between it and its authority; together with its key.
    key: Optional[str]


class OneTried(TypedDict):
    """What it says of one event."""

    clauses: List[Dict[str, Any]]  # One for the event types and one for each clause: where it stands, whether it holds, and why. All must hold.
    matched: bool


class Pause(TypedDict, total=False):
    """Why an endpoint is paused."""

    reason: Optional[str]  # For whoever looks at it later.


class _Problem(TypedDict):
    code: str  # Stable: what a program goes by.
    detail: str  # For people.
    request_id: str  # Also in the header x-request-id and in the log of the daemon.
    status: int
    title: str
    type: str


class Problem(_Problem, total=False):
    """A problem as it is answered."""

    errors: List[FieldError]


class Published(TypedDict):
    """What came of publishing."""

    id: str
    outcome: str  # inserted or duplicate.
    tenant_id: str
    type: str


ReasonWord = Literal["matched", "pending", "failed", "type", "filter", "broken_filter", "disabled", "created_later", "changed_since", "own_trouble", "read"]


class _Recover(TypedDict):
    since: str  # Of events published not before this.


class Recover(_Recover, total=False):
    """What is to be recovered."""

    dry_run: bool  # Only count.
    event_types: Optional[List[str]]
    missed: bool  # What the endpoint would want and never got, too.
    rate: Optional[int]  # Deliveries a second.
    reason: Optional[str]  # For the job's own record.
    statuses: Optional[List[Literal["delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"]]]  # What the last delivery has become; exhausted, rejected, skipped and cancelled if nothing is said.
    until: Optional[str]  # And before this; now if nothing is said.


class Redeliver(TypedDict, total=False):
    """What to send again."""

    endpoint_id: Optional[str]  # Only to this one; else to all that it was sent to.


class Redeliveries(TypedDict):
    """What was done, endpoint by endpoint."""

    data: List[Redelivery]
    event_id: str


class _Redelivery(TypedDict):
    delivery_id: Optional[str]
    endpoint_id: str
    redelivered: bool


class Redelivery(_Redelivery, total=False):
    """What came of sending it to one endpoint."""

    reason: Optional[str]  # Why not: still_owed or endpoint_disabled.
    replay: Optional[int]


Retried = Union[Dict[str, Any], "Redelivery"]


class Rotation(TypedDict, total=False):
    """What a new secret is to be, and how long those before it stay."""

    overlap: Optional[int]  # How long those before it go on signing, in seconds; null: for ever; a day if nothing is said.
    secret: Optional[NewSecret]


class _SampleEvent(TypedDict):
    data: Any
    type: str


class SampleEvent(_SampleEvent, total=False):
    """An event to try a filter on."""

    attributes: Dict[str, Any]
    labels: List[str]


Scalar = Union[str, float, bool]


class SecretRotated(TypedDict):
    """A secret that was added just now."""

    created_at: str
    endpoint_id: str
    id: str
    kind: str
    public_key: Optional[str]  # Of a key pair.
    secret: Optional[str]  # Shown this once; null if the caller brought it, or nobody needs it.


class Sent(TypedDict):
    """A delivery of it."""

    id: str
    status: Literal["pending", "delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"]


class Stats(TypedDict):
    """What was counted."""

    cut: bool  # The smallest groups were left out.
    data: List[StatsGroup]  # A thousand at most.
    since: str
    until: str


class StatsGroup(TypedDict):
    """StatsGroup"""

    count: int
    key: Optional[str]  # Null: of events that have no such value.
    unique: Optional[int]  # How many values there were of what `unique` names.


class StatsPeriod(TypedDict):
    """StatsPeriod"""

    at: str  # Its beginning.
    attempts: int  # Made for these deliveries so far.
    deliveries: Dict[str, int]  # By status.


class Tenant(TypedDict):
    """A tenant. It is there by its name, whether anything was ever set of it or not."""

    id: str
    max_in_flight: Optional[int]  # Requests in flight to all its endpoints together; null: no limit.
    rate_limit: Optional[int]  # Requests a second to all its endpoints together; null: no limit.
    updated_at: Optional[str]  # Null: nothing was ever set.
    workflows_config: WorkflowsConfig


class TenantChanges(TypedDict, total=False):
    """What is to change of a tenant. What is left out stays."""

    max_in_flight: Optional[int]  # Null: no limit. For admins.
    rate_limit: Optional[int]  # Null: no limit. For admins.
    workflows_config: WorkflowsChanges


class Verdict(TypedDict):
    """What an event is to one endpoint."""

    clauses: Optional[List[Dict[str, Any]]]  # What became of each clause of its types and filter, as they are now.
    deliveries: List[Sent]
    detail: str  # The reason in words.
    endpoint_id: str
    reason: ReasonWord
    url: Optional[str]  # Null: it was deleted.


class WorkflowsChanges(TypedDict, total=False):
    """The same of its e-mails. What is not known here is ignored: others keep settings of theirs in the same place."""

    capture_messaging_engagement_events: bool


class WorkflowsConfig(TypedDict):
    """What becomes of what people do with the tenant's e-mails."""

    capture_messaging_engagement_events: bool  # Whether such events go to analytics.
