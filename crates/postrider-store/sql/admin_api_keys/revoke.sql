-- Ends a key. Index: api_keys_pkey. $1 id, $2 its tenant, or NULL for any.
UPDATE postrider.api_keys k SET revoked_at = clock_timestamp()
WHERE k.id = $1 AND k.revoked_at IS NULL AND ($2 IS NULL OR k.tenant_id = $2)
RETURNING k.id
