-- what: tables, partitioned tables and materialised views of the chosen schemas, with their counters
-- since: 14
-- right: none
-- cost: one pass over pg_class; the counters come from shared memory, no relation is opened
SELECT
    c.oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    c.relpersistence::text AS persistence,
    c.relreplident::text AS replica_identity,
    c.reltuples AS row_estimate,
    c.relpages AS pages,
    c.reltoastrelid AS toast_oid,
    coalesce(t.relpages, 0) AS toast_pages,
    p.inhparent AS parent_oid,
    pg_stat_get_numscans(c.oid) AS seq_scans,
    pg_stat_get_tuples_returned(c.oid) AS seq_tuples_read,
    pg_stat_get_tuples_inserted(c.oid) AS inserts,
    pg_stat_get_tuples_updated(c.oid) AS updates,
    pg_stat_get_tuples_hot_updated(c.oid) AS hot_updates,
    pg_stat_get_tuples_deleted(c.oid) AS deletes,
    pg_stat_get_live_tuples(c.oid) AS live_tuples,
    pg_stat_get_dead_tuples(c.oid) AS dead_tuples,
    pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum,
    pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
    pg_stat_get_last_analyze_time(c.oid) AS last_analyze,
    pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid
LEFT JOIN pg_inherits AS p ON p.inhrelid = c.oid AND c.relispartition
WHERE c.relkind IN ('r', 'p', 'm')
  AND c.relpersistence <> 't'
  AND c.relnamespace = ANY(%(namespaces)s::oid[])
  AND (
      %(tables)s::text[] IS NULL
      OR c.relname LIKE ANY(%(tables)s::text[])
      OR n.nspname || '.' || c.relname LIKE ANY(%(tables)s::text[])
  )
  AND NOT EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  )
ORDER BY n.nspname, c.relname;
