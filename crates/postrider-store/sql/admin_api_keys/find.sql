-- The key of a hash, if it is live, and whether it is a minute since its use was noted. Index: api_keys_hash.
SELECT k.id, k.tenant_id, k.scopes, k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 min' AS stale
FROM postrider.api_keys k
WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
