-- Opens publishing again. No row: it was not closed. Index: webhook_switches_pkey.
DELETE FROM postrider.webhook_switches s WHERE s.scope = $1 AND s.name = $2 RETURNING s.scope
