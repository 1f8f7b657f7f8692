-- audit_hash(value): HMAC-SHA256 (RFC 2104) of a sensitive value, by the key in audit_keys; hexadecimal, 64 characters.
-- Equal values have equal hashes, so that the trail shows that an identifier came back or went from guest to guest.
-- PostgreSQL 14 and later: sha256() is in the core, pgcrypto may not be there.
-- Right: SELECT on audit_keys, which only hotel_audit is granted. Cost: about 5 microseconds.
CREATE OR REPLACE FUNCTION audit_hash(value text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (
        SELECT encode(sha256(outer_pad || sha256(inner_pad || convert_to(value, 'UTF8'))), 'hex')
        FROM public.audit_keys
    );
END
$function$
