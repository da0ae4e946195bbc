-- What was changed of a tenant, newest first. Index: audit_log_tenant.
-- A tenant sees the addresses of its own keys, and of nobody else.
-- Looks at $7 of them at most; the last of these is there too, whether it is wanted or not, and says so.
-- $1 tenant, $2 the subject or NULL, $3 the action or NULL, $4 not older than, $5 the id to start before, $6 how many.
SELECT x.id, x.at, x.tenant_id, x.actor, x.address, x.request_id, x.action, x.subject, x.changes, x.wanted, x.looked_at = $7 AS is_last
FROM (
    SELECT y.*, y.at >= $4 AND ($2 IS NULL OR y.subject = $2) AND ($3 IS NULL OR y.action = $3) AS wanted, row_number() OVER (ORDER BY y.id DESC) AS looked_at
    FROM (
        SELECT a.id, a.at, a.tenant_id, a.actor,
               CASE WHEN postrider.acting_tenant() IS NULL OR a.acting_tenant = postrider.acting_tenant() THEN a.address END AS address,
               a.request_id, a.action, a.subject, a.changes
        FROM postrider.audit_log a
        WHERE a.id < $5 AND a.tenant_id = $1
        ORDER BY a.id DESC
        LIMIT $7
    ) y
) x
WHERE x.wanted OR x.looked_at = $7
ORDER BY x.id DESC
LIMIT $6
