-- what: what a guest did lately
-- since: 14
-- right: SELECT on the table
-- cost: 20 entries of idx_audit_logs_user_id_timestamp
SELECT id, timestamp, event_type, severity, resource
FROM audit_logs
WHERE user_id = %(user)s
ORDER BY timestamp DESC
LIMIT 20;
