-- Many events in the order given, each list as the text of an array, for libraries whose types differ.
SELECT postrider.publish_v1(e.tenant, e.id, e.type, e.data, e.attributes, e.labels::text[], e.ordering_key,
                            e.expires_after, e.traceparent, true) AS answer
FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::json[], $5::text::jsonb[],
            $6::text::text[], $7::text::text[], $8::text::interval[], $9::text::text[])
     AS e (tenant, id, type, data, attributes, labels, ordering_key, expires_after, traceparent)
