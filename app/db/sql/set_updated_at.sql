-- set_updated_at(): trigger function that stamps a changed row; its trigger decides that the row did change.
-- PostgreSQL 14 and later. Right: CREATE on the schema. Cost: a few microseconds a changed row.
-- clock_timestamp() and not now(): whoever changes a row last has the latest stamp, however long its transaction ran.
CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $function$
BEGIN
    NEW.updated_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END
$function$
