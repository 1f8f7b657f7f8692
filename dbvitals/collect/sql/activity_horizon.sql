-- what: who keeps VACUUM from removing rows: sessions, prepared transactions, replication slots, standbys
-- since: 14
-- right: pg_read_all_stats (of pg_monitor) to see other roles' sessions and the standbys
-- cost: one pass over the backends and the slots
SELECT h.kind, h.name, h.pid, h.age
FROM (
    SELECT
        'session' AS kind,
        coalesce(nullif(a.application_name, ''), a.usename, a.backend_type) AS name,
        a.pid,
        -- A transaction that only has an id holds rows back as well.
        greatest(age(a.backend_xmin), age(a.backend_xid)) AS age
    FROM pg_stat_activity AS a
    WHERE a.pid <> pg_backend_pid()
      AND a.backend_type <> 'walsender'
      AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
    UNION ALL
    SELECT 'prepared transaction', p.gid, NULL, age(p.transaction)
    FROM pg_prepared_xacts AS p
    UNION ALL
    SELECT 'replication slot', s.slot_name, s.active_pid, greatest(age(s.xmin), age(s.catalog_xmin))
    FROM pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'standby', r.application_name, r.pid, age(r.backend_xmin)
    FROM pg_stat_replication AS r
    WHERE r.backend_xmin IS NOT NULL
) AS h
ORDER BY h.age DESC, h.kind, h.name, h.pid
LIMIT 10;
