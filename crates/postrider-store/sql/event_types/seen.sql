-- Lists types that fan-out has met and nobody declared, up to so many types in all: names that a program makes up shall not fill the table.
-- Index: webhook_event_types_pkey. $1 names, sorted, $2 how many types there may be.
INSERT INTO postrider.webhook_event_types (name, declared)
SELECT s.name, false
FROM unnest($1) WITH ORDINALITY AS s (name, place)
WHERE s.place <= $2 - (SELECT count(*) FROM (SELECT FROM postrider.webhook_event_types t LIMIT $2) x)
  AND NOT EXISTS (SELECT FROM postrider.webhook_event_types t WHERE t.name = s.name)
ON CONFLICT (name) DO NOTHING
