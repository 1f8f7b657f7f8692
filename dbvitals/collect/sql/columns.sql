-- what: the columns that an index or a foreign key of the given tables uses
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
