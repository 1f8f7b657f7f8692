-- what: the clients' sessions, and every other process that waits for a lock or stands in the way of one
-- since: 14
-- right: pg_read_all_stats (of pg_monitor) to see into other roles' sessions
-- cost: one pass over the backends; pg_blocking_pids, which stops the lock manager for microseconds, for waiters only
WITH seen AS MATERIALIZED (
    SELECT
        a.*,
        CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) ELSE '{}' END AS blockers
    FROM pg_stat_activity AS a
    WHERE a.pid <> pg_backend_pid()
)
SELECT
    s.pid,
    -- A parallel worker waits on behalf of its leader.
    s.leader_pid,
    s.backend_type,
    s.datname::text AS database,
    s.usename::text AS "user",
    coalesce(s.application_name, '') AS application_name,
    host(s.client_addr) AS client_address,
    s.client_port,
    s.state,
    s.backend_start,
    s.state_change,
    extract(epoch FROM clock_timestamp() - s.state_change)::float8 AS state_seconds,
    extract(epoch FROM clock_timestamp() - s.xact_start)::float8 AS transaction_seconds,
    CASE WHEN s.state = 'active' THEN extract(epoch FROM clock_timestamp() - s.query_start)::float8 END AS query_seconds,
    s.wait_event_type,
    s.wait_event,
    s.backend_xid IS NOT NULL AS has_xid,
    age(s.backend_xmin) AS xmin_age,
    CASE WHEN s.state <> 'idle' THEN s.query END AS query,
    s.query_id,
    s.blockers AS blocked_by
FROM seen AS s
WHERE (
        (s.backend_type = 'client backend' OR s.backend_type IS NULL AND s.datid IS NOT NULL AND s.usesysid IS NOT NULL)
        AND (%(with_idle)s OR s.state IS DISTINCT FROM 'idle')
    )
    OR s.wait_event_type = 'Lock'
    OR s.pid IN (SELECT unnest(w.blockers) FROM seen AS w)
ORDER BY s.pid;
