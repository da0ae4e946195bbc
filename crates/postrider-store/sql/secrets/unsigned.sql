-- Whether the secrets that stay the longest leave an endpoint without any signature: opaque ones alone, and no profile for them.
-- Index: webhook_endpoints_pkey, webhook_endpoint_secrets_endpoint.
SELECT e.signing = '[]'::jsonb AND NOT EXISTS (
           SELECT FROM postrider.webhook_endpoint_secrets s
           WHERE s.endpoint_id = e.id AND s.encoding <> 'opaque'
             AND coalesce(s.expires_at, 'infinity') >= (SELECT max(coalesce(l.expires_at, 'infinity')) FROM postrider.webhook_endpoint_secrets l
                                                        WHERE l.endpoint_id = e.id)) AS unsigned
FROM postrider.webhook_endpoints e
WHERE e.id = $1
