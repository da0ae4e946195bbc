-- Puts the same secret under another master key. No row: it was removed or changed meanwhile.
-- Index: webhook_endpoint_secrets_pkey. $1 id, $2 sealed before, $3 sealed now.
UPDATE postrider.webhook_endpoint_secrets s SET sealed = $3 WHERE s.id = $1 AND s.sealed = $2 RETURNING s.id
