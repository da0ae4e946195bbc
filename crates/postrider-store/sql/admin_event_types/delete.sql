-- Removes a type from the catalog. No row: it was not in it. Index: webhook_event_types_pkey.
DELETE FROM postrider.webhook_event_types t WHERE t.name = $1 RETURNING t.name
