-- what: end a conversation
-- since: 14
-- right: UPDATE on the table
-- cost: one row by its key
UPDATE sessions
SET state = 'closed', closed_at = %(now)s, version = version + 1
WHERE tenant_id = %(tenant)s AND id = %(session)s AND version = %(version)s;
