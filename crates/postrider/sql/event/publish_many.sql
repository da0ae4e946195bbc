-- Many events in the order given, which the client has sorted by tenant and id. Labels come as array literals,
-- because unnest would flatten an array of arrays.
SELECT postrider.publish_v1(e.tenant, e.id, e.type, e.data, e.attributes, e.labels::text[], e.ordering_key,
                            e.expires_after, e.traceparent, true)
FROM unnest($1::text[], $2::text[], $3::text[], $4::json[], $5::jsonb[], $6::text[], $7::text[], $8::interval[],
            $9::text[])
     AS e (tenant, id, type, data, attributes, labels, ordering_key, expires_after, traceparent)
