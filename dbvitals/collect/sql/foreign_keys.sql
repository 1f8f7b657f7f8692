-- what: foreign keys from or to the given tables, with the index of the other side that each one needs
-- since: 14
-- right: none
-- cost: one pass over pg_constraint
SELECT
    k.conname::text AS name,
    k.conrelid AS table_oid,
    n.nspname::text AS schema,
    c.relname::text AS "table",
    k.confrelid AS ref_table_oid,
    rn.nspname::text AS ref_schema,
    r.relname::text AS ref_table,
    k.conindid AS ref_index_oid,
    k.conparentid <> 0 AS inherited,
    k.conpfeqop AS operators,
    k.confdeltype::text AS on_delete,
    k.confupdtype::text AS on_update,
    k.convalidated AS validated,
    -- Whether a B-tree on the columns themselves serves the look-up: not when the server has to convert them first.
    (SELECT bool_and(
         EXISTS (
             SELECT FROM pg_amop AS f JOIN pg_am AS m ON m.oid = f.amopmethod
             WHERE f.amopopr = o.oid AND m.amname = 'btree' AND f.amopstrategy = 3
         )
         AND (
             coalesce(nullif(t.typbasetype, 0), t.oid) = o.oprright
             OR (SELECT p.typtype = 'p' FROM pg_type AS p WHERE p.oid = o.oprright)
             OR EXISTS (
                 SELECT FROM pg_cast AS s
                 WHERE s.castsource = coalesce(nullif(t.typbasetype, 0), t.oid) AND s.casttarget = o.oprright
                   AND s.castmethod = 'b'
             )
         )
     )
     FROM unnest(k.conkey, k.conpfeqop) AS u (attnum, operator)
     JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
     JOIN pg_type AS t ON t.oid = a.atttypid
     JOIN pg_operator AS o ON o.oid = u.operator) AS plain,
    (SELECT array_agg(a.attname::text ORDER BY u.position)
     FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, position)
     JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS columns,
    (SELECT array_agg(a.attname::text ORDER BY u.position)
     FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, position)
     JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum) AS ref_columns
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS r ON r.oid = k.confrelid
JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE k.contype = 'f'
  AND (k.conrelid = ANY(%(tables)s::oid[]) OR k.confrelid = ANY(%(tables)s::oid[]))
ORDER BY n.nspname, c.relname, k.conname;
