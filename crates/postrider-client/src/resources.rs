//! The resources of the API and what can be done with them.
//! Written by `crates/postrider-client/generate` from the OpenAPI document: do not edit.

use http::Method;

use crate::request::{Request, part};
use crate::types::*;
use crate::{Client, Error, Pages};

impl Client {
    /// `api_keys` of the API.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeysApi<'_> {
        ApiKeysApi(self)
    }

    /// `audit` of the API.
    #[must_use]
    pub fn audit(&self) -> AuditApi<'_> {
        AuditApi(self)
    }

    /// `deliveries` of the API.
    #[must_use]
    pub fn deliveries(&self) -> DeliveriesApi<'_> {
        DeliveriesApi(self)
    }

    /// `endpoints` of the API.
    #[must_use]
    pub fn endpoints(&self) -> EndpointsApi<'_> {
        EndpointsApi(self)
    }

    /// `event_types` of the API.
    #[must_use]
    pub fn event_types(&self) -> EventTypesApi<'_> {
        EventTypesApi(self)
    }

    /// `events` of the API.
    #[must_use]
    pub fn events(&self) -> EventsApi<'_> {
        EventsApi(self)
    }

    /// `filters` of the API.
    #[must_use]
    pub fn filters(&self) -> FiltersApi<'_> {
        FiltersApi(self)
    }

    /// `jobs` of the API.
    #[must_use]
    pub fn jobs(&self) -> JobsApi<'_> {
        JobsApi(self)
    }

    /// `tenants` of the API.
    #[must_use]
    pub fn tenants(&self) -> TenantsApi<'_> {
        TenantsApi(self)
    }
}

/// `api_keys` of the API.
#[derive(Debug, Clone, Copy)]
pub struct ApiKeysApi<'a>(&'a Client);

impl ApiKeysApi<'_> {
    /// Keys, never the keys themselves.
    pub fn list(&self, query: &ListApiKeysQuery) -> Pages<ApiKey> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/api-keys").query(query))
    }

    /// Makes a key, which is shown this once.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn create(&self, body: &NewApiKey) -> Result<ApiKeyCreated, Error> {
        self.0.call(Request::new(Method::POST, "/api/v1/api-keys").body(body)).await
    }

    /// Ends a key at once.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn revoke(&self, key_id: &str) -> Result<ApiKeyRevoked, Error> {
        self.0
            .call(Request::new(Method::DELETE, format!("/api/v1/api-keys/{}", part(key_id))))
            .await
    }
}

/// `audit` of the API.
#[derive(Debug, Clone, Copy)]
pub struct AuditApi<'a>(&'a Client);

impl AuditApi<'_> {
    /// Every change of what people set, the newest first.
    pub fn list(&self, query: &ListAuditQuery) -> Pages<AuditEntry> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/audit").query(query))
    }
}

/// `deliveries` of the API.
#[derive(Debug, Clone, Copy)]
pub struct DeliveriesApi<'a>(&'a Client);

impl DeliveriesApi<'_> {
    /// Deliveries, those of the newest events first.
    pub fn list(&self, query: &ListDeliveriesQuery) -> Pages<Delivery> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/deliveries").query(query))
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn get(&self, delivery_id: &str) -> Result<Delivery, Error> {
        self.0
            .call(Request::new(Method::GET, format!("/api/v1/deliveries/{}", part(delivery_id))))
            .await
    }

    /// The requests that were made for a delivery, and what was answered.
    pub fn attempts(&self, delivery_id: &str) -> Pages<Attempt> {
        Pages::new(
            self.0,
            Request::new(Method::GET, format!("/api/v1/deliveries/{}/attempts", part(delivery_id))),
        )
    }

    /// Ends an open delivery.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn cancel(&self, delivery_id: &str) -> Result<Delivery, Error> {
        self.0
            .call(Request::new(
                Method::POST,
                format!("/api/v1/deliveries/{}/cancel", part(delivery_id)),
            ))
            .await
    }

    /// Makes an open delivery due now, and sends what a closed one was about once more.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn retry(&self, delivery_id: &str) -> Result<Retried, Error> {
        self.0
            .call(Request::new(
                Method::POST,
                format!("/api/v1/deliveries/{}/retry", part(delivery_id)),
            ))
            .await
    }
}

