-- Declares a type, or says something else of it. Index: webhook_event_types_pkey.
-- $1 name, $2 description, $3 example, $4 schema, $5 what becomes of payloads that do not fit.
INSERT INTO postrider.webhook_event_types AS t (name, description, example, schema, schema_check)
VALUES ($1, $2, $3::json, $4::json, $5)
ON CONFLICT (name) DO UPDATE
SET description = excluded.description, example = excluded.example, schema = excluded.schema, schema_check = excluded.schema_check,
    declared = true, updated_at = clock_timestamp()
