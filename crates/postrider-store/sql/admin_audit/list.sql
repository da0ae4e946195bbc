-- What was changed, newest first. Index: audit_log_tenant, audit_log_pkey.
-- A tenant sees the addresses of its own keys, and of nobody else.
-- $1 tenant or NULL, $2 the subject or NULL, $3 the action or NULL, $4 not older than, $5 the id to start before, $6 how many, $7 how many are looked at.
SELECT x.id, x.at, x.tenant_id, x.actor, x.address, x.request_id, x.action, x.subject, x.changes
FROM (
    SELECT a.id, a.at, a.tenant_id, a.actor,
           CASE WHEN postrider.acting_tenant() IS NULL OR a.acting_tenant = postrider.acting_tenant() THEN a.address END AS address,
           a.request_id, a.action, a.subject, a.changes
    FROM postrider.audit_log a
    WHERE a.id < $5 AND ($1 IS NULL OR a.tenant_id = $1)
    ORDER BY a.id DESC
    LIMIT $7
) x
WHERE x.at >= $4 AND ($2 IS NULL OR x.subject = $2) AND ($3 IS NULL OR x.action = $3)
ORDER BY x.id DESC
LIMIT $6