/// `endpoints` of the API.
#[derive(Debug, Clone, Copy)]
pub struct EndpointsApi<'a>(&'a Client);

impl EndpointsApi<'_> {
    /// Endpoints, the oldest first.
    pub fn list(&self, query: &ListEndpointsQuery) -> Pages<Endpoint> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/endpoints").query(query))
    }

    /// Adds an endpoint.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn create(&self, body: &NewEndpoint) -> Result<EndpointCreated, Error> {
        self.0.call(Request::new(Method::POST, "/api/v1/endpoints").body(body)).await
    }

    /// Deletes an endpoint and cancels what it is owed.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn delete(&self, endpoint_id: &str) -> Result<EndpointDeleted, Error> {
        self.0
            .call(Request::new(Method::DELETE, format!("/api/v1/endpoints/{}", part(endpoint_id))))
            .await
    }

    /// One endpoint, with its ETag.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn get(&self, endpoint_id: &str) -> Result<Endpoint, Error> {
        self.0
            .call(Request::new(Method::GET, format!("/api/v1/endpoints/{}", part(endpoint_id))))
            .await
    }

    /// Changes what is named and looks at nothing else; with If-Match only if nobody has changed it.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn update(
        &self,
        endpoint_id: &str,
        body: &EndpointChanges,
    ) -> Result<Endpoint, Error> {
        self.0
            .call(
                Request::new(Method::PATCH, format!("/api/v1/endpoints/{}", part(endpoint_id)))
                    .body(body),
            )
            .await
    }

    /// What an endpoint is owed and got, also of one that was deleted.
    pub fn deliveries(
        &self,
        endpoint_id: &str,
        query: &ListEndpointDeliveriesQuery,
    ) -> Pages<Delivery> {
        Pages::new(
            self.0,
            Request::new(
                Method::GET,
                format!("/api/v1/endpoints/{}/deliveries", part(endpoint_id)),
            )
            .query(query),
        )
    }

    /// Stops an endpoint and cancels what it is owed.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn disable(&self, endpoint_id: &str) -> Result<Endpoint, Error> {
        self.0
            .call(Request::new(
                Method::POST,
                format!("/api/v1/endpoints/{}/disable", part(endpoint_id)),
            ))
            .await
    }

    /// Lets an endpoint have new events; sends nothing old.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn enable(&self, endpoint_id: &str) -> Result<Endpoint, Error> {
        self.0
            .call(Request::new(
                Method::POST,
                format!("/api/v1/endpoints/{}/enable", part(endpoint_id)),
            ))
            .await
    }

    /// What an endpoint wants, in order, read by who cannot be reached; a cursor acknowledges what came before it, if the key has the scope write.
    pub fn events(&self, endpoint_id: &str, query: &PullEventsQuery) -> Pages<Event> {
        Pages::new(
            self.0,
            Request::new(Method::GET, format!("/api/v1/endpoints/{}/events", part(endpoint_id)))
                .query(query),
        )
    }

    /// Keeps what an endpoint is owed waiting; events go on being matched, and nothing is lost.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn pause(&self, endpoint_id: &str, body: Option<&Pause>) -> Result<Endpoint, Error> {
        self.0
            .call(
                Request::new(
                    Method::POST,
                    format!("/api/v1/endpoints/{}/pause", part(endpoint_id)),
                )
                .body_if(body),
            )
            .await
    }

    /// Sends what an endpoint failed to get, or missed, once more, in the background.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn recover(
        &self,
        endpoint_id: &str,
        body: &Recover,
    ) -> Result<RecoverEndpointAnswer, Error> {
        self.0
            .call(
                Request::new(
                    Method::POST,
                    format!("/api/v1/endpoints/{}/recover", part(endpoint_id)),
                )
                .body(body),
            )
            .await
    }

    /// Lets a paused endpoint go on, with a clean record of its health; what waited goes at once.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn resume(&self, endpoint_id: &str) -> Result<Endpoint, Error> {
        self.0
            .call(Request::new(
                Method::POST,
                format!("/api/v1/endpoints/{}/resume", part(endpoint_id)),
            ))
            .await
    }

    /// Gives an endpoint a new secret beside those it has, which end after the overlap.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn rotate_secret(
        &self,
        endpoint_id: &str,
        body: Option<&Rotation>,
    ) -> Result<SecretRotated, Error> {
        self.0
            .call(
                Request::new(
                    Method::POST,
                    format!("/api/v1/endpoints/{}/rotate-secret", part(endpoint_id)),
                )
                .body_if(body),
            )
            .await
    }

    /// What became of an endpoint's deliveries, by the hour or the day of their events.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn stats(
        &self,
        endpoint_id: &str,
        query: &EndpointStatsQuery,
    ) -> Result<EndpointStats, Error> {
        self.0
            .call(
                Request::new(Method::GET, format!("/api/v1/endpoints/{}/stats", part(endpoint_id)))
                    .query(query),
            )
            .await
    }

    /// Sends a signed test event, whose delivery says what came of it.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn test(&self, endpoint_id: &str) -> Result<EndpointTested, Error> {
        self.0
            .call(Request::new(
                Method::POST,
                format!("/api/v1/endpoints/{}/test", part(endpoint_id)),
            ))
            .await
    }
}

