-- What makes lists of events and deliveries quick however rarely something occurs, and views that never fail on what was published.
--
-- The keys of these indexes repeat, so that PostgreSQL keeps each once with a list of rows (about 7 bytes a row): a hash of what is asked for,
-- and which 4,096 events it was among. A query reads the newest groups first, sorts within a group, and compares the columns themselves.

-- Whose event it is: the attribute `user_id`, else what the data says. NULL: nobody, or what cannot be read.
CREATE FUNCTION postrider.distinct_id_v1(p_attributes jsonb, p_envelope text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_attributes ->> 'user_id' IS NOT NULL THEN
        RETURN p_attributes ->> 'user_id';
    ELSIF strpos(p_envelope, '"distinct_id"') = 0 THEN
        RETURN NULL;
    END IF;
    RETURN p_envelope::json #>> '{data,distinct_id}';
EXCEPTION
    -- Such as \u0000, which no text of PostgreSQL can hold.
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN RETURN NULL;
END $$;

-- The data of an envelope as jsonb, whatever was published: what no text here can hold (\u0000) becomes U+FFFD, and data that jsonb cannot hold
-- at all (half a surrogate pair, a number beyond all bounds) NULL.
CREATE FUNCTION postrider.event_data_v1(p_envelope text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (p_envelope::json -> 'data')::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        BEGIN
            -- After an even number of backslashes: behind an odd one it is text that speaks of \u0000.
            RETURN (regexp_replace(p_envelope, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::json -> 'data')::jsonb;
        EXCEPTION
            WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN RETURN NULL;
        END;
END $$;

-- What stands at a path in the data of an envelope, as text; NULL: nothing, or null.
CREATE FUNCTION postrider.event_field_v1(p_envelope text, p_path text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Not all of it as jsonb: that costs twice as much.
    RETURN (p_envelope::json #> ('{data}' || p_path))::jsonb #>> '{}';
EXCEPTION
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        RETURN postrider.event_data_v1(p_envelope) #>> p_path;
END $$;

CREATE OR REPLACE VIEW postrider.v_events AS
SELECT e.seq, e.created_at, e.tenant_id, e.id, e.type, e.attributes, coalesce(e.labels, '{}') AS labels, e.ordering_key, e.expires_at,
       postrider.event_data_v1(e.envelope) AS data, postrider.distinct_id_v1(e.attributes, e.envelope) AS distinct_id
FROM postrider.webhook_events e;

-- On the parents alone: that takes a moment however much is stored. An index of a parent is complete when each partition has its own.
CREATE INDEX webhook_events_tenant ON ONLY postrider.webhook_events (hashtext(tenant_id), ((seq >> 12)::integer));
CREATE INDEX webhook_events_type ON ONLY postrider.webhook_events (hashtext(tenant_id || '/' || type), ((seq >> 12)::integer));
CREATE INDEX webhook_events_user ON ONLY postrider.webhook_events
    (hashtext(tenant_id || '/' || postrider.distinct_id_v1(attributes, envelope)), ((seq >> 12)::integer))
    WHERE attributes ? 'user_id' OR strpos(envelope, '"distinct_id"') > 0;
CREATE INDEX webhook_deliveries_closed_endpoint ON ONLY postrider.webhook_deliveries_closed
    (uuid_hash(endpoint_id), hashtext(status), ((event_seq >> 12)::integer));

-- Which partitions lack an index that their parent has, those without rows first: what to call it and what makes it. What makes it may be begun
-- and left half done: then there is one of that name that does not count (`broken`).
CREATE FUNCTION postrider.lacking_indexes_v1()
RETURNS TABLE (parent_index text, partition text, index text, broken boolean, is_empty boolean, definition text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.relname::text, c.relname::text, n.name, own.indexrelid IS NOT NULL AND NOT own.indisvalid, postrider.partition_is_empty(c.relname),
           CASE WHEN own.indexrelid IS NULL OR NOT own.indisvalid THEN
               regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE INDEX .* ON ONLY .* USING ', format('%I ON postrider.%I USING ', n.name, c.relname))
           END
    FROM pg_index i
    JOIN pg_class p ON p.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid AND t.relkind = 'p' AND t.relnamespace = 'postrider'::regnamespace
    JOIN pg_inherits h ON h.inhparent = t.oid AND NOT h.inhdetachpending
    JOIN pg_class c ON c.oid = h.inhrelid AND c.relkind = 'r'
    CROSS JOIN LATERAL (SELECT c.relname || substr(p.relname, length(t.relname) + 1) AS name) n
    LEFT JOIN pg_index own ON own.indexrelid = to_regclass(format('postrider.%I', n.name))
    WHERE NOT i.indisvalid
      AND NOT EXISTS (SELECT FROM pg_inherits ih JOIN pg_index ci ON ci.indexrelid = ih.inhrelid
                      WHERE ih.inhparent = i.indexrelid AND ci.indrelid = c.oid)
    ORDER BY 5 DESC, c.relname, p.relname
$$;

-- Partitions without rows get theirs now. The janitor makes the others, one at a time and without holding up anybody; until then a query
-- reads those days whole.
DO $$
DECLARE
    v record;
BEGIN
    FOR v IN SELECT * FROM postrider.lacking_indexes_v1() l WHERE l.is_empty LOOP
        EXECUTE 'CREATE INDEX ' || v.definition;
        EXECUTE format('ALTER INDEX postrider.%I ATTACH PARTITION postrider.%I', v.parent_index, v.index);
    END LOOP;
END $$;

-- The wall in words that its index understands: a condition of somebody who is shut in is looked at only after the wall's own.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_policy p WHERE p.polname = 'own_tenant' AND p.polrelid = 'postrider.webhook_events'::regclass) THEN
        ALTER POLICY own_tenant ON postrider.webhook_events
            USING (tenant_id = postrider.acting_tenant() AND hashtext(tenant_id) = hashtext(postrider.acting_tenant()));
    END IF;
END $$;

REVOKE ALL ON FUNCTION postrider.lacking_indexes_v1 FROM PUBLIC;
-- Whoever may read events may read them as the view shows them.
GRANT EXECUTE ON FUNCTION postrider.distinct_id_v1, postrider.event_data_v1, postrider.event_field_v1 TO PUBLIC;
