-- Gives the audit trail's reading functions to hotel_search, which sees all tenants' rows, and lets only the hotel's
-- roles call them. PostgreSQL 14 and later. Right: owner of the functions and of the schema, member of hotel_search.
-- Cost: catalogue rows. A function's new owner must be able to make it, which hotel_search may for this moment only.
DO $body$
BEGIN
    GRANT CREATE ON SCHEMA public TO hotel_search;
    ALTER FUNCTION public.audit_counted_to() OWNER TO hotel_search;
    ALTER FUNCTION public.audit_fresh_days() OWNER TO hotel_search;
    ALTER FUNCTION public.search_audit_logs(text, integer, timestamptz, uuid) OWNER TO hotel_search;
    REVOKE CREATE ON SCHEMA public FROM hotel_search;
    REVOKE EXECUTE ON FUNCTION public.audit_counted_to() FROM PUBLIC;
    REVOKE EXECUTE ON FUNCTION public.audit_fresh_days() FROM PUBLIC;
    REVOKE EXECUTE ON FUNCTION public.search_audit_logs(text, integer, timestamptz, uuid) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION public.audit_counted_to() TO hotel_service, hotel_admin;
    GRANT EXECUTE ON FUNCTION public.audit_fresh_days() TO hotel_service;
    GRANT EXECUTE ON FUNCTION public.search_audit_logs(text, integer, timestamptz, uuid) TO hotel_service;
END
$body$
