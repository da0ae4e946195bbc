-- Frees the dead rows of what is owed. Waits for nobody, and never truncates.
VACUUM (SKIP_LOCKED, TRUNCATE off) postrider.webhook_deliveries_open
