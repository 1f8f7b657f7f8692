-- audit_fresh_days(): how many rows of the transaction's tenant are in no count yet, by the day of their time (UTC).
-- PostgreSQL 14 and later. Right: EXECUTE.
-- Cost: the stretches of idx_audit_logs_arrival since the last count, of all tenants.
-- Why a function: a policy's own `tenant_id =` would bring in the index by tenant, which is walked from the tenant's
-- first row on; here the tenant is compared so that only the index by arrival serves. EXECUTE plans with the number
-- that the count has reached, and STABLE sees what the caller's statement sees.
CREATE OR REPLACE FUNCTION audit_fresh_days() RETURNS TABLE (fresh_day date, fresh_n bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    RETURN QUERY EXECUTE $query$
        SELECT cast(a."timestamp" AT TIME ZONE 'UTC' AS date), count(*)
        FROM audit_logs AS a
        WHERE a.arrival >= $1 AND a.tenant_id IS NOT DISTINCT FROM $2
        GROUP BY 1
    $query$ USING audit_counted_to(), nullif(current_setting('app.tenant_id', true), '')::uuid;
END
$function$
