-- What the secrets that stay the longest leave an endpoint without: any signature (opaque ones alone, and no profile for them), and
-- whatever its profiles are signed with (key pairs alone). Index: webhook_endpoints_pkey, webhook_endpoint_secrets_endpoint.
SELECT e.signing = '[]'::jsonb AND coalesce(l.opaque, true) AS unsigned, e.signing <> '[]'::jsonb AND coalesce(l.pairs, true) AS profileless
FROM postrider.webhook_endpoints e
CROSS JOIN (SELECT bool_and(s.encoding = 'opaque') AS opaque, bool_and(s.algorithm = 'v1a') AS pairs
            FROM postrider.webhook_endpoint_secrets s
            WHERE s.endpoint_id = $1
              AND coalesce(s.expires_at, 'infinity') >= (SELECT max(coalesce(m.expires_at, 'infinity'))
                                                         FROM postrider.webhook_endpoint_secrets m WHERE m.endpoint_id = $1)) l
WHERE e.id = $1
