-- what: which server this is, and since when each kind of counter runs
-- since: 14
-- right: none; replicas are NULL where the login may not see them
-- cost: constant
SELECT
    current_setting('server_version_num')::int AS version_num,
    current_setting('server_version') AS version,
    current_database()::text AS database,
    current_user::text AS "user",
    pg_is_in_recovery() AS in_recovery,
    clock_timestamp() AS taken_at,
    current_setting('block_size')::int AS block_size,
    current_setting('data_checksums')::bool AS data_checksums,
    (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
    current_setting('track_counts')::bool AS counting,
    pg_stat_get_db_stat_reset_time(d.oid) AS database_reset,
    -- A crash resets all of these at once, an administrator one at a time: the oldest tells of the crash.
    (
        SELECT min(r.at)
        FROM (
            SELECT stats_reset AS at FROM pg_stat_bgwriter
            UNION ALL SELECT stats_reset FROM pg_stat_wal
            UNION ALL SELECT stats_reset FROM pg_stat_archiver
            UNION ALL SELECT stats_reset FROM pg_stat_slru
        ) AS r
    ) AS cluster_reset,
    has_function_privilege('pg_stat_file(text, bool)', 'execute') AS may_stat_files,
    CASE
        WHEN pg_has_role('pg_monitor', 'usage') THEN
            greatest(
                (
                    SELECT count(*) FROM pg_stat_replication
                    WHERE application_name NOT IN ('pg_basebackup', 'pg_receivewal')
                      AND pid NOT IN (
                          SELECT active_pid FROM pg_replication_slots
                          WHERE slot_type = 'logical' AND active_pid IS NOT NULL
                      )
                ),
                (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary)
            )::int
    END AS replicas_known,
    coalesce(
        (SELECT n.nspname::text FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements'),
        ''
    ) AS statements_schema
FROM pg_database AS d
WHERE d.datname = current_database();
