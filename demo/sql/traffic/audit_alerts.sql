-- what: the newest events that somebody should look at
-- since: 14
-- right: SELECT on the table
-- cost: 50 entries of idx_audit_logs_severity_timestamp
SELECT id, tenant_id, timestamp, event_type, resource
FROM audit_logs
WHERE severity = 'critical' AND timestamp >= %(now)s - interval '30 days'
ORDER BY timestamp DESC
LIMIT 50;
