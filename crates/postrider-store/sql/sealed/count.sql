-- How many sealed values there are under each master key, by the key id in their head. Reads both tables whole: for a person
-- who asks. No index.
SELECT v.what, encode(substr(v.sealed, 2, 8), 'hex') AS key_id, count(*)
FROM (
    SELECT 'secret' AS what, s.sealed FROM postrider.webhook_endpoint_secrets s
    UNION ALL
    SELECT 'headers', e.headers_sealed FROM postrider.webhook_endpoints e WHERE e.headers_sealed IS NOT NULL
    UNION ALL
    SELECT 'auth', e.auth_sealed FROM postrider.webhook_endpoints e WHERE e.auth_sealed IS NOT NULL
    UNION ALL
    SELECT 'tls', e.tls_sealed FROM postrider.webhook_endpoints e WHERE e.tls_sealed IS NOT NULL
) v
GROUP BY v.what, key_id
ORDER BY v.what, key_id
