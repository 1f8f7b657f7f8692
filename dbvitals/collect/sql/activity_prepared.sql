-- what: transactions that were prepared and wait for COMMIT PREPARED or ROLLBACK PREPARED
-- since: 14
-- right: none
-- cost: one look at shared memory
SELECT
    p.gid,
    p.database::text AS database,
    p.owner::text AS owner,
    extract(epoch FROM clock_timestamp() - p.prepared)::float8 AS seconds,
    age(p.transaction) AS xid_age
FROM pg_prepared_xacts AS p
ORDER BY p.prepared, p.gid;
