-- what: the counts of a pool's sessions in one row; cheap enough for several times a second
-- since: 14
-- right: pg_read_all_stats (of pg_monitor) to see into other roles' sessions; what is hidden is counted as such
-- cost: one pass over the backends, no lock
SELECT
    clock_timestamp() AS taken_at,
    count(*) AS server_sessions,
    count(*) FILTER (WHERE s.mine) AS total,
    count(*) FILTER (WHERE s.mine AND s.backend_type IS NULL) AS hidden,
    count(*) FILTER (WHERE s.mine AND s.state IN ('active', 'fastpath function call')) AS active,
    count(*) FILTER (WHERE s.mine AND s.state = 'idle') AS idle,
    count(*) FILTER (WHERE s.mine AND s.in_transaction) AS idle_in_transaction,
    count(*) FILTER (
        WHERE s.mine AND s.state = 'active' AND s.query_start < clock_timestamp() - %(long)s * interval '1 s'
    ) AS long_running,
    count(*) FILTER (WHERE s.mine AND s.wait_event_type = 'Lock') AS blocked,
    array_agg(s.pid) FILTER (WHERE s.wait_event_type = 'Lock') AS lock_waiters,
    array_agg(s.pid) FILTER (
        WHERE s.mine AND s.in_transaction AND s.state_change < clock_timestamp() - %(leak)s * interval '1 s'
    ) AS leaking
FROM (
    SELECT
        a.*,
        a.state IN ('idle in transaction', 'idle in transaction (aborted)') AS in_transaction,
        a.datid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            AND (
                %(role)s::text IS NULL
                OR a.usesysid = (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = %(role)s::text)
            )
            AND (%(applications)s::text[] IS NULL OR a.application_name = ANY (%(applications)s::text[]))
            AND a.application_name <> ALL (%(excluded)s::text[]) AS mine
    -- What the view pg_stat_activity reads, without its joins, which cost as much again.
    FROM pg_stat_get_activity(NULL) AS a
    -- Without the right even the type is hidden; a session of a database and a role is then taken for a client's.
    WHERE (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL)
      AND a.pid <> pg_backend_pid()
) AS s;
