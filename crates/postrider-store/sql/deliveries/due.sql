-- The earliest due time of every endpoint that has open deliveries: a loose scan, one index probe an endpoint.
-- With ordered deliveries that wait for their turn it is due now: their turn may have come without anybody noticing.
-- Index: webhook_deliveries_open_due.
WITH RECURSIVE earliest AS (
    (SELECT d.endpoint_id, d.next_attempt_at FROM postrider.webhook_deliveries_open d ORDER BY d.endpoint_id, d.next_attempt_at LIMIT 1)
    UNION ALL
    SELECT n.endpoint_id, n.next_attempt_at
    FROM earliest p
    CROSS JOIN LATERAL (
        SELECT d.endpoint_id, d.next_attempt_at FROM postrider.webhook_deliveries_open d
        WHERE d.endpoint_id > p.endpoint_id
        ORDER BY d.endpoint_id, d.next_attempt_at LIMIT 1
    ) n
)
SELECT f.endpoint_id,
       CASE WHEN EXISTS (SELECT FROM postrider.webhook_deliveries_open w
                         WHERE w.endpoint_id = ANY (ARRAY[f.endpoint_id]) AND w.next_attempt_at = 'infinity')
            THEN 0::float8
            ELSE extract(epoch FROM f.next_attempt_at - (SELECT clock_timestamp()))::float8 END AS due_in
FROM earliest f
