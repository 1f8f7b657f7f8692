-- what: the server's own rendering of indexes: definition, expressions, predicate
-- since: 14
-- right: none
-- cost: deparses each index; opens the table for a moment (ACCESS SHARE), so locked tables are left out
-- Materialized, so that nothing is deparsed before the locked ones are out; NULL means dropped in the meantime.
WITH rendered AS MATERIALIZED (
    SELECT
        i.indexrelid AS oid,
        pg_get_indexdef(i.indexrelid) AS definition,
        CASE WHEN i.indpred IS NOT NULL THEN pg_get_expr(i.indpred, i.indrelid) END AS predicate,
        CASE
            WHEN i.indexprs IS NOT NULL THEN
                (SELECT array_agg(pg_get_indexdef(i.indexrelid, g.position, false) ORDER BY g.position)
                 FROM generate_series(1, i.indnatts) AS g (position)
                 WHERE i.indkey[g.position - 1] = 0)
        END AS expressions
    FROM pg_index AS i
    JOIN unnest(%(tables)s::oid[]) AS chosen (oid) ON chosen.oid = i.indrelid
    WHERE i.indrelid <> ALL(%(locked)s::oid[])
)
SELECT oid, definition, predicate, expressions FROM rendered WHERE definition IS NOT NULL;
