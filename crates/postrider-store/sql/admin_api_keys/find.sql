-- The key of a hash, if it is live, and a note that it was used, to the minute. Index: api_keys_hash.
-- A row that somebody else notes at this moment is noted already, so nobody waits.
WITH found AS MATERIALIZED (
    SELECT k.id, k.tenant_id, k.scopes, k.last_used_at FROM postrider.api_keys k
    WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
), stale AS MATERIALIZED (
    SELECT k.id FROM postrider.api_keys k
    WHERE k.id = ANY (ARRAY(SELECT f.id FROM found f WHERE f.last_used_at IS NULL OR f.last_used_at < clock_timestamp() - interval '1 min'))
    FOR NO KEY UPDATE SKIP LOCKED
), used AS (
    UPDATE postrider.api_keys k SET last_used_at = clock_timestamp() WHERE k.id = ANY (ARRAY(SELECT s.id FROM stale s))
)
SELECT f.id, f.tenant_id, f.scopes FROM found f
