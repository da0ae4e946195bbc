-- Takes the end off the newest live secret of an endpoint when every other one has an end too: otherwise the day would come when
-- nothing signs. Index: webhook_endpoint_secrets_endpoint.
UPDATE postrider.webhook_endpoint_secrets s
SET expires_at = NULL
WHERE s.id = (SELECT l.id FROM postrider.webhook_endpoint_secrets l
              WHERE l.endpoint_id = $1 AND l.expires_at > clock_timestamp()
              ORDER BY l.created_at DESC, l.id
              LIMIT 1)
  AND NOT EXISTS (SELECT FROM postrider.webhook_endpoint_secrets f WHERE f.endpoint_id = $1 AND f.expires_at IS NULL)
RETURNING s.id
