-- Positions in the events: up to where everything is decided, how far readers have come, and endpoints that are read instead of sent to.

-- One row, written about once a second by who asks. It spares a new process to wait for a long-open transaction, and says what is gone.
CREATE TABLE postrider.webhook_horizon (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Every event up to this seq is committed and visible, or never will be.
    seq        bigint NOT NULL DEFAULT 0,
    -- Retention has removed bodies up to this seq.
    removed_to bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO postrider.webhook_horizon DEFAULT VALUES;

-- Before a partition of bodies is detached: who has not read up to its end is told that something is gone.
CREATE FUNCTION postrider.note_removed_bodies(p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_last bigint;
BEGIN
    EXECUTE format('SELECT max(e.seq) FROM postrider.%I e', p_name) INTO v_last;
    UPDATE postrider.webhook_horizon h SET removed_to = v_last WHERE h.singleton AND h.removed_to < v_last;
END $$;
REVOKE ALL ON FUNCTION postrider.note_removed_bodies FROM PUBLIC;

-- How far the reader of an endpoint has acknowledged what it got.
CREATE TABLE postrider.webhook_pull_cursors (
    endpoint_id     uuid PRIMARY KEY REFERENCES postrider.webhook_endpoints ON DELETE CASCADE,
    tenant_id       text COLLATE "C" NOT NULL,
    seq             bigint NOT NULL,
    -- What retention had removed by then.
    removed_to      bigint NOT NULL,
    acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- pull: its events are read by who wants them; no deliveries are made. Its url is the word pull: and nothing else.
ALTER TABLE postrider.webhook_endpoints DROP CONSTRAINT webhook_endpoints_kind_check;
ALTER TABLE postrider.webhook_endpoints ADD CONSTRAINT webhook_endpoints_kind_check CHECK (kind IN ('webhook', 'pull'));

-- backfill: what a new endpoint would have wanted before it was there.
ALTER TABLE postrider.jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE postrider.jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('recover', 'backfill'));

SELECT postrider.wall_off_tenants();
