"""The resources of the API and what can be done with them. Written by `crates/postrider-client/generate` from the OpenAPI document: do not edit."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Literal, Optional, Union

from . import types
from .transport import Resource, Transport


class ApiKeysApi(Resource):
    def list(
        self,
        *,
        tenant_id: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.ApiKey]:
        """Keys, never the keys themselves."""
        return self._pages("GET", "/api/v1/api-keys", query={"tenant_id": tenant_id, "limit": limit, "cursor": cursor})

    def create(self, body: types.NewApiKey, *, idempotency_key: Optional[str] = None) -> types.ApiKeyCreated:
        """Makes a key, which is shown this once."""
        return self._call("POST", "/api/v1/api-keys", body=body, idempotency_key=idempotency_key)

    def revoke(self, key_id: str) -> types.ApiKeyRevoked:
        """Ends a key at once."""
        return self._call("DELETE", f"/api/v1/api-keys/{self._part(key_id)}")


class AuditApi(Resource):
    def list(
        self,
        *,
        tenant_id: Optional[str] = None,
        subject: Optional[str] = None,
        action: Optional[str] = None,
        since: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.AuditEntry]:
        """Every change of what people set, the newest first."""
        return self._pages("GET", "/api/v1/audit", query={"tenant_id": tenant_id, "subject": subject, "action": action, "since": since, "limit": limit, "cursor": cursor})


class DeliveriesApi(Resource):
    def list(
        self,
        *,
        tenant_id: Optional[str] = None,
        status: Optional[Literal["pending", "delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"]] = None,
        since: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.Delivery]:
        """Deliveries, those of the newest events first."""
        return self._pages("GET", "/api/v1/deliveries", query={"tenant_id": tenant_id, "status": status, "since": since, "limit": limit, "cursor": cursor})

    def get(self, delivery_id: str) -> types.Delivery:
        """One delivery."""
        return self._call("GET", f"/api/v1/deliveries/{self._part(delivery_id)}")

    def attempts(self, delivery_id: str) -> Iterator[types.Attempt]:
        """The requests that were made for a delivery, and what was answered."""
        return self._pages("GET", f"/api/v1/deliveries/{self._part(delivery_id)}/attempts")

    def cancel(self, delivery_id: str, *, idempotency_key: Optional[str] = None) -> types.Delivery:
        """Ends an open delivery."""
        return self._call("POST", f"/api/v1/deliveries/{self._part(delivery_id)}/cancel", idempotency_key=idempotency_key)

    def retry(self, delivery_id: str, *, idempotency_key: Optional[str] = None) -> types.Retried:
        """Makes an open delivery due now, and sends what a closed one was about once more."""
        return self._call("POST", f"/api/v1/deliveries/{self._part(delivery_id)}/retry", idempotency_key=idempotency_key)


class EndpointsApi(Resource):
    def list(
        self,
        *,
        tenant_id: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.Endpoint]:
        """Endpoints, the oldest first."""
        return self._pages("GET", "/api/v1/endpoints", query={"tenant_id": tenant_id, "limit": limit, "cursor": cursor})

    def create(self, body: types.NewEndpoint, *, idempotency_key: Optional[str] = None) -> types.EndpointCreated:
        """Adds an endpoint."""
        return self._call("POST", "/api/v1/endpoints", body=body, idempotency_key=idempotency_key)

    def delete(self, endpoint_id: str) -> types.EndpointDeleted:
        """Deletes an endpoint and cancels what it is owed."""
        return self._call("DELETE", f"/api/v1/endpoints/{self._part(endpoint_id)}")

    def get(self, endpoint_id: str) -> types.Endpoint:
        """One endpoint, with its ETag."""
        return self._call("GET", f"/api/v1/endpoints/{self._part(endpoint_id)}")

    def update(
        self,
        endpoint_id: str,
        body: types.EndpointChanges,
        *,
        if_match: Optional[str] = None,
    ) -> types.Endpoint:
        """Changes what is named and looks at nothing else; with If-Match only if nobody has changed it."""
        return self._call("PATCH", f"/api/v1/endpoints/{self._part(endpoint_id)}", body=body, if_match=if_match)

    def deliveries(
        self,
        endpoint_id: str,
        *,
        status: Optional[Literal["pending", "delivered", "exhausted", "rejected", "skipped", "expired", "cancelled"]] = None,
        since: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.Delivery]:
        """What an endpoint is owed and got, also of one that was deleted."""
        return self._pages("GET", f"/api/v1/endpoints/{self._part(endpoint_id)}/deliveries", query={"status": status, "since": since, "limit": limit, "cursor": cursor})

    def disable(self, endpoint_id: str, *, idempotency_key: Optional[str] = None) -> types.Endpoint:
        """Stops an endpoint and cancels what it is owed."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/disable", idempotency_key=idempotency_key)

    def enable(self, endpoint_id: str, *, idempotency_key: Optional[str] = None) -> types.Endpoint:
        """Lets an endpoint have new events; sends nothing old."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/enable", idempotency_key=idempotency_key)

    def events(
        self,
        endpoint_id: str,
        *,
        after: Optional[str] = None,
        limit: Optional[int] = None,
        wait: Optional[int] = None,
    ) -> Iterator[types.Event]:
        """What an endpoint wants, in order, read by who cannot be reached; a cursor acknowledges what came before it, if the key has the scope write."""
        return self._pages("GET", f"/api/v1/endpoints/{self._part(endpoint_id)}/events", query={"after": after, "limit": limit, "wait": wait})

    def pause(
        self,
        endpoint_id: str,
        body: Optional[types.Pause] = None,
        *,
        idempotency_key: Optional[str] = None,
    ) -> types.Endpoint:
        """Keeps what an endpoint is owed waiting; events go on being matched, and nothing is lost."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/pause", body=body, idempotency_key=idempotency_key)

    def recover(
        self,
        endpoint_id: str,
        body: types.Recover,
        *,
        idempotency_key: Optional[str] = None,
    ) -> Union[types.Counted, types.Job]:
        """Sends what an endpoint failed to get, or missed, once more, in the background."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/recover", body=body, idempotency_key=idempotency_key)

    def resume(self, endpoint_id: str, *, idempotency_key: Optional[str] = None) -> types.Endpoint:
        """Lets a paused endpoint go on, with a clean record of its health; what waited goes at once."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/resume", idempotency_key=idempotency_key)

    def rotate_secret(
        self,
        endpoint_id: str,
        body: Optional[types.Rotation] = None,
        *,
        idempotency_key: Optional[str] = None,
    ) -> types.SecretRotated:
        """Gives an endpoint a new secret beside those it has, which end after the overlap."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/rotate-secret", body=body, idempotency_key=idempotency_key)

    def stats(
        self,
        endpoint_id: str,
        *,
        since: Optional[str] = None,
        until: Optional[str] = None,
        bucket: Optional[Literal["hour", "day"]] = None,
    ) -> types.EndpointStats:
        """What became of an endpoint's deliveries, by the hour or the day of their events."""
        return self._call("GET", f"/api/v1/endpoints/{self._part(endpoint_id)}/stats", query={"since": since, "until": until, "bucket": bucket})

    def test(self, endpoint_id: str, *, idempotency_key: Optional[str] = None) -> types.EndpointTested:
        """Sends a signed test event, whose delivery says what came of it."""
        return self._call("POST", f"/api/v1/endpoints/{self._part(endpoint_id)}/test", idempotency_key=idempotency_key)


