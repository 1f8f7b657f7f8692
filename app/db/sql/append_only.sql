-- append_only(): trigger function that refuses to change or remove what is in a table, but to the table's owner.
-- The owner's way stays open for retention; a superuser could not be stopped anyhow. Whoever is given a right by
-- mistake is stopped here.
-- PostgreSQL 14 and later. Right: none. Cost: one look into the catalogue a statement.
CREATE OR REPLACE FUNCTION append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$function$
