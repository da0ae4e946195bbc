-- The schema that a payload is to be checked against, by the function that publishers ask. Index: webhook_event_types_pkey.
-- $1 type, $2 the version that we have compiled, or NULL.
SELECT s.version, s.schema_check, s.schema FROM postrider.event_schema_v1($1, $2) s
