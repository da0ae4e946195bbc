-- How many workers deliver, and how many of them come before $1; those found dead are forgotten within seconds. A few rows;
-- reads them all.
SELECT count(*), count(*) FILTER (WHERE w.incarnation < $1) FROM postrider.webhook_workers w WHERE 'delivery' = ANY (w.roles)
