-- The schemas that payloads of these types are to be checked against, each with its text where its version is not the one that
-- is known here. Needs EXECUTE and nothing else; the catalog's primary key serves it.
SELECT t.type, s.version, s.schema_check, s.schema
FROM unnest($1::text[], $2::bigint[]) AS t (type, known)
CROSS JOIN LATERAL postrider.event_schema_v1(t.type, t.known) s
