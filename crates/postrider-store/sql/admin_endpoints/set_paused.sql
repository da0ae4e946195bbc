-- Pauses an endpoint ($2) or lets it go on; false: it is gone, or was so already. Index: webhook_endpoints_pkey, webhook_endpoint_health_pkey.
-- $1 id, $2 paused?, $3 the reason, if one was given.
SELECT postrider.set_paused_v1($1, $2, $3)
