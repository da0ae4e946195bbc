-- How many entries of the audit log are from before $1. Index: audit_log_at.
SELECT count(*) FROM postrider.audit_log a WHERE a.at < $1
