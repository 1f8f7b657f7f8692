-- what: the columns that an index (in its keys, expressions, predicate or INCLUDE) or a foreign key of the given tables
--       uses, and all columns of the large ones
-- since: 14
-- right: none
-- cost: index look-ups in pg_attribute, one a used column
WITH used AS (
    SELECT i.indrelid AS table_oid, unnest(i.indkey::int2[]) AS attnum
    FROM pg_index AS i
    JOIN unnest(%(tables)s::oid[]) AS chosen (oid) ON chosen.oid = i.indrelid
    UNION
    SELECT k.conrelid, unnest(k.conkey)
    FROM pg_constraint AS k
    JOIN unnest(%(tables)s::oid[]) AS chosen (oid) ON chosen.oid = k.conrelid
    WHERE k.contype = 'f'
    UNION
    SELECT i.indrelid, d.refobjsubid::int2
    FROM pg_index AS i
    JOIN unnest(%(tables)s::oid[]) AS chosen (oid) ON chosen.oid = i.indrelid
    JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0
    WHERE i.indpred IS NOT NULL OR i.indexprs IS NOT NULL
    UNION
    SELECT a.attrelid, a.attnum
    FROM pg_attribute AS a
    JOIN unnest(%(large)s::oid[]) AS chosen (oid) ON chosen.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT
    a.attrelid AS table_oid,
    a.attnum,
    a.attname::text AS name,
    quote_ident(a.attname) AS quoted,
    format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS not_null,
    a.attcollation AS collation_oid
FROM used AS u
JOIN pg_attribute AS a ON a.attrelid = u.table_oid AND a.attnum = u.attnum
ORDER BY a.attrelid, a.attnum;
