-- When one endpoint is next due, in seconds; no row if nothing is, or all of it waits for its turn in an order.
-- Index: webhook_deliveries_open_due, webhook_deliveries_open_order.
-- What is due by its time and has others of its order key before it waits for them, and not for a time: it is passed over.
SELECT extract(epoch FROM d.next_attempt_at - clock_timestamp())::float8 AS due_in
FROM postrider.webhook_deliveries_open d
WHERE d.endpoint_id = $1 AND d.next_attempt_at < 'infinity'
  AND (d.order_key IS NULL OR d.next_attempt_at > (SELECT clock_timestamp())
       OR NOT EXISTS (SELECT FROM postrider.webhook_deliveries_open b
                      WHERE b.endpoint_id = $1 AND b.order_key = d.order_key AND b.event_seq < d.event_seq))
ORDER BY d.next_attempt_at
LIMIT 1
