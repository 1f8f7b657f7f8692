-- Adds to audit_days all rows that arrived before a number and are not counted yet.
-- PostgreSQL 14 and later. Right: SELECT on audit_logs, SELECT, INSERT and UPDATE on audit_days, for all tenants.
-- Cost: the pages of idx_audit_logs_arrival's stretches that hold such rows; the whole table the first time.
-- To be run under the roll-up's lock, when every transaction that may still write below the number has ended.
INSERT INTO audit_days AS kept (tenant_id, day, n, counted_to)
SELECT a.tenant_id, cast(a."timestamp" AT TIME ZONE 'UTC' AS date), count(*), cast(:counted_to AS bigint)
FROM audit_logs AS a
WHERE a.arrival >= cast(:counted_from AS bigint) AND a.arrival < cast(:counted_to AS bigint)
GROUP BY 1, 2
ORDER BY 1, 2
ON CONFLICT (tenant_id, day) DO UPDATE
SET n = kept.n + excluded.n, counted_to = excluded.counted_to
