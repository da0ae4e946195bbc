-- Queues a job. $1 id, $2 tenant, $3 endpoint, $4 since, $5 until, $6 what is wanted, $7 rate, $8 expected or NULL, $9 reason or NULL.
INSERT INTO postrider.jobs (id, tenant_id, kind, endpoint_id, since, until, wanted, rate, expected, reason)
VALUES ($1, $2, 'recover', $3, $4, $5, $6, $7, $8, $9)
RETURNING created_at
