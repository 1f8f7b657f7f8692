-- Gives a lease back, or gives no row when it is another's by now, or was given back before.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on locks. Cost: one probe of idx_locks_resource_tenant_id, one row.
-- The row stays, and with it the token. greatest(): a server's clock can be set back.
UPDATE locks
SET released_at = greatest(clock_timestamp(), acquired_at)
WHERE resource = cast(:resource AS text) AND tenant_id = cast(:tenant_id AS uuid)
AND owner = cast(:owner AS text) AND fencing_token = cast(:token AS bigint)
AND released_at IS NULL
RETURNING fencing_token
