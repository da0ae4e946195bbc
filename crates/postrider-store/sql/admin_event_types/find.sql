-- Event types of these names. Index: webhook_event_types_pkey.
SELECT t.name, t.description, t.example::text, t.schema::text, t.schema_check, t.declared, t.version, t.created_at, t.updated_at
FROM postrider.webhook_event_types t
WHERE t.name = ANY ($1)
