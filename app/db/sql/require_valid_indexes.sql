-- Stops a migration script that left an invalid index behind, before it records the migration as done.
-- PostgreSQL 14 and later. Right: none. Cost: one look into the catalogue.
DO $body$
DECLARE
    names text;
BEGIN
    SELECT string_agg(i.indexrelid::regclass::text, ', ' ORDER BY i.indexrelid::regclass::text) INTO names
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND NOT i.indisvalid;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION 'invalid indexes, left by an interrupted build: %', names
            USING HINT = 'Drop each with DROP INDEX CONCURRENTLY, then run this script again.';
    END IF;
END
$body$