class EventTypesApi(Resource):
    def list(
        self,
        *,
        declared: Optional[bool] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.EventTypeSummary]:
        """Event types by name, without their schemas and examples."""
        return self._pages("GET", "/api/v1/event-types", query={"declared": declared, "limit": limit, "cursor": cursor})

    def import_(self, body: types.EventTypeImport, *, dry_run: Optional[bool] = None) -> types.EventTypesImported:
        """Declares many types, all or none; what is not named stays as it is."""
        return self._call("PUT", "/api/v1/event-types", query={"dry_run": dry_run}, body=body)

    def delete(self, event_type: str) -> types.EventTypeDeleted:
        """Removes a type from the catalog."""
        return self._call("DELETE", f"/api/v1/event-types/{self._part(event_type)}")

    def get(self, event_type: str) -> types.EventType:
        """An event type with its schema and example."""
        return self._call("GET", f"/api/v1/event-types/{self._part(event_type)}")

    def put(self, event_type: str, body: types.NewEventType) -> types.EventType:
        """Declares a type, or says something else of it."""
        return self._call("PUT", f"/api/v1/event-types/{self._part(event_type)}", body=body)


class EventsApi(Resource):
    def list(
        self,
        *,
        tenant_id: Optional[str] = None,
        type: Optional[str] = None,
        distinct_id: Optional[str] = None,
        label: Optional[str] = None,
        state: Optional[Literal["pending", "failed", "fanned_out"]] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        within: Optional[str] = None,
        order: Optional[Literal["asc", "desc"]] = None,
        after: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.Event]:
        """Events, the newest first; attribute.NAME=VALUE narrows by an attribute."""
        return self._pages("GET", "/api/v1/events", query={"tenant_id": tenant_id, "type": type, "distinct_id": distinct_id, "label": label, "state": state, "since": since, "until": until, "within": within, "order": order, "after": after, "limit": limit, "cursor": cursor})

    def publish(self, body: types.NewEvent, *, idempotency_key: Optional[str] = None) -> types.Published:
        """Publishes an event."""
        return self._call("POST", "/api/v1/events", body=body, idempotency_key=idempotency_key)

    def exists(
        self,
        *,
        tenant_id: Optional[str] = None,
        type: Optional[str] = None,
        distinct_id: Optional[str] = None,
        label: Optional[str] = None,
        state: Optional[Literal["pending", "failed", "fanned_out"]] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        within: Optional[str] = None,
    ) -> types.Existence:
        """Whether there is such an event, and the newest one; attribute.NAME=VALUE narrows by an attribute."""
        return self._call("GET", "/api/v1/events/exists", query={"tenant_id": tenant_id, "type": type, "distinct_id": distinct_id, "label": label, "state": state, "since": since, "until": until, "within": within})

    def stats(
        self,
        *,
        tenant_id: Optional[str] = None,
        type: Optional[str] = None,
        group_by: Optional[str] = None,
        unique: Optional[str] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
    ) -> types.Stats:
        """How many events there were, by what, and how many users or other values they had."""
        return self._call("GET", "/api/v1/events/stats", query={"tenant_id": tenant_id, "type": type, "group_by": group_by, "unique": unique, "since": since, "until": until})

    def get(self, event_id: str, *, tenant_id: Optional[str] = None) -> types.EventDetail:
        """One event with its envelope."""
        return self._call("GET", f"/api/v1/events/{self._part(event_id)}", query={"tenant_id": tenant_id})

    def deliveries(self, event_id: str, *, tenant_id: Optional[str] = None) -> Iterator[types.Delivery]:
        """Where an event went."""
        return self._pages("GET", f"/api/v1/events/{self._part(event_id)}/deliveries", query={"tenant_id": tenant_id})

    def explain(self, event_id: str, *, tenant_id: Optional[str] = None) -> types.Explanation:
        """Every endpoint of its tenant, matched or not, and the reason."""
        return self._call("GET", f"/api/v1/events/{self._part(event_id)}/explain", query={"tenant_id": tenant_id})

    def redeliver(
        self,
        event_id: str,
        body: Optional[types.Redeliver] = None,
        *,
        tenant_id: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> types.Redeliveries:
        """Sends an event again, to one endpoint or to all it was sent to."""
        return self._call("POST", f"/api/v1/events/{self._part(event_id)}/redeliver", query={"tenant_id": tenant_id}, body=body, idempotency_key=idempotency_key)


class FiltersApi(Resource):
    def test(self, body: types.FilterTest, *, idempotency_key: Optional[str] = None) -> types.FilterTested:
        """What event types and a filter say of an event, clause by clause, or would have matched among the last ones."""
        return self._call("POST", "/api/v1/filters/test", body=body, idempotency_key=idempotency_key)


class JobsApi(Resource):
    def list(
        self,
        *,
        tenant_id: Optional[str] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
    ) -> Iterator[types.Job]:
        """Jobs, the newest first."""
        return self._pages("GET", "/api/v1/jobs", query={"tenant_id": tenant_id, "limit": limit, "cursor": cursor})

    def get(self, job_id: str) -> types.Job:
        """One job."""
        return self._call("GET", f"/api/v1/jobs/{self._part(job_id)}")

    def stop(self, job_id: str, *, idempotency_key: Optional[str] = None) -> types.Job:
        """Asks a job to stop, which it does within its next step."""
        return self._call("POST", f"/api/v1/jobs/{self._part(job_id)}/stop", idempotency_key=idempotency_key)


class TenantsApi(Resource):
    def list(self, *, limit: Optional[int] = None, cursor: Optional[str] = None) -> Iterator[types.Tenant]:
        """Tenants that ever published, had an endpoint or have settings, by their names."""
        return self._pages("GET", "/api/v1/tenants", query={"limit": limit, "cursor": cursor})

    def get(self, tenant_id: str) -> types.Tenant:
        """What is set of a tenant."""
        return self._call("GET", f"/api/v1/tenants/{self._part(tenant_id)}")

    def update(self, tenant_id: str, body: types.TenantChanges, *, if_match: Optional[str] = None) -> types.Tenant:
        """Changes what is named of a tenant; its limits are for admins to say."""
        return self._call("PATCH", f"/api/v1/tenants/{self._part(tenant_id)}", body=body, if_match=if_match)


class Resources:
    def __init__(self, transport: Transport) -> None:
        self.api_keys = ApiKeysApi(transport)
        self.audit = AuditApi(transport)
        self.deliveries = DeliveriesApi(transport)
        self.endpoints = EndpointsApi(transport)
        self.event_types = EventTypesApi(transport)
        self.events = EventsApi(transport)
        self.filters = FiltersApi(transport)
        self.jobs = JobsApi(transport)
        self.tenants = TenantsApi(transport)
