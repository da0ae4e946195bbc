-- Fills an empty installation: `seed.events` events of the last 30 days, three deliveries each, and what people set. Straight into the tables: what
-- is proven is how they are read. Tenants are of very different sizes: `big` has three of five events, `mid` one of four, fifty `small-…` share
-- the rest but one of two thousand, which is `tiny`'s. Types: fifteen frequent ones and `account.closed`, one of five thousand.

-- A new installation has one partition for all the past; one that has run for a month has a day each.
DO $$
DECLARE
    v_parent text;
    v_first  text;
    v_today  timestamptz := date_trunc('day', clock_timestamp(), 'UTC');
BEGIN
    FOREACH v_parent IN ARRAY '{webhook_events,webhook_deliveries_closed,webhook_attempts}'::text[] LOOP
        SELECT p.name INTO STRICT v_first FROM postrider.partitions p WHERE p.parent = v_parent ORDER BY p.lo LIMIT 1;
        EXECUTE format('ALTER TABLE postrider.%I DETACH PARTITION postrider.%I', v_parent, v_first);
        PERFORM postrider.discard_partition(v_parent, v_first);
        PERFORM postrider.add_partition(v_parent, 'day', '-infinity', v_today - interval '30 days');
        PERFORM postrider.add_days(v_parent, v_today - interval '30 days', v_today + interval '1 day');
    END LOOP;
END $$;

CREATE TEMP TABLE seeded AS
SELECT i AS seq, clock_timestamp() - interval '10 seconds' - (n.events - i) * (interval '29 days 12 hours' / n.events) AS created_at,
       CASE WHEN i % 2000 = 7 THEN 'tiny' WHEN i % 20 < 12 THEN 'big' WHEN i % 20 < 17 THEN 'mid' ELSE 'small-' || (i / 20) % 50 END AS tenant_id,
       'evt_' || md5(i::text) AS id,
       CASE WHEN i % 5000 = 3 THEN 'account.closed' ELSE 'order.kind_' || (i * 7919 % 104729) % 15 END AS type,
       'user-' || (i * 7907 % 104723) % 20000 AS user_id
FROM (SELECT current_setting('seed.events')::bigint AS events) n, generate_series(1, n.events) i;

INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types, enabled, disabled_reason)
SELECT md5(t.tenant_id || k)::uuid, t.tenant_id, 'https://hooks.example.com/' || k, '{*}', false, 'seeded'
FROM (SELECT DISTINCT s.tenant_id FROM seeded s) t, generate_series(1, 3) k;

-- And one each that is read.
INSERT INTO postrider.webhook_endpoints (id, tenant_id, kind, url, event_types)
SELECT md5(t.tenant_id || 'pull')::uuid, t.tenant_id, 'pull', 'pull:', '{*}' FROM (SELECT DISTINCT s.tenant_id FROM seeded s) t;

INSERT INTO postrider.webhook_event_ids (seq, created_at, digest, tenant_id, id) OVERRIDING SYSTEM VALUE
SELECT s.seq, s.created_at, '\x00', s.tenant_id, s.id FROM seeded s ORDER BY s.seq;
SELECT setval('postrider.webhook_event_ids_seq_seq', (SELECT max(s.seq) FROM seeded s));

INSERT INTO postrider.webhook_events (seq, created_at, tenant_id, id, type, labels, attributes, envelope)
SELECT s.seq, s.created_at, s.tenant_id, s.id, s.type, CASE WHEN s.seq % 100 = 0 THEN '{vip}'::text[] END,
       CASE WHEN s.seq % 3 = 0 THEN jsonb_build_object('user_id', s.user_id, 'plan', 'plan-' || s.seq % 4) END,
       '{"event":"' || s.type || '","id":"' || s.id || '","created_at":"' || to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
       || '","data":{' || CASE WHEN s.seq % 3 = 1 THEN '"distinct_id":"' || s.user_id || '",' ELSE '' END
       || '"amount":' || s.seq % 1000 || ',"country":"c' || s.seq % 30 || '","text":"' || repeat('x', 400) || '"}}'
FROM seeded s
ORDER BY s.seq;

-- One of sixty is open still, those of the newest events; of the closed ones one of fifty has failed.
INSERT INTO postrider.webhook_deliveries (id, endpoint_id, event_seq, event_created_at, next_attempt_at, closed_at, attempts, last_status, open, status, tenant_id, reason)
SELECT (lpad(to_hex(floor(extract(epoch FROM s.created_at) * 1000)::bigint), 12, '0') || substr(md5(s.seq || '/' || k), 1, 20))::uuid,
       md5(s.tenant_id || k)::uuid, s.seq, s.created_at, CASE WHEN o.open THEN clock_timestamp() + interval '1 day' END,
       CASE WHEN NOT o.open THEN s.created_at + interval '80 ms' END, 1, CASE o.status WHEN 'delivered' THEN 200 ELSE 500 END, o.open, o.status, s.tenant_id,
       CASE WHEN o.status NOT IN ('pending', 'delivered') THEN 'seeded' END
FROM seeded s
CROSS JOIN generate_series(1, 3) k
CROSS JOIN LATERAL (SELECT s.seq > current_setting('seed.events')::bigint * 59 / 60 AS open) n
CROSS JOIN LATERAL (
    SELECT n.open, CASE WHEN n.open THEN 'pending' WHEN (s.seq * 3 + k) % 5000 = 11 THEN 'rejected' WHEN (s.seq * 3 + k) % 50 = 0 THEN 'exhausted' ELSE 'delivered' END AS status
) o
ORDER BY s.seq;

INSERT INTO postrider.webhook_attempts (delivery_id, started_at, endpoint_id, duration_ms, attempt, status, outcome, error, response_headers, response_body)
SELECT d.id, d.event_created_at, d.endpoint_id, 80, 1, 500, 'exhausted', 'http_status', 'content-type: text/plain', 'no'
FROM postrider.webhook_deliveries_closed d WHERE d.status <> 'delivered';

-- What people set, and what they did: 100,000 changes, keys that nobody uses, and finished jobs.
INSERT INTO postrider.audit_log (at, tenant_id, actor, action, subject)
SELECT clock_timestamp() - (100000 - i) * interval '20 seconds', CASE WHEN i % 1000 = 1 THEN 'tiny' WHEN i % 3 = 0 THEN 'mid' ELSE 'big' END, 'cli:seed',
       CASE WHEN i % 10000 = 1 THEN 'endpoint.deleted' ELSE 'endpoint.updated' END, 'whk_' || md5((i % 100)::text)
FROM generate_series(1, 100000) i;
INSERT INTO postrider.api_keys (id, tenant_id, name, hash, hint, scopes)
SELECT gen_random_uuid(), CASE WHEN i % 2 = 0 THEN 'mid' ELSE 'small-' || i % 50 END, 'seeded', sha256(i::text::bytea), 'none', '{read}' FROM generate_series(1, 20000) i;
INSERT INTO postrider.jobs (id, tenant_id, kind, endpoint_id, since, until, wanted, rate, state, finished_at)
SELECT gen_random_uuid(), CASE WHEN i % 100 = 1 THEN 'tiny' ELSE 'mid' END, 'recover', md5('mid1')::uuid, clock_timestamp() - interval '1 day', clock_timestamp(), '{}', 50, 'done', clock_timestamp()
FROM generate_series(1, 20000) i;
INSERT INTO postrider.webhook_event_types (name) SELECT DISTINCT s.type FROM seeded s ON CONFLICT DO NOTHING;
DROP TABLE seeded;
