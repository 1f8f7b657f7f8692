-- what: conversations that have gone quiet and should become idle
-- since: 14
-- right: SELECT on the table
-- cost: all of idx_sessions_state, which is small
SELECT tenant_id, id, version
FROM sessions
WHERE state = 'active' AND last_message_at < %(now)s - interval '2 hours'
ORDER BY last_message_at
LIMIT 100;
