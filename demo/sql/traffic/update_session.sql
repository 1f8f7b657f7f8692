-- what: note a message in its conversation, unless another writer was first
-- since: 14
-- right: UPDATE on the table
-- cost: one row by its key
UPDATE sessions
SET last_message_at = %(now)s, version = version + 1
WHERE tenant_id = %(tenant)s AND id = %(session)s AND version = %(version)s;
