-- what: the counts of a pool's sessions in one row; cheap enough for several times a second
-- since: 14
-- right: pg_read_all_stats (of pg_monitor) to see into other roles' sessions; what is hidden is counted as such
-- cost: one pass over the backends, no lock; with 400 of them the counting is a seventh of it, the rest is the pass.
--       Its values are part of the text: what does not narrow the scope is planned away, and nothing is left to plan.
SELECT
    clock_timestamp() AS taken_at,
    count(*) AS server_sessions,
    count(s.kind) AS total,
    count(*) FILTER (WHERE s.kind = 'h') AS hidden,
    count(*) FILTER (WHERE s.kind = 'a') + count(*) FILTER (WHERE s.kind = 'q') AS active,
    count(*) FILTER (WHERE s.kind = 'i') AS idle,
    count(*) FILTER (WHERE s.kind = 't')
        + coalesce(cardinality(array_agg(s.pid) FILTER (WHERE s.kind = 'l')), 0) AS idle_in_transaction,
    count(*) FILTER (WHERE s.kind = 'q') AS long_running,
    count(s.kind) FILTER (WHERE s.waits) AS blocked,
    array_agg(s.pid) FILTER (WHERE s.waits) AS lock_waiters,
    array_agg(s.pid) FILTER (WHERE s.kind = 'l') AS leaking
FROM (
    SELECT
        a.pid,
        a.wait_event_type = 'Lock' AS waits,
        -- Idle, in a transaction (l: too long, a leak), active (q: with a long query), hidden, other; null: not the pool's.
        CASE
            WHEN a.datid = {database}
                AND ({role}::text IS NULL OR a.usesysid = (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = {role}::text))
                AND ({applications}::text[] IS NULL OR a.application_name = ANY ({applications}::text[]))
                AND a.application_name <> {own}
                AND ({excluded}::text[] IS NULL OR a.application_name <> ALL ({excluded}::text[]))
                THEN CASE
                    WHEN a.state = 'idle' THEN 'i'::"char"
                    WHEN a.state = 'idle in transaction' OR a.state = 'idle in transaction (aborted)'
                        THEN CASE WHEN a.state_change < (SELECT clock_timestamp() - interval '1 s' * {leak})
                            THEN 'l'::"char" ELSE 't' END
                    WHEN a.state = 'active'
                        THEN CASE WHEN a.query_start < (SELECT clock_timestamp() - interval '1 s' * {long})
                            THEN 'q'::"char" ELSE 'a' END
                    WHEN a.state = 'fastpath function call' THEN 'a'
                    WHEN a.backend_type IS NULL THEN 'h'
                    ELSE 'o'
                END
        END AS kind
    FROM (
        -- What the view pg_stat_activity reads, without its joins, which cost as much again.
        -- Compared byte by byte: the database's collation costs more, and finds the same texts equal.
        SELECT
            g.pid, g.datid, g.usesysid, g.query_start, g.state_change,
            g.application_name COLLATE "C" AS application_name,
            g.state COLLATE "C" AS state,
            g.wait_event_type COLLATE "C" AS wait_event_type,
            g.backend_type COLLATE "C" AS backend_type
        FROM pg_stat_get_activity(NULL) AS g
    ) AS a
    -- Without the right even the type is hidden; a session of a database and a role is then taken for a client's.
    WHERE (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL)
      AND a.pid <> pg_backend_pid()
    -- Keeps the kind from being worked out anew for each of the counts.
    OFFSET 0
) AS s;
