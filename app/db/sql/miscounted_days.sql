-- The days of a tenant whose rows are not as many as were counted.
-- PostgreSQL 14 and later. Right: SELECT on audit_logs and audit_days, for all tenants.
-- Cost: the tenant's rows, all of them.
SELECT coalesce(counted.day, found.day) AS day, coalesce(counted.n, 0) AS counted, coalesce(found.n, 0) AS found
FROM (
    SELECT days.day, days.n FROM audit_days AS days WHERE days.tenant_id = cast(:tenant_id AS uuid)
) AS counted
FULL JOIN (
    SELECT cast(rows."timestamp" AT TIME ZONE 'UTC' AS date) AS day, count(*) AS n
    FROM audit_logs AS rows
    WHERE rows.tenant_id = cast(:tenant_id AS uuid) AND rows.arrival < audit_counted_to()
    GROUP BY 1
) AS found ON found.day = counted.day
WHERE counted.n IS DISTINCT FROM found.n
ORDER BY 1
