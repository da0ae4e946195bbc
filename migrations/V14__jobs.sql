-- Bulk work in the background: recovering what an endpoint failed to get, or missed.

CREATE TABLE postrider.jobs (
    id          uuid PRIMARY KEY,
    tenant_id   text COLLATE "C" NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('recover')),
    endpoint_id uuid NOT NULL,
    -- Events published in this time.
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL CHECK (until >= since),
    -- {"statuses": [...], "missed": bool, "event_types": [...]}
    wanted      jsonb NOT NULL,
    -- Deliveries a second.
    rate        integer NOT NULL CHECK (rate BETWEEN 1 AND 10000),
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'stopped', 'failed')),
    -- What was counted before it was made; NULL: nobody counted.
    expected    bigint,
    made        bigint NOT NULL DEFAULT 0,
    -- The event up to which it has looked, and when that was published.
    looked_to   bigint NOT NULL DEFAULT 0,
    looked_at   timestamptz,
    reason      text CHECK (length(reason) <= 200),
    error       text,
    -- Somebody asked it to stop.
    stop        boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at  timestamptz,
    finished_at timestamptz,
    -- The worker that does it, and until when it is left alone.
    owner       bigint,
    owned_until timestamptz
) WITH (fillfactor = 50);
CREATE INDEX jobs_tenant ON postrider.jobs (tenant_id, id);
CREATE INDEX jobs_open ON postrider.jobs (created_at) WHERE state IN ('queued', 'running');
-- Two at once over the same events would send twice.
CREATE UNIQUE INDEX jobs_one_an_endpoint ON postrider.jobs (endpoint_id) WHERE state IN ('queued', 'running');

-- That it was made, and that somebody stopped it; not each of its steps.
CREATE TRIGGER audit AFTER INSERT OR UPDATE OF stop ON postrider.jobs
    FOR EACH ROW EXECUTE FUNCTION postrider.audit('job', 'id', 'job_');

SELECT postrider.wall_off_tenants();
