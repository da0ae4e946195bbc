-- Publishes the test event of an endpoint through the one door for events; never knocks, for fan-out shall not see it.
-- $1 tenant, $2 event id, $3 endpoint id as text. It is worth an hour: nobody waits for a test longer.
SELECT postrider.publish_v1(
    $1, $2, 'postrider.test', json_build_object('message', 'a test of this endpoint', 'endpoint', $3),
    jsonb_build_object('endpoint', $3), NULL, NULL, interval '1 hour', NULL, false)
