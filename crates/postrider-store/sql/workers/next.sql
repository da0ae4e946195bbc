-- The next worker incarnation: drawn before the row is written, so that the lock is held first.
SELECT nextval(pg_get_serial_sequence('postrider.webhook_workers', 'incarnation'))
