-- One event, every value as text, for libraries whose types differ. The ledger's primary key serves it.
SELECT postrider.publish_v1($1::text, $2::text, $3::text, $4::text::json, $5::text::jsonb, $6::text::text[], $7::text,
                            $8::text::interval, $9::text, $10::text::boolean) AS answer
