-- Changes how an endpoint's requests are written, signed and let in. A value comes as itself, or as a flag and a value where
-- NULL means something. Index: webhook_endpoints_pkey.
-- $1 id, $2 format, $3 signing profiles, $4 $5 $6 kind of login, login, sealed, $7 $8 TLS identity, sealed.
UPDATE postrider.webhook_endpoints e
SET format = coalesce($2, e.format),
    signing = coalesce($3, e.signing),
    auth = CASE WHEN $4 THEN $5 ELSE e.auth END,
    auth_sealed = CASE WHEN $4 THEN $6 ELSE e.auth_sealed END,
    tls_sealed = CASE WHEN $7 THEN $8 ELSE e.tls_sealed END,
    updated_at = clock_timestamp()
WHERE e.id = $1
RETURNING e.id
