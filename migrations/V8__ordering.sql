-- Order, where an endpoint asks for it; and waits between attempts in milliseconds.

ALTER TABLE postrider.webhook_endpoints
    -- none: no order. key: the order of `seq` among events of one ordering_key. endpoint: of all events that it gets.
    ADD COLUMN ordering text NOT NULL DEFAULT 'none' CONSTRAINT webhook_endpoints_ordering CHECK (ordering IN ('none', 'key', 'endpoint')),
    -- NULL: a failing delivery blocks those behind it until it ends. Else it is given up as `skipped` after so many attempts.
    ADD COLUMN skip_after smallint CONSTRAINT webhook_endpoints_skip_after CHECK (skip_after IS NULL OR (skip_after BETWEEN 1 AND 31 AND ordering <> 'none'));

-- The waits were whole seconds. Under a new name, so that nobody reads milliseconds as seconds: a binary that still asks for
-- the old column fails instead of waiting a thousand times too long. At most 7 days each, which fits.
ALTER TABLE postrider.webhook_endpoints RENAME COLUMN retry_schedule TO retry_schedule_ms;
-- The trigger that counts routing versions up tells running workers.
UPDATE postrider.webhook_endpoints e
SET retry_schedule_ms = ARRAY(SELECT least(greatest(w.wait::bigint, 0) * 1000, 604800000)::integer
                              FROM unnest(e.retry_schedule_ms) WITH ORDINALITY AS w (wait, place) ORDER BY w.place)
WHERE e.retry_schedule_ms IS NOT NULL;
ALTER TABLE postrider.webhook_endpoints RENAME CONSTRAINT webhook_endpoints_retry_schedule_check TO webhook_endpoints_retry_schedule_ms_check;
