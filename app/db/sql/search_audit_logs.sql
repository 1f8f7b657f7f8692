-- search_audit_logs(needle, newest, before_time, before_id): the newest rows of the transaction's tenant whose details
-- contain the text, before a position. PostgreSQL 14 and later, with pg_trgm and btree_gin. Right: EXECUTE; no column
-- of the table is needed for the search itself.
-- Cost: the matches' entries of idx_audit_logs_tenant_id_details and their rows, all of them, since the newest are asked.
-- Why a function: ILIKE is not leakproof, so under a policy it may only see rows that the policy has passed, and its
-- index is of no use. Here the tenant is in the query, taken from the transaction and not from an argument, and the
-- function runs as hotel_search, whose policy lets it see all rows. MATERIALIZED keeps the planner from walking the
-- index of times for the sake of the LIMIT. The details are JSON, so the text is looked for as JSON writes it.
CREATE OR REPLACE FUNCTION search_audit_logs(
    needle text, newest integer, before_time timestamptz DEFAULT NULL, before_id uuid DEFAULT NULL
) RETURNS TABLE (found_id uuid, found_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
DECLARE
    tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    quoted text := to_jsonb(needle)::text;
    pattern text := '%' || regexp_replace(substr(quoted, 2, length(quoted) - 2), '([\\%_])', '\\\1', 'g') || '%';
BEGIN
    IF char_length(needle) < 3 THEN
        RAISE EXCEPTION 'a text to search for has three characters or more' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY EXECUTE $query$
        WITH found AS MATERIALIZED (
            SELECT a.id, a."timestamp" FROM audit_logs AS a
            WHERE a.tenant_id = $1 AND (a.details::text) ILIKE $2
        )
        SELECT f.id, f."timestamp" FROM found AS f
        WHERE $3 IS NULL OR (f."timestamp", f.id) < ($3, $4)
        ORDER BY f."timestamp" DESC, f.id DESC
        LIMIT $5
    $query$ USING tenant, pattern, before_time, before_id, newest;
END
$function$
