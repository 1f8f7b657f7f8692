-- what: index builds that run now
-- since: 14
-- right: none for one's own; pg_monitor to see the progress of others' (without it the counts are NULL)
-- cost: constant
SELECT
    pid,
    relid AS table_oid,
    nullif(index_relid, 0::oid) AS index_oid,
    coalesce(phase, 'unknown') AS phase,
    round(100.0 * blocks_done / nullif(blocks_total, 0), 1)::float8 AS done_percent
FROM pg_stat_progress_create_index
WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relid IS NOT NULL
ORDER BY pid;
