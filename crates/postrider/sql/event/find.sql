-- What a test asks: the events of this id or type that this transaction can see. No index serves it.
SELECT tenant_id, id, type, envelope, attributes, labels, ordering_key, traceparent
FROM postrider.webhook_events
WHERE id = $1 OR type = $1
ORDER BY seq
