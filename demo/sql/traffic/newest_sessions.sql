-- what: a tenant's newest conversations
-- since: 14
-- right: SELECT on the table
-- cost: 20 entries of idx_sessions_tenant_id_created_at
SELECT id, user_id, platform, state, last_message_at, created_at
FROM sessions
WHERE tenant_id = %(tenant)s AND deleted_at IS NULL
ORDER BY created_at DESC
LIMIT 20;
