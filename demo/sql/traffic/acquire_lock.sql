-- what: take a lease, unless another holds it
-- since: 14
-- right: INSERT and UPDATE on the table
-- cost: one probe of idx_locks_resource_tenant_id and one row
INSERT INTO locks (tenant_id, id, resource, owner, acquired_at, expires_at)
VALUES (%(tenant)s, %(row)s, %(resource)s, %(owner)s, %(now)s, %(now)s + interval '30 seconds')
ON CONFLICT (resource, tenant_id) DO UPDATE
SET owner = excluded.owner,
    acquired_at = excluded.acquired_at,
    expires_at = excluded.expires_at,
    released_at = NULL,
    fencing_token = locks.fencing_token + 1
WHERE locks.released_at IS NOT NULL OR locks.expires_at < excluded.acquired_at
RETURNING id, fencing_token;
