-- Keys in the order of their creation, without their hashes. Index: api_keys_pkey.
-- $1 the id to start after, $2 how many.
SELECT k.id, k.tenant_id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.last_used_at, k.revoked_at,
       k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()) AS live
FROM postrider.api_keys k
WHERE k.id > $1
ORDER BY k.id
LIMIT $2
