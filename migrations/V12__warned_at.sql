-- When the owner of an endpoint was told that it will be disabled: it is, but not sooner than the rest of the time after that.

-- `warned` goes on saying the same, for workers of the version before.
ALTER TABLE postrider.webhook_endpoint_health ADD COLUMN warned_at timestamptz;
UPDATE postrider.webhook_endpoint_health SET warned_at = clock_timestamp() WHERE warned;
