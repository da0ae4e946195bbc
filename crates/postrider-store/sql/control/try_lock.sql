-- A session's advisory lock, exclusive, without waiting.
SELECT pg_try_advisory_lock($1, $2)
