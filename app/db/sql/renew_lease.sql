-- Sets the end of a lease anew, or gives no row when it has ended or is another's.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on locks. Cost: one probe of idx_locks_resource_tenant_id and a
-- heap-only update of one row. The clock is read again after a wait for the row.
UPDATE locks
SET expires_at = clock_timestamp() + cast(:ttl AS interval)
WHERE resource = cast(:resource AS text) AND tenant_id = cast(:tenant_id AS uuid)
AND owner = cast(:owner AS text) AND fencing_token = cast(:token AS bigint)
AND released_at IS NULL AND expires_at > clock_timestamp()
RETURNING expires_at
