-- Publishes an operator event about an endpoint that is still there and enabled. Index: webhook_endpoints_pkey.
-- $1 endpoint, $2 type, $3 what its data say besides the endpoint's id.
SELECT postrider.tell_of_endpoint_v1(e.id, e.tenant_id, $2, $3) FROM postrider.webhook_endpoints e WHERE e.id = $1 AND e.enabled
