-- The days of all tenants that are over and have counted rows under no seal yet, and from which arrival number on.
-- PostgreSQL 14 and later. Right: SELECT on audit_days and audit_seals, for all tenants. Cost: both tables once.
SELECT days.tenant_id, days.day, coalesce(sealed.arrived_to, 0) AS arrived_from
FROM audit_days AS days
LEFT JOIN (
    SELECT seals.tenant_id, seals.day, sum(seals.n) AS n, max(seals.arrived_to) AS arrived_to
    FROM audit_seals AS seals
    GROUP BY seals.tenant_id, seals.day
) AS sealed ON sealed.tenant_id = days.tenant_id AND sealed.day = days.day
WHERE days.day < cast(clock_timestamp() AT TIME ZONE 'UTC' AS date) AND days.n > coalesce(sealed.n, 0)
ORDER BY days.tenant_id, days.day
