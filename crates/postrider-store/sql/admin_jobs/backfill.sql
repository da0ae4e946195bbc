-- Queues the backfill of an endpoint that is added in the same transaction. Who claims it first says up to when.
-- $1 id, $2 tenant, $3 endpoint, $4 since, $5 what is wanted, $6 rate.
INSERT INTO postrider.jobs (id, tenant_id, kind, endpoint_id, since, until, wanted, rate)
VALUES ($1, $2, 'backfill', $3, $4, greatest(clock_timestamp(), $4), $5, $6)
