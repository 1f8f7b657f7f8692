-- what: the newest events of one kind, over all tenants
-- since: 14
-- right: SELECT on the table
-- cost: 50 entries of idx_audit_logs_event_type_timestamp
SELECT id, tenant_id, timestamp, severity, resource
FROM audit_logs
WHERE event_type = %(event)s
ORDER BY timestamp DESC
LIMIT 50;
