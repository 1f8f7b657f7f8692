-- what: how many tables and indexes are left out on purpose
-- since: 14
-- right: none
-- cost: one pass over pg_class and the extension entries of pg_depend
SELECT
    count(*) FILTER (WHERE c.relpersistence = 't') AS temporary,
    count(*) FILTER (WHERE c.relpersistence <> 't' AND e.objid IS NOT NULL) AS extension_owned
FROM pg_class AS c
LEFT JOIN (
    SELECT objid FROM pg_depend
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_extension'::regclass AND deptype = 'e'
) AS e ON e.objid = c.oid
WHERE c.relkind IN ('r', 'p', 'm');
