-- Gives the audit trigger's functions to hotel_audit, which alone may read the key and call what reads it.
-- PostgreSQL 14 and later. Right: owner of the functions and of the schema, member of hotel_audit. Cost: catalogue rows.
-- A function's new owner must be able to make it, which hotel_audit may for this moment only.
DO $body$
BEGIN
    GRANT CREATE ON SCHEMA public TO hotel_audit;
    ALTER FUNCTION public.audit_hash(text) OWNER TO hotel_audit;
    ALTER FUNCTION public.audit_change() OWNER TO hotel_audit;
    REVOKE CREATE ON SCHEMA public FROM hotel_audit;
    GRANT SELECT ON TABLE public.audit_keys TO hotel_audit;
    REVOKE EXECUTE ON FUNCTION public.audit_hash(text) FROM PUBLIC;
END
$body$
