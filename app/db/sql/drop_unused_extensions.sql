-- Drops the extensions that the search in the audit trail needs, unless something else has come to use them.
-- PostgreSQL 14 and later. Right: owner of the extensions. Cost: catalogue rows.
DO $body$
DECLARE
    extension text;
BEGIN
    FOREACH extension IN ARRAY ARRAY['pg_trgm', 'btree_gin'] LOOP
        BEGIN
            EXECUTE format('DROP EXTENSION IF EXISTS %I', extension);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'extension % is used by others and stays', extension;
        END;
    END LOOP;
END
$body$
