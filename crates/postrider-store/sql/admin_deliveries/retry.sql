-- Makes an open delivery due now, unless a worker holds it. Index: webhook_deliveries_open_pkey.
-- One that waits for its turn behind another of its order key stays as it is, too.
-- A lease that ran out holds nothing: such a row is due already and stays as it is.
UPDATE postrider.webhook_deliveries_open d
SET next_attempt_at = clock_timestamp()
WHERE d.id = $1 AND d.open AND d.lease_owner IS NULL AND d.next_attempt_at > clock_timestamp() AND isfinite(d.next_attempt_at)
RETURNING d.id
