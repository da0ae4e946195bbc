-- Event types by name. Index: webhook_event_types_pkey. $1 the name to start after, $2 declared ones, others, or NULL for both, $3 how many.
SELECT t.name, t.description, t.example::text, t.schema::text, t.schema_check, t.declared, t.version, t.created_at, t.updated_at
FROM postrider.webhook_event_types t
WHERE t.name > $1 AND ($2 IS NULL OR t.declared = $2)
ORDER BY t.name
LIMIT $3
