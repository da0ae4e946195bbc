-- Closed switches. A handful of rows; reads them all.
SELECT s.scope, s.name, s.reason, s.closed_at FROM postrider.webhook_switches s ORDER BY s.scope, s.name
