-- announce_identifier(): trigger function that tells every listener that an identifier may name another tenant now.
-- It sends the identifier's SHA-256 (app.core.identifiers.fingerprint makes the same) and the transaction's number, and
-- the server delivers both once the transaction is committed.
-- PostgreSQL 14 and later. Right: CREATE on the schema. Cost: some microseconds a changed row.
CREATE OR REPLACE FUNCTION announce_identifier() RETURNS trigger
LANGUAGE plpgsql
AS $function$
DECLARE
    was text := CASE WHEN TG_OP <> 'INSERT' THEN OLD.platform || ':' || OLD.identifier_value END;
    becomes text := CASE WHEN TG_OP <> 'DELETE' THEN NEW.platform || ':' || NEW.identifier_value END;
    changed text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF was = becomes AND OLD.tenant_id = NEW.tenant_id AND (OLD.deleted_at IS NULL) = (NEW.deleted_at IS NULL) THEN
            RETURN NULL;
        END IF;
    END IF;
    FOREACH changed IN ARRAY ARRAY[was, becomes] LOOP
        CONTINUE WHEN changed IS NULL;
        PERFORM pg_catalog.pg_notify(
            'tenant_user_identifiers',
            pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(changed, 'UTF8')), 'hex')
            || ' ' || pg_catalog.pg_current_xact_id()::text
        );
    END LOOP;
    RETURN NULL;
END
$function$
