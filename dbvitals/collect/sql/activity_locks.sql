-- what: the locks that somebody waits for: who waits, since when, and who holds them
-- since: 14
-- right: none
-- cost: one copy of the lock table; asked only while somebody waits
WITH locks AS MATERIALIZED (
    SELECT
        l.*,
        jsonb_build_array(
            l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid::text,
            l.classid, l.objid, l.objsubid
        ) AS target
    FROM pg_locks AS l
),
-- A prepared transaction's locks have no process. It is known by the lock on its own id, which every one of them has.
prepared AS (
    SELECT l.virtualtransaction, p.gid
    FROM locks AS l
    JOIN pg_prepared_xacts AS p ON p.transaction = l.transactionid
    WHERE l.pid IS NULL AND l.locktype = 'transactionid' AND l.granted
)
SELECT
    l.pid,
    l.granted,
    l.mode,
    l.locktype,
    -- The name of a relation can only be told in its own database.
    CASE WHEN l.database = d.oid THEN l.relation::regclass::text ELSE l.relation::text END AS relation,
    l.classid,
    l.objid,
    l.objsubid,
    extract(epoch FROM clock_timestamp() - l.waitstart)::float8 AS waited_seconds,
    p.gid,
    -- Who waits for a row waits for the transaction that changed it, and holds the row's own lock meanwhile.
    (
        SELECT CASE WHEN r.database = d.oid THEN r.relation::regclass::text ELSE r.relation::text END
        FROM locks AS r
        WHERE r.pid = l.pid AND r.locktype = 'tuple' AND l.locktype = 'transactionid' AND NOT l.granted
        LIMIT 1
    ) AS row_of,
    l.target::text AS target
FROM locks AS l
JOIN pg_database AS d ON d.datname = current_database()
LEFT JOIN prepared AS p ON l.pid IS NULL AND l.virtualtransaction = p.virtualtransaction
WHERE l.target IN (SELECT w.target FROM locks AS w WHERE NOT w.granted)
ORDER BY l.pid, l.target::text, l.mode;
