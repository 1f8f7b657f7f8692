-- what: bytes on disk: a table with its TOAST part, an index by its main fork (as the guide's own query has it)
-- since: 14
-- right: none
-- cost: a few stat calls a relation; opens each for a moment (ACCESS SHARE), so locked ones are left out
-- Materialized, so that no size is asked for before the locked ones are out; NULL means dropped in the meantime.
WITH measured AS MATERIALIZED (
    SELECT c.oid, CASE WHEN c.relkind = 'i' THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END AS bytes
    FROM unnest(%(relations)s::oid[]) AS chosen (oid)
    JOIN pg_class AS c ON c.oid = chosen.oid
    WHERE c.oid <> ALL(%(locked)s::oid[]) AND c.reltoastrelid <> ALL(%(locked)s::oid[])
)
SELECT oid, bytes FROM measured WHERE bytes IS NOT NULL;
