-- what: which server this is, how many connections it allows, and whether the login sees all of them
-- since: 14
-- right: none
-- cost: constant
SELECT
    clock_timestamp() AS taken_at,
    current_setting('server_version_num')::int AS version_num,
    current_setting('server_version') AS version,
    current_database()::text AS database,
    current_user::text AS "user",
    pg_is_in_recovery() AS in_recovery,
    pg_postmaster_start_time() AS started_at,
    pg_backend_pid() AS pid,
    pg_has_role('pg_read_all_stats', 'usage') AS sees_all,
    current_setting('max_connections')::int AS max_connections,
    current_setting('superuser_reserved_connections')::int
        -- Since 16.
        + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved_connections,
    nullif(d.datconnlimit, -1) AS database_limit,
    extract(epoch FROM current_setting('client_connection_check_interval')::interval)::float8 AS check_interval,
    extract(epoch FROM current_setting('idle_in_transaction_session_timeout')::interval)::float8
        AS idle_in_transaction_timeout,
    pg_size_bytes(current_setting('track_activity_query_size')) AS query_size,
    ARRAY(SELECT r.rolname::text FROM pg_roles AS r WHERE r.rolconnlimit >= 0 ORDER BY r.rolname) AS limited_roles,
    ARRAY(SELECT r.rolconnlimit FROM pg_roles AS r WHERE r.rolconnlimit >= 0 ORDER BY r.rolname) AS role_limits
FROM pg_database AS d
WHERE d.datname = current_database();
