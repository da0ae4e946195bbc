-- Sets how many requests a second an endpoint gets; NULL: as many as it takes. Index: webhook_endpoints_pkey.
UPDATE postrider.webhook_endpoints e SET rate_limit = $2, updated_at = clock_timestamp() WHERE e.id = $1
