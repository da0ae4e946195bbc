-- Knocks on a channel, without a payload.
SELECT pg_notify($1, '')
