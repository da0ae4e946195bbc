-- What was changed, oldest first, to be kept elsewhere. Index: audit_log_at.
-- $1 tenant or NULL, $2 the time and $3 the id to start behind, $4 how many.
SELECT a.id, a.at, a.tenant_id, a.actor,
       CASE WHEN postrider.acting_tenant() IS NULL OR a.acting_tenant = postrider.acting_tenant() THEN a.address END AS address,
       a.request_id, a.action, a.subject, a.changes
FROM postrider.audit_log a
WHERE (a.at, a.id) > ($2, $3) AND ($1 IS NULL OR a.tenant_id = $1)
ORDER BY a.at, a.id
LIMIT $4
