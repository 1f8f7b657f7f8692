-- Takes a lease on a resource, or gives no row while another's is alive. The token grows by one with every grant.
-- PostgreSQL 14 and later. Right: SELECT, INSERT and UPDATE on locks. Cost: two probes of
-- idx_locks_resource_tenant_id and one row; only one probe and no write while the resource is held.
-- NOT EXISTS only spares those who poll the write; who gets the lease is decided by ON CONFLICT, under the row's lock.
-- clock_timestamp() there is read after the wait for that lock, so that a wait costs none of the lease's time.
-- One reading gives both times: between two, a server that is kept waiting can lose more than a short lease lasts.
-- A grant that a crash forgets would give its token out twice: such a commit waits for the disk, whatever the default.
INSERT INTO locks AS lease (tenant_id, resource, owner, acquired_at, expires_at)
SELECT
    cast(:tenant_id AS uuid),
    cast(:resource AS text),
    cast(:owner AS text),
    clock.instant,
    clock.instant + cast(:ttl AS interval)
FROM (SELECT clock_timestamp() AS instant) AS clock
WHERE NOT EXISTS (
    SELECT FROM locks AS held
    WHERE held.resource = cast(:resource AS text) AND held.tenant_id = cast(:tenant_id AS uuid)
    AND held.released_at IS NULL AND held.expires_at > clock_timestamp()
)
ON CONFLICT (resource, tenant_id) DO UPDATE
SET owner = excluded.owner,
    fencing_token = lease.fencing_token + 1,
    (acquired_at, expires_at) = (
        SELECT clock.instant, clock.instant + cast(:ttl AS interval)
        FROM (SELECT clock_timestamp() AS instant) AS clock
    ),
    released_at = NULL
WHERE lease.released_at IS NOT NULL OR lease.expires_at <= clock_timestamp()
RETURNING
    fencing_token,
    expires_at,
    CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'local', true) END
