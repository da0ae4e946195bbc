-- What the janitor needs to keep house: facts about partitions, the transactional half of each change to them, and the
-- marks by which the ledger is pruned. DETACH … CONCURRENTLY takes no part in a transaction, so the daemon sends it itself.

-- The time in one bound of a partition, as the catalog prints it: a time, a delivery id, MINVALUE or MAXVALUE.
CREATE FUNCTION postrider.partition_bound_time(p_bound text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN p_bound = 'MINVALUE' THEN '-infinity'
        WHEN p_bound = 'MAXVALUE' THEN 'infinity'
        WHEN p_bound ~ '^''[0-9a-f]{8}-' THEN to_timestamp(('x' || substr(p_bound, 2, 8) || substr(p_bound, 11, 4))::bit(48)::bigint / 1000)
        ELSE trim(BOTH '''' FROM p_bound)::timestamptz
    END
$$;

-- Every partition there is or ought to be: the catalog is the truth, the registry adds what is not attached.
-- state: attached; detaching (an interrupted DETACH … CONCURRENTLY); detached; missing (registered, but there is no table).
CREATE FUNCTION postrider.partition_states()
RETURNS TABLE (parent text, name text, kind text, lo timestamptz, hi timestamptz, state text, registered boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    WITH child AS (
        SELECT p.relname::text AS parent, c.relname::text AS name, i.inhdetachpending,
               regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS bounds
        FROM pg_inherits i
        JOIN pg_class p ON p.oid = i.inhparent
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('postrider.webhook_events'::regclass, 'postrider.webhook_deliveries_closed'::regclass, 'postrider.webhook_attempts'::regclass)
    ), known AS (
        SELECT c.parent, c.name, postrider.partition_bound_time(c.bounds[1]) AS lo, postrider.partition_bound_time(c.bounds[2]) AS hi,
               CASE WHEN c.inhdetachpending THEN 'detaching' ELSE 'attached' END AS state,
               EXISTS (SELECT FROM postrider.partitions r WHERE r.parent = c.parent AND r.name = c.name) AS registered
        FROM child c
        UNION ALL
        SELECT r.parent, r.name, r.lo, r.hi,
               CASE WHEN to_regclass(format('postrider.%I', r.name)) IS NULL THEN 'missing' ELSE 'detached' END, true
        FROM postrider.partitions r
        WHERE NOT EXISTS (SELECT FROM child c WHERE c.parent = r.parent AND c.name = r.name)
    )
    SELECT k.parent, k.name,
           CASE WHEN k.hi = 'infinity' THEN 'tail' WHEN k.lo = '-infinity' OR k.hi - k.lo <= interval '1 day' THEN 'day' ELSE 'month' END,
           k.lo, k.hi, k.state, k.registered
    FROM known k
    ORDER BY k.parent, k.lo
$$;

CREATE FUNCTION postrider.partition_is_empty(p_name text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_empty boolean;
BEGIN
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM postrider.%I)', p_name) INTO v_empty;
    RETURN v_empty;
END $$;

-- How many rows a partition has: counted where that is quick, else as the last ANALYZE or VACUUM found.
CREATE FUNCTION postrider.partition_rows(p_name text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table regclass := format('postrider.%I', p_name);
    v_rows  bigint;
BEGIN
    IF pg_relation_size(v_table) > 1024 * 1024 * 1024 THEN
        RETURN (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = v_table);
    END IF;
    EXECUTE format('SELECT count(*) FROM postrider.%I', p_name) INTO v_rows;
    RETURN v_rows;
END $$;

-- Attaches a detached partition again, within the bounds that the registry keeps.
CREATE FUNCTION postrider.attach_partition(p_parent text, p_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    v_lo timestamptz;
    v_hi timestamptz;
BEGIN
    SELECT r.lo, r.hi INTO STRICT v_lo, v_hi FROM postrider.partitions r WHERE r.parent = p_parent AND r.name = p_name;
    EXECUTE format('ALTER TABLE postrider.%I ATTACH PARTITION postrider.%I FOR VALUES FROM (%s) TO (%s)',
                   p_parent, p_name, postrider.partition_bound(p_parent, v_lo), postrider.partition_bound(p_parent, v_hi));
END $$;

-- Takes a detached partition out of the database and the registry.
CREATE FUNCTION postrider.discard_partition(p_parent text, p_name text, OUT lo timestamptz, OUT hi timestamptz, OUT kind text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = format('postrider.%I', p_name)::regclass) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('postrider: partition %s is still attached', p_name);
    END IF;
    DELETE FROM postrider.partitions r WHERE r.parent = p_parent AND r.name = p_name RETURNING r.lo, r.hi, r.kind INTO STRICT lo, hi, kind;
    EXECUTE format('DROP TABLE postrider.%I', p_name);
END $$;

-- Puts finer partitions in the place of a detached, empty month (by days) or tail (by months and a new tail).
-- Returns how many were made; 0: there are rows in it, and it was attached again.
CREATE FUNCTION postrider.replace_partition(p_parent text, p_name text, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    v_gone record;
BEGIN
    IF NOT postrider.partition_is_empty(p_name) THEN
        PERFORM postrider.attach_partition(p_parent, p_name);
        RETURN 0;
    END IF;
    v_gone := postrider.discard_partition(p_parent, p_name);
    IF v_gone.hi = 'infinity' THEN
        RETURN postrider.add_months_and_tail(p_parent, v_gone.lo,
            greatest(date_trunc('month', p_now, 'UTC') + interval '25 months', date_trunc('month', v_gone.lo, 'UTC') + interval '1 month'));
    END IF;
    RETURN postrider.add_days(p_parent, v_gone.lo, v_gone.hi);
END $$;

-- Closes a gap between partitions: by days if it is short, else by months; an open end by months and a tail.
CREATE FUNCTION postrider.fill_partitions(p_parent text, p_lo timestamptz, p_hi timestamptz, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    v_lo timestamptz := p_lo;
    v_hi timestamptz;
    n    integer := 0;
BEGIN
    IF p_hi = 'infinity' THEN
        RETURN postrider.add_months_and_tail(p_parent, p_lo,
            greatest(date_trunc('month', p_now, 'UTC') + interval '25 months', date_trunc('month', p_lo, 'UTC') + interval '1 month'));
    ELSIF p_lo = '-infinity' THEN
        PERFORM postrider.add_partition(p_parent, 'day', p_lo, p_hi);
        RETURN 1;
    ELSIF p_hi - p_lo <= interval '62 days' THEN
        RETURN postrider.add_days(p_parent, p_lo, p_hi);
    END IF;
    WHILE v_lo < p_hi LOOP
        v_hi := least(date_trunc('month', v_lo, 'UTC') + interval '1 month', p_hi);
        PERFORM postrider.add_partition(p_parent, 'month', v_lo, v_hi);
        v_lo := v_hi;
        n := n + 1;
    END LOOP;
    RETURN n;
END $$;

-- The smallest delivery id of a moment, also of the beginning of time.
CREATE FUNCTION postrider.delivery_id_from(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_at = '-infinity' THEN '00000000-0000-0000-0000-000000000000'::uuid ELSE postrider.delivery_id_floor(p_at) END
$$;

-- Why bodies may not go, or NULL: 'pending' (an event not fanned out), 'open' (a delivery still owed), 'busy' (somebody writes).
CREATE FUNCTION postrider.bodies_owed(p_name text, p_lo timestamptz, p_hi timestamptz) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_first bigint;
    v_last  bigint;
BEGIN
    -- A publisher that has not committed yet, or was prepared: its pending row cannot be seen, its lock can.
    IF EXISTS (SELECT FROM pg_locks l
               WHERE l.locktype = 'relation' AND l.relation = format('postrider.%I', p_name)::regclass
                 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                 AND l.mode = 'RowExclusiveLock') THEN
        RETURN 'busy';
    END IF;
    EXECUTE format('SELECT min(e.seq), max(e.seq) FROM postrider.%I e', p_name) INTO v_first, v_last;
    IF EXISTS (SELECT FROM postrider.webhook_events_pending p
               WHERE p.seq BETWEEN v_first AND v_last AND p.created_at >= p_lo AND p.created_at < p_hi) THEN
        RETURN 'pending';
    END IF;
    IF EXISTS (SELECT FROM postrider.webhook_deliveries_open d
               WHERE d.id >= postrider.delivery_id_from(p_lo) AND d.id < postrider.delivery_id_floor(p_hi)) THEN
        RETURN 'open';
    END IF;
    RETURN NULL;
END $$;

-- Drops a detached partition for good, unless it turns out that something in it is still owed: then it is attached again
-- and the reason returned. The closed deliveries keep an empty partition down to MINVALUE, so none ever finds no place.
CREATE FUNCTION postrider.drop_partition(p_parent text, p_name text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '1s' AS $$
DECLARE
    v_gone record;
    v_owed text;
BEGIN
    IF p_parent = 'webhook_events' THEN
        SELECT postrider.bodies_owed(r.name, r.lo, r.hi) INTO STRICT v_owed FROM postrider.partitions r WHERE r.parent = p_parent AND r.name = p_name;
        IF v_owed IS NOT NULL THEN
            PERFORM postrider.attach_partition(p_parent, p_name);
            RETURN v_owed;
        END IF;
    END IF;
    v_gone := postrider.discard_partition(p_parent, p_name);
    IF p_parent = 'webhook_deliveries_closed' AND v_gone.lo = '-infinity' THEN
        -- Up to the next partition, which is further on when the day after this one has gone already.
        PERFORM postrider.add_partition(p_parent, 'day', v_gone.lo,
            coalesce((SELECT min(r.lo) FROM postrider.partitions r WHERE r.parent = p_parent), v_gone.hi));
    END IF;
    RETURN NULL;
END $$;

-- Where the ledger stood at a moment: every row up to this seq was made before it. One a day.
CREATE TABLE postrider.ledger_marks (
    at  timestamptz PRIMARY KEY,
    seq bigint NOT NULL
);

-- How far the ledger has been pruned, and how far it had been when the block-range index was last made anew: ranges whose
-- pages were freed and filled again never shrink by themselves.
CREATE TABLE postrider.ledger_state (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    pruned_to  bigint NOT NULL DEFAULT 0,
    indexed_at bigint NOT NULL DEFAULT 0
);
INSERT INTO postrider.ledger_state DEFAULT VALUES;

REVOKE ALL ON FUNCTION postrider.partition_bound_time, postrider.partition_states, postrider.partition_is_empty, postrider.partition_rows,
    postrider.attach_partition, postrider.discard_partition, postrider.replace_partition, postrider.fill_partitions,
    postrider.delivery_id_from, postrider.bodies_owed, postrider.drop_partition FROM PUBLIC;
