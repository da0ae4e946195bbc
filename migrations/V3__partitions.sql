-- Partitions: daily for 30 days ahead, then monthly for two years, then a tail to MAXVALUE, so that no publisher ever
-- finds none. The registry knows the bounds; the janitor (postrider-janitor) extends and drops.

CREATE TABLE postrider.partitions (
    parent text NOT NULL,
    name   text NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('day', 'month', 'tail')),
    lo     timestamptz NOT NULL,
    hi     timestamptz NOT NULL,
    CONSTRAINT partitions_pkey PRIMARY KEY (parent, lo),
    CONSTRAINT partitions_name UNIQUE (name),
    CHECK (lo < hi)
);

-- The smallest delivery id of a moment: 48 bits of Unix milliseconds, then zeros.
CREATE FUNCTION postrider.delivery_id_floor(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- One bound of a partition as SQL text: a time, or for deliveries the id of that time.
CREATE FUNCTION postrider.partition_bound(p_parent text, p_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE
        WHEN p_at = '-infinity' THEN 'MINVALUE'
        WHEN p_at = 'infinity' THEN 'MAXVALUE'
        WHEN p_parent = 'webhook_deliveries_closed' THEN quote_literal(postrider.delivery_id_floor(p_at))
        ELSE quote_literal(to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00')
    END
$$;

-- Makes one partition apart and attaches it (SHARE UPDATE EXCLUSIVE on the parent: publishers are not held up).
CREATE FUNCTION postrider.add_partition(p_parent text, p_kind text, p_lo timestamptz, p_hi timestamptz) RETURNS text
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    v_name text := CASE p_kind
        WHEN 'day' THEN format('%s_d%s', p_parent, to_char((p_hi - interval '1 day') AT TIME ZONE 'UTC', 'YYYYMMDD'))
        WHEN 'month' THEN format('%s_m%s', p_parent, to_char(p_lo AT TIME ZONE 'UTC', 'YYYYMMDD'))
        ELSE format('%s_tail', p_parent)
    END;
BEGIN
    EXECUTE format('CREATE TABLE postrider.%I (LIKE postrider.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name, p_parent);
    EXECUTE format('ALTER TABLE postrider.%I ATTACH PARTITION postrider.%I FOR VALUES FROM (%s) TO (%s)',
                   p_parent, v_name, postrider.partition_bound(p_parent, p_lo), postrider.partition_bound(p_parent, p_hi));
    INSERT INTO postrider.partitions (parent, name, kind, lo, hi) VALUES (p_parent, v_name, p_kind, p_lo, p_hi);
    RETURN v_name;
END $$;

-- Fills [p_from, p_until) with days.
CREATE FUNCTION postrider.add_days(p_parent text, p_from timestamptz, p_until timestamptz) RETURNS integer
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    v_lo timestamptz := p_from;
    v_hi timestamptz;
    n    integer := 0;
BEGIN
    v_hi := CASE WHEN p_from = '-infinity' THEN date_trunc('day', clock_timestamp(), 'UTC') + interval '1 day' ELSE p_from + interval '1 day' END;
    WHILE v_hi <= p_until LOOP
        PERFORM postrider.add_partition(p_parent, 'day', v_lo, v_hi);
        v_lo := v_hi;
        v_hi := v_hi + interval '1 day';
        n := n + 1;
    END LOOP;
    RETURN n;
END $$;

-- Fills from p_from to p_until with months (the first may be a part of one) and ends in a tail.
CREATE FUNCTION postrider.add_months_and_tail(p_parent text, p_from timestamptz, p_until timestamptz) RETURNS integer
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    v_lo timestamptz := p_from;
    v_hi timestamptz := date_trunc('month', p_from, 'UTC') + interval '1 month';
    n    integer := 0;
BEGIN
    WHILE v_hi <= p_until LOOP
        PERFORM postrider.add_partition(p_parent, 'month', v_lo, v_hi);
        v_lo := v_hi;
        v_hi := date_trunc('month', v_hi + interval '32 days', 'UTC');
        n := n + 1;
    END LOOP;
    PERFORM postrider.add_partition(p_parent, 'tail', v_lo, 'infinity');
    RETURN n + 1;
END $$;

DO $$
DECLARE
    v_days_end timestamptz := date_trunc('day', clock_timestamp(), 'UTC') + interval '31 days';
    v_parent   text;
BEGIN
    FOREACH v_parent IN ARRAY ARRAY['webhook_events', 'webhook_deliveries_closed', 'webhook_attempts'] LOOP
        PERFORM postrider.add_days(v_parent, '-infinity', v_days_end);
        PERFORM postrider.add_months_and_tail(v_parent, v_days_end, v_days_end + interval '2 years');
    END LOOP;
END $$;
