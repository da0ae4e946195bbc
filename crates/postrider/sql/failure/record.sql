-- A best-effort publish that failed, written outside the caller's transaction.
SELECT postrider.record_publish_failure_v1($1, $2, $3, $4)
