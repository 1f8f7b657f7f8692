-- what: the statements that took most time in this database, normalised by the server
-- since: 14, extension pg_stat_statements; {schema} is where it is installed
-- right: pg_read_all_stats, else other users' texts are hidden
-- cost: reads the extension's text file
SELECT
    s.queryid,
    max(s.query) AS query,
    sum(s.calls)::bigint AS calls,
    sum(s.total_exec_time)::float8 AS total_ms,
    sum(s.rows)::bigint AS rows
FROM {schema}.pg_stat_statements AS s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.toplevel
  AND s.queryid IS NOT NULL
  AND s.query ~* '^\s*(select|with|update|delete)\M'
GROUP BY s.queryid
ORDER BY sum(s.total_exec_time) DESC, s.queryid
LIMIT %(limit)s;
