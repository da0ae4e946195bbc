-- Puts what is sealed of an endpoint under another master key. No row: it was removed or changed meanwhile.
-- Index: webhook_endpoints_pkey. $1 id, $2 $3 $4 headers, login, TLS identity before, $5 $6 $7 now.
UPDATE postrider.webhook_endpoints e
SET headers_sealed = $5, auth_sealed = $6, tls_sealed = $7
WHERE e.id = $1 AND e.headers_sealed IS NOT DISTINCT FROM $2 AND e.auth_sealed IS NOT DISTINCT FROM $3
  AND e.tls_sealed IS NOT DISTINCT FROM $4
RETURNING e.id
