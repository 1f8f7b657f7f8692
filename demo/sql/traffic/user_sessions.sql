-- what: a guest's conversations, newest first
-- since: 14
-- right: SELECT on the table
-- cost: 20 entries of idx_sessions_user_id_created_at
SELECT id, platform, state, created_at, closed_at
FROM sessions
WHERE user_id = %(user)s AND deleted_at IS NULL
ORDER BY created_at DESC
LIMIT 20;
