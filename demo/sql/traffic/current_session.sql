-- what: the conversation that a guest's message continues
-- since: 14
-- right: SELECT on the table
-- cost: one entry of idx_sessions_user_id_created_at
SELECT tenant_id, id, version
FROM sessions
WHERE user_id = %(user)s AND tenant_id = %(tenant)s AND state <> 'closed' AND deleted_at IS NULL
ORDER BY created_at DESC
LIMIT 1;
