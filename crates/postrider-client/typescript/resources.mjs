// Written by crates/postrider-client/generate from the OpenAPI document: do not edit.

class ApiKeysApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ tenant_id, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/api-keys', { query: { tenant_id, limit, cursor } })
  }

  create(body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', '/api/v1/api-keys', { body, idempotencyKey })
  }

  revoke(keyId) {
    return this.#transport.call('DELETE', `/api/v1/api-keys/${encodeURIComponent(keyId)}`)
  }
}

class AuditApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ tenant_id, subject, action, since, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/audit', { query: { tenant_id, subject, action, since, limit, cursor } })
  }
}

class DeliveriesApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ tenant_id, status, since, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/deliveries', { query: { tenant_id, status, since, limit, cursor } })
  }

  get(deliveryId) {
    return this.#transport.call('GET', `/api/v1/deliveries/${encodeURIComponent(deliveryId)}`)
  }

  attempts(deliveryId) {
    return this.#transport.pages('GET', `/api/v1/deliveries/${encodeURIComponent(deliveryId)}/attempts`)
  }

  cancel(deliveryId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/deliveries/${encodeURIComponent(deliveryId)}/cancel`, { idempotencyKey })
  }

  retry(deliveryId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/deliveries/${encodeURIComponent(deliveryId)}/retry`, { idempotencyKey })
  }
}

class EndpointsApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ tenant_id, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/endpoints', { query: { tenant_id, limit, cursor } })
  }

  create(body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', '/api/v1/endpoints', { body, idempotencyKey })
  }

  delete(endpointId) {
    return this.#transport.call('DELETE', `/api/v1/endpoints/${encodeURIComponent(endpointId)}`)
  }

  get(endpointId) {
    return this.#transport.call('GET', `/api/v1/endpoints/${encodeURIComponent(endpointId)}`)
  }

  update(endpointId, body, { ifMatch } = {}) {
    return this.#transport.call('PATCH', `/api/v1/endpoints/${encodeURIComponent(endpointId)}`, { body, ifMatch })
  }

  deliveries(endpointId, { status, since, limit, cursor } = {}) {
    return this.#transport.pages('GET', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/deliveries`, { query: { status, since, limit, cursor } })
  }

  disable(endpointId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/disable`, { idempotencyKey })
  }

  enable(endpointId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/enable`, { idempotencyKey })
  }

  events(endpointId, { after, limit, wait } = {}) {
    return this.#transport.pages('GET', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/events`, { query: { after, limit, wait } })
  }

  pause(endpointId, body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/pause`, { body, idempotencyKey })
  }

  recover(endpointId, body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/recover`, { body, idempotencyKey })
  }

  resume(endpointId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/resume`, { idempotencyKey })
  }

  rotateSecret(endpointId, body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/rotate-secret`, { body, idempotencyKey })
  }

  stats(endpointId, { since, until, bucket } = {}) {
    return this.#transport.call('GET', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/stats`, { query: { since, until, bucket } })
  }

  test(endpointId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/endpoints/${encodeURIComponent(endpointId)}/test`, { idempotencyKey })
  }
}

class EventTypesApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ declared, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/event-types', { query: { declared, limit, cursor } })
  }

  import(body, { dry_run } = {}) {
    return this.#transport.call('PUT', '/api/v1/event-types', { body, query: { dry_run } })
  }

  delete(eventType) {
    return this.#transport.call('DELETE', `/api/v1/event-types/${encodeURIComponent(eventType)}`)
  }

  get(eventType) {
    return this.#transport.call('GET', `/api/v1/event-types/${encodeURIComponent(eventType)}`)
  }

  put(eventType, body) {
    return this.#transport.call('PUT', `/api/v1/event-types/${encodeURIComponent(eventType)}`, { body })
  }
}

class EventsApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ tenant_id, type, distinct_id, label, state, since, until, within, order, after, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/events', { query: { tenant_id, type, distinct_id, label, state, since, until, within, order, after, limit, cursor } })
  }

  publish(body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', '/api/v1/events', { body, idempotencyKey })
  }

  exists({ tenant_id, type, distinct_id, label, state, since, until, within } = {}) {
    return this.#transport.call('GET', '/api/v1/events/exists', { query: { tenant_id, type, distinct_id, label, state, since, until, within } })
  }

  stats({ tenant_id, type, group_by, unique, since, until } = {}) {
    return this.#transport.call('GET', '/api/v1/events/stats', { query: { tenant_id, type, group_by, unique, since, until } })
  }

  get(eventId, { tenant_id } = {}) {
    return this.#transport.call('GET', `/api/v1/events/${encodeURIComponent(eventId)}`, { query: { tenant_id } })
  }

  deliveries(eventId, { tenant_id } = {}) {
    return this.#transport.pages('GET', `/api/v1/events/${encodeURIComponent(eventId)}/deliveries`, { query: { tenant_id } })
  }

  explain(eventId, { tenant_id } = {}) {
    return this.#transport.call('GET', `/api/v1/events/${encodeURIComponent(eventId)}/explain`, { query: { tenant_id } })
  }

  redeliver(eventId, body, { tenant_id, idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/events/${encodeURIComponent(eventId)}/redeliver`, { body, query: { tenant_id }, idempotencyKey })
  }
}

class FiltersApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  test(body, { idempotencyKey } = {}) {
    return this.#transport.call('POST', '/api/v1/filters/test', { body, idempotencyKey })
  }
}

class JobsApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ tenant_id, limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/jobs', { query: { tenant_id, limit, cursor } })
  }

  get(jobId) {
    return this.#transport.call('GET', `/api/v1/jobs/${encodeURIComponent(jobId)}`)
  }

  stop(jobId, { idempotencyKey } = {}) {
    return this.#transport.call('POST', `/api/v1/jobs/${encodeURIComponent(jobId)}/stop`, { idempotencyKey })
  }
}

class TenantsApi {
  #transport

  constructor(transport) {
    this.#transport = transport
  }

  list({ limit, cursor } = {}) {
    return this.#transport.pages('GET', '/api/v1/tenants', { query: { limit, cursor } })
  }

  get(tenantId) {
    return this.#transport.call('GET', `/api/v1/tenants/${encodeURIComponent(tenantId)}`)
  }

  update(tenantId, body, { ifMatch } = {}) {
    return this.#transport.call('PATCH', `/api/v1/tenants/${encodeURIComponent(tenantId)}`, { body, ifMatch })
  }
}

export class Resources {
  constructor(transport) {
    this.apiKeys = new ApiKeysApi(transport)
    this.audit = new AuditApi(transport)
    this.deliveries = new DeliveriesApi(transport)
    this.endpoints = new EndpointsApi(transport)
    this.eventTypes = new EventTypesApi(transport)
    this.events = new EventsApi(transport)
    this.filters = new FiltersApi(transport)
    this.jobs = new JobsApi(transport)
    this.tenants = new TenantsApi(transport)
  }
}
