-- Knocks on channel $1; $2 is empty but for the canary's token.
SELECT pg_notify($1, $2)
