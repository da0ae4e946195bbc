-- A page of endpoints with what is sealed of them, in the order of their ids, after $1. Index: webhook_endpoints_pkey.
SELECT e.id, e.headers_sealed, e.auth_sealed, e.tls_sealed
FROM postrider.webhook_endpoints e WHERE e.id > $1 ORDER BY e.id LIMIT $2
