-- The record is worth a short wait and no more, and it never waits for a standby.
SET LOCAL statement_timeout = '1s';
SET LOCAL lock_timeout = '250ms';
SET LOCAL synchronous_commit = local
