-- what: give a lease back
-- since: 14
-- right: UPDATE on the table
-- cost: one probe of idx_locks_resource_tenant_id and one row
UPDATE locks
SET released_at = greatest(%(now)s, acquired_at)
WHERE resource = %(resource)s AND tenant_id = %(tenant)s AND owner = %(owner)s AND released_at IS NULL;
