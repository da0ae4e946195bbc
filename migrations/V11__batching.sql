-- Several events of one endpoint in one request, where it asks for that.

ALTER TABLE postrider.webhook_endpoints
    ADD COLUMN batch_max_events smallint CONSTRAINT webhook_endpoints_batch_max_events CHECK (batch_max_events BETWEEN 1 AND 500),
    -- How long the first of a batch waits for others.
    ADD COLUMN batch_max_wait_ms integer CONSTRAINT webhook_endpoints_batch_max_wait CHECK (batch_max_wait_ms BETWEEN 0 AND 60000),
    -- Of the body. A single event may be larger, and goes alone then.
    ADD COLUMN batch_max_bytes integer CONSTRAINT webhook_endpoints_batch_max_bytes CHECK (batch_max_bytes BETWEEN 1024 AND 4194304),
    ADD COLUMN batch_encoding text CONSTRAINT webhook_endpoints_batch_encoding CHECK (batch_encoding IN ('array', 'ndjson')),
    ADD CONSTRAINT webhook_endpoints_batch CHECK (num_nulls(batch_max_events, batch_max_wait_ms, batch_max_bytes, batch_encoding) IN (0, 4)),
    -- In a batch all start at once; in an order each waits for the one before it.
    ADD CONSTRAINT webhook_endpoints_batch_or_order CHECK (batch_max_events IS NULL OR ordering = 'none');

-- What is sent in one request, as it was formed: it never changes. Who has it, when it is due and how often it was tried is
-- in the open deliveries of its members, which are leased, given back and recorded together. The id is made of theirs.
CREATE TABLE postrider.webhook_delivery_batches (
    id          uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES postrider.webhook_endpoints (id) ON DELETE CASCADE,
    -- In the order in which they stand in the body.
    members     uuid[] NOT NULL CHECK (cardinality(members) BETWEEN 1 AND 500),
    format      text NOT NULL CHECK (format IN ('postrider', 'standard', 'cloudevents', 'raw')),
    encoding    text NOT NULL CHECK (encoding IN ('array', 'ndjson')),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX webhook_delivery_batches_endpoint ON postrider.webhook_delivery_batches (endpoint_id);
CREATE INDEX webhook_delivery_batches_created ON postrider.webhook_delivery_batches (created_at);

-- The batch that a delivery was last sent in. No foreign key: it would cost every delivery a trigger, and a batch that is over
-- is gone while this still says which it was.
ALTER TABLE postrider.webhook_deliveries ADD COLUMN batch_id uuid;
ALTER TABLE postrider.webhook_attempts ADD COLUMN batch_id uuid;
