-- How far an endpoint's reader has come. Index: webhook_pull_cursors_pkey. $1 endpoint.
SELECT c.seq, c.removed_to, c.acknowledged_at FROM postrider.webhook_pull_cursors c WHERE c.endpoint_id = $1
