-- what: keep a lease for longer
-- since: 14
-- right: UPDATE on the table
-- cost: one row by its key
UPDATE locks
SET expires_at = %(now)s + interval '60 seconds'
WHERE tenant_id = %(tenant)s AND id = %(lock)s AND fencing_token = %(token)s AND released_at IS NULL;
