-- Stores a key's hash. $1 id, $2 tenant or NULL, $3 name, $4 hash, $5 its last characters, $6 scopes, $7 in how many seconds it ends, or NULL.
INSERT INTO postrider.api_keys (id, tenant_id, name, hash, hint, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))
RETURNING created_at, expires_at
