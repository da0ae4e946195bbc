-- Deletes up to $2 entries of the audit log from before $1, oldest first. Index: audit_log_at, audit_log_pkey.
WITH gone AS (
    DELETE FROM postrider.audit_log a
    WHERE a.id = ANY (ARRAY(SELECT o.id FROM postrider.audit_log o WHERE o.at < $1 ORDER BY o.at, o.id LIMIT $2))
    RETURNING 1
)
SELECT count(*) FROM gone
