-- what: a page of a tenant's audit trail
-- since: 14
-- right: SELECT on the table
-- cost: the page's entries of idx_audit_logs_tenant_id_timestamp and those before
SELECT id, timestamp, event_type, severity, user_id, resource, request_id
FROM audit_logs
WHERE tenant_id = %(tenant)s
ORDER BY timestamp DESC
LIMIT 20 OFFSET %(offset)s;
