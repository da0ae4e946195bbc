-- All that delivery needs of one endpoint: where, how, and its live secrets, newest first (sealed, each with its
-- kind before it).
-- Index: webhook_endpoints_pkey, webhook_endpoint_secrets_endpoint, webhook_routing_versions_pkey, webhook_egress_rules_pkey,
-- tenants_pkey.
SELECT e.tenant_id, e.kind, e.url, e.headers_sealed, e.retry_schedule_ms, e.timeout_ms, e.max_in_flight, e.capture_responses, e.enabled,
       coalesce(v.version, 0) AS version,
       ARRAY(
           SELECT convert_to(s.algorithm || '/' || s.encoding || ':', 'UTF8') || s.sealed FROM postrider.webhook_endpoint_secrets s
           WHERE s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
           ORDER BY s.created_at DESC, s.id
       ) AS secrets,
       (SELECT extract(epoch FROM min(s.expires_at) - clock_timestamp())::float8 FROM postrider.webhook_endpoint_secrets s
        WHERE s.endpoint_id = e.id AND s.expires_at > clock_timestamp()) AS secrets_change_in,
       e.format, e.signing, e.auth_sealed, e.tls_sealed, e.skip_after, e.rate_limit, e.paused_at IS NOT NULL AS paused,
       r.allow_cidrs::text[] AS egress_allow, r.deny_cidrs::text[] AS egress_deny, r.ports AS egress_ports,
       t.max_in_flight AS tenant_in_flight, t.rate_limit AS tenant_rate
FROM postrider.webhook_endpoints e
LEFT JOIN postrider.webhook_routing_versions v ON v.tenant_id = e.tenant_id
LEFT JOIN postrider.webhook_egress_rules r ON r.tenant_id = e.tenant_id
LEFT JOIN postrider.tenants t ON t.tenant_id = e.tenant_id
WHERE e.id = $1
