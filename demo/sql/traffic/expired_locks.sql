-- what: give back the leases of holders that never returned
-- since: 14
-- right: UPDATE on the table
-- cost: the entries of idx_locks_acquired_at that are old
UPDATE locks
SET released_at = greatest(%(now)s, acquired_at)
WHERE (tenant_id, id) IN (
    SELECT tenant_id, id
    FROM locks
    WHERE acquired_at < %(now)s - interval '1 minute' AND released_at IS NULL AND expires_at < %(now)s
    ORDER BY acquired_at
    LIMIT 20
    FOR UPDATE SKIP LOCKED
);
