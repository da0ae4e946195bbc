-- Secrets of every kind, signing profiles, body formats, and how an endpoint is logged in to.

ALTER TABLE postrider.webhook_endpoint_secrets
    DROP CONSTRAINT webhook_endpoint_secrets_algorithm_check,
    ADD CONSTRAINT webhook_endpoint_secrets_algorithm_check CHECK (algorithm IN ('v1', 'v1a')),
    -- opaque: a text of the owner's that is no whsec_; it signs profiles only.
    ADD COLUMN encoding text NOT NULL DEFAULT 'standard' CHECK (encoding IN ('standard', 'opaque')),
    -- What receivers verify v1a with. In the clear: it is published.
    ADD COLUMN public_key text CHECK (public_key ~ '^whpk_[A-Za-z0-9+/]{43}=$'),
    ADD CONSTRAINT webhook_endpoint_secrets_kind_check
        CHECK ((algorithm = 'v1a') = (public_key IS NOT NULL) AND (encoding = 'standard' OR algorithm = 'v1'));

-- Fires after bump_routing_version (triggers fire in the order of their names), whose row lock orders all changes of one tenant:
-- what this counts is therefore everything.
CREATE FUNCTION postrider.limit_live_secrets() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM postrider.webhook_endpoint_secrets s
        WHERE s.endpoint_id = NEW.endpoint_id AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())) > 5 THEN
        RAISE EXCEPTION USING ERRCODE = '54000', MESSAGE = 'postrider: an endpoint may have 5 live secrets';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION postrider.limit_live_secrets FROM PUBLIC;
CREATE TRIGGER limit_live_secrets AFTER INSERT OR UPDATE ON postrider.webhook_endpoint_secrets
    FOR EACH ROW EXECUTE FUNCTION postrider.limit_live_secrets();

ALTER TABLE postrider.webhook_endpoints
    ADD COLUMN format text NOT NULL DEFAULT 'postrider' CHECK (format IN ('postrider', 'standard', 'cloudevents', 'raw')),
    -- Signing profiles beside webhook-signature: [{"profile": "stripe", "header": "x-e2a-signature"}, …].
    ADD COLUMN signing jsonb NOT NULL DEFAULT '[]' CHECK (CASE WHEN jsonb_typeof(signing) = 'array' THEN jsonb_array_length(signing) <= 8 ELSE false END),
    -- What kind of login, for people; all of it is in auth_sealed (JSON, XChaCha20-Poly1305).
    ADD COLUMN auth text CHECK (auth IN ('basic', 'bearer', 'oauth2')),
    ADD COLUMN auth_sealed bytea,
    -- Client certificate with its key, and the authority that is believed: PEM in JSON, sealed.
    ADD COLUMN tls_sealed bytea,
    ADD CONSTRAINT webhook_endpoints_auth_sealed_check CHECK ((auth IS NULL) = (auth_sealed IS NULL));
