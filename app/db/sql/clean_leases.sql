-- Marks leases as ended that ran out and were never given back: at most `batch`, the oldest first.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on locks, for all tenants. Cost: the entries of
-- idx_locks_acquired_at (leases not given back), and one row for each that ran out.
-- An ended lease was acquired in the past: that bound is what the index is searched by. statement_timestamp(), because
-- no index can be searched by a clock that moves. A row that someone is renewing or taking is left to them.
WITH expired AS MATERIALIZED (
    SELECT tenant_id, id
    FROM locks
    WHERE released_at IS NULL AND acquired_at < statement_timestamp() AND expires_at < statement_timestamp()
    ORDER BY acquired_at
    LIMIT cast(:batch AS integer)
    FOR UPDATE SKIP LOCKED
)
UPDATE locks
SET released_at = locks.expires_at
FROM expired
WHERE locks.tenant_id = expired.tenant_id AND locks.id = expired.id
