-- resolve_tenant(): the tenant that a guest's identifier belongs to, or null. It is asked before the tenant is known,
-- when row level security shows no row: so it runs as its owner, who sees those of all tenants, and tells only this.
-- PostgreSQL 14 and later. Right: CREATE on the schema. Cost: one probe of idx_tenant_user_identifiers_value_platform,
-- which holds the answer. PL/pgSQL, because until 17 a function in SQL is planned anew in every call.
CREATE OR REPLACE FUNCTION resolve_tenant(value text, platform text) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $function$
BEGIN
    RETURN (
        SELECT i.tenant_id
        FROM tenant_user_identifiers AS i
        WHERE i.identifier_value = resolve_tenant.value
        AND i.platform = resolve_tenant.platform
        AND i.deleted_at IS NULL
    );
END
$function$
