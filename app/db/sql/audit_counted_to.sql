-- audit_counted_to(): the arrival number up to which (not included) all audit rows are in audit_days.
-- PostgreSQL 14 and later. Right: EXECUTE. Cost: one entry of idx_audit_days_counted_to.
-- It is one for all tenants, so it runs as hotel_search, which row level security lets see all days; it gives away
-- a number and nothing else. plpgsql, so that it can be made before its table. STABLE: it sees what its caller's
-- statement sees, so that the count and what is not counted yet always fit together.
CREATE OR REPLACE FUNCTION audit_counted_to() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    RETURN coalesce((SELECT max(counted_to) FROM audit_days), 0);
END
$function$