/// `event_types` of the API.
#[derive(Debug, Clone, Copy)]
pub struct EventTypesApi<'a>(&'a Client);

impl EventTypesApi<'_> {
    /// Event types by name, without their schemas and examples.
    pub fn list(&self, query: &ListEventTypesQuery) -> Pages<EventTypeSummary> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/event-types").query(query))
    }

    /// Declares many types, all or none; what is not named stays as it is.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn import(
        &self,
        body: &EventTypeImport,
        query: &ImportEventTypesQuery,
    ) -> Result<EventTypesImported, Error> {
        self.0.call(Request::new(Method::PUT, "/api/v1/event-types").query(query).body(body)).await
    }

    /// Removes a type from the catalog.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn delete(&self, event_type: &str) -> Result<EventTypeDeleted, Error> {
        self.0
            .call(Request::new(Method::DELETE, format!("/api/v1/event-types/{}", part(event_type))))
            .await
    }

    /// An event type with its schema and example.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn get(&self, event_type: &str) -> Result<EventType, Error> {
        self.0
            .call(Request::new(Method::GET, format!("/api/v1/event-types/{}", part(event_type))))
            .await
    }

    /// Declares a type, or says something else of it.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn put(&self, event_type: &str, body: &NewEventType) -> Result<EventType, Error> {
        self.0
            .call(
                Request::new(Method::PUT, format!("/api/v1/event-types/{}", part(event_type)))
                    .body(body),
            )
            .await
    }
}

/// `events` of the API.
#[derive(Debug, Clone, Copy)]
pub struct EventsApi<'a>(&'a Client);

