-- Notes where the ledger stands, once a day: every seq up to the mark was drawn before it. Index: ledger_marks_pkey.
-- $1 the time to note, for tests; the clock's if null.
INSERT INTO postrider.ledger_marks (at, seq)
SELECT n.at, n.seq
FROM (SELECT coalesce($1, clock_timestamp()) AS at, pg_sequence_last_value(pg_get_serial_sequence('postrider.webhook_event_ids', 'seq')) AS seq) n
WHERE n.seq IS NOT NULL AND NOT EXISTS (SELECT FROM postrider.ledger_marks m WHERE m.at > n.at - interval '23 hours')
ON CONFLICT (at) DO NOTHING
