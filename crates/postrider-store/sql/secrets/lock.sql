-- Holds an endpoint while its secrets change, so that two rotations come one after the other. Index: webhook_endpoints_pkey.
SELECT e.id FROM postrider.webhook_endpoints e WHERE e.id = $1 FOR NO KEY UPDATE
