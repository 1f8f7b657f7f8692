-- what: the indexes of the given tables, as the catalogue holds them; nothing here opens or locks a relation
-- since: 14
-- right: none
-- cost: one pass over pg_index
SELECT
    i.indexrelid AS oid,
    i.indrelid AS table_oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    a.amname::text AS method,
    i.indkey::int2[] AS attnums,
    i.indclass::oid[] AS opclasses,
    i.indcollation::oid[] AS collations,
    i.indoption::int2[] AS flags,
    i.indnkeyatts AS key_count,
    i.indisunique AS is_unique,
    i.indisexclusion AS is_exclusion,
    i.indimmediate AS immediate,
    i.indisvalid AS valid,
    i.indisready AS ready,
    i.indislive AS live,
    i.indisclustered AS clustered,
    i.indisreplident AS replica_identity,
    i.indpred IS NOT NULL AS partial,
    i.indexprs IS NOT NULL AS computed,
    coalesce(c.reloptions, '{}') AS options,
    s.spcname::text AS tablespace,
    c.reltuples AS row_estimate,
    c.relpages AS pages,
    p.inhparent AS parent_oid,
    k.conname::text AS constraint_name,
    k.contype::text AS constraint_type,
    k.condeferrable AS deferrable,
    CASE
        WHEN a.amname <> 'btree' THEN
            (SELECT array_agg(o.attnum || ' ' || array_to_string(o.attoptions, ', ') ORDER BY o.attnum)
             FROM pg_attribute AS o WHERE o.attrelid = i.indexrelid AND o.attoptions IS NOT NULL)
    END AS key_options,
    pg_stat_get_numscans(i.indexrelid) AS scans,
    pg_stat_get_tuples_returned(i.indexrelid) AS tuples_read,
    pg_stat_get_blocks_fetched(i.indexrelid) AS blocks_touched,
    CASE
        WHEN current_setting('track_commit_timestamp')::bool THEN pg_xact_commit_timestamp(i.xmin)
    END AS created_at
FROM pg_index AS i
JOIN unnest(%(tables)s::oid[]) AS chosen (oid) ON chosen.oid = i.indrelid
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS a ON a.oid = c.relam
LEFT JOIN pg_tablespace AS s ON s.oid = c.reltablespace
LEFT JOIN pg_inherits AS p ON p.inhrelid = i.indexrelid
LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
ORDER BY i.indexrelid;
