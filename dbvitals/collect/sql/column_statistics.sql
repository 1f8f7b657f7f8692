-- what: width, distinct values and NULL share of the columns (and index expressions) of the given relations
-- since: 14
-- right: SELECT on the columns, or pg_read_all_data; columns that may not be read have no row
-- cost: one pass over the statistics of these relations
SELECT c.oid AS relation_oid, a.attnum, s.avg_width, s.n_distinct, s.null_frac
FROM unnest(%(relations)s::oid[]) AS chosen (oid)
JOIN pg_class AS c ON c.oid = chosen.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE s.inherited = (c.relkind = 'p');