impl EventsApi<'_> {
    /// Events, the newest first; attribute.NAME=VALUE narrows by an attribute.
    pub fn list(&self, query: &ListEventsQuery) -> Pages<Event> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/events").query(query))
    }

    /// Publishes an event.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn publish(&self, body: &NewEvent) -> Result<Published, Error> {
        self.0.call(Request::new(Method::POST, "/api/v1/events").body(body)).await
    }

    /// Whether there is such an event, and the newest one; attribute.NAME=VALUE narrows by an attribute.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn exists(&self, query: &EventExistsQuery) -> Result<Existence, Error> {
        self.0.call(Request::new(Method::GET, "/api/v1/events/exists").query(query)).await
    }

    /// How many events there were, by what, and how many users or other values they had.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn stats(&self, query: &EventStatsQuery) -> Result<Stats, Error> {
        self.0.call(Request::new(Method::GET, "/api/v1/events/stats").query(query)).await
    }

    /// One event with its envelope.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn get(&self, event_id: &str, query: &ShowEventQuery) -> Result<EventDetail, Error> {
        self.0
            .call(
                Request::new(Method::GET, format!("/api/v1/events/{}", part(event_id)))
                    .query(query),
            )
            .await
    }

    /// Where an event went.
    pub fn deliveries(&self, event_id: &str, query: &ListEventDeliveriesQuery) -> Pages<Delivery> {
        Pages::new(
            self.0,
            Request::new(Method::GET, format!("/api/v1/events/{}/deliveries", part(event_id)))
                .query(query),
        )
    }

    /// Every endpoint of its tenant, matched or not, and the reason.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn explain(
        &self,
        event_id: &str,
        query: &ExplainEventQuery,
    ) -> Result<Explanation, Error> {
        self.0
            .call(
                Request::new(Method::GET, format!("/api/v1/events/{}/explain", part(event_id)))
                    .query(query),
            )
            .await
    }

    /// Sends an event again, to one endpoint or to all it was sent to.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn redeliver(
        &self,
        event_id: &str,
        body: Option<&Redeliver>,
        query: &RedeliverEventQuery,
    ) -> Result<Redeliveries, Error> {
        self.0
            .call(
                Request::new(Method::POST, format!("/api/v1/events/{}/redeliver", part(event_id)))
                    .query(query)
                    .body_if(body),
            )
            .await
    }
}

/// `filters` of the API.
#[derive(Debug, Clone, Copy)]
pub struct FiltersApi<'a>(&'a Client);

impl FiltersApi<'_> {
    /// What event types and a filter say of an event, clause by clause, or would have matched among the last ones.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn test(&self, body: &FilterTest) -> Result<FilterTested, Error> {
        self.0.call(Request::new(Method::POST, "/api/v1/filters/test").body(body)).await
    }
}

/// `jobs` of the API.
#[derive(Debug, Clone, Copy)]
pub struct JobsApi<'a>(&'a Client);

impl JobsApi<'_> {
    /// Jobs, the newest first.
    pub fn list(&self, query: &ListJobsQuery) -> Pages<Job> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/jobs").query(query))
    }

    /// One job.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn get(&self, job_id: &str) -> Result<Job, Error> {
        self.0.call(Request::new(Method::GET, format!("/api/v1/jobs/{}", part(job_id)))).await
    }

    /// Asks a job to stop, which it does within its next step.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn stop(&self, job_id: &str) -> Result<Job, Error> {
        self.0.call(Request::new(Method::POST, format!("/api/v1/jobs/{}/stop", part(job_id)))).await
    }
}

/// `tenants` of the API.
#[derive(Debug, Clone, Copy)]
pub struct TenantsApi<'a>(&'a Client);

impl TenantsApi<'_> {
    /// Tenants that ever published, had an endpoint or have settings, by their names.
    pub fn list(&self, query: &ListTenantsQuery) -> Pages<Tenant> {
        Pages::new(self.0, Request::new(Method::GET, "/api/v1/tenants").query(query))
    }

    /// What is set of a tenant.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn get(&self, tenant_id: &str) -> Result<Tenant, Error> {
        self.0.call(Request::new(Method::GET, format!("/api/v1/tenants/{}", part(tenant_id)))).await
    }

    /// Changes what is named of a tenant; its limits are for admins to say.
    ///
    /// # Errors
    /// [`Error::Problem`] with what the API answered, or [`Error::Unreachable`].
    pub async fn update(&self, tenant_id: &str, body: &TenantChanges) -> Result<Tenant, Error> {
        self.0
            .call(
                Request::new(Method::PATCH, format!("/api/v1/tenants/{}", part(tenant_id)))
                    .body(body),
            )
            .await
    }
}
