-- The same as schema.sql with every value as text, for libraries whose types differ. The catalog's primary key serves it.
SELECT json_build_array(t.type, s.version, s.schema_check, s.schema::text)::text AS answer
FROM unnest($1::text::text[], $2::text::bigint[]) AS t (type, known)
CROSS JOIN LATERAL postrider.event_schema_v1(t.type, t.known) s
