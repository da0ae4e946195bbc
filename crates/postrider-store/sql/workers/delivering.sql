-- How many workers deliver; those found dead are forgotten within seconds. A few rows; reads them all.
SELECT count(*) FROM postrider.webhook_workers w WHERE 'delivery' = ANY (w.roles)
