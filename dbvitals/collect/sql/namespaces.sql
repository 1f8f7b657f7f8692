-- what: the user schemas
-- since: 14
-- right: none
-- cost: one row a schema
SELECT oid, nspname::text AS name
FROM pg_namespace
WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND nspname !~ '^pg_(toast_)?temp_'
ORDER BY nspname;
