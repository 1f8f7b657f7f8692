-- what: one event of the audit trail with its details
-- since: 14
-- right: SELECT on the table
-- cost: one row by its key
SELECT timestamp, event_type, severity, user_id, resource, request_id, details
FROM audit_logs
WHERE tenant_id = %(tenant)s AND id = %(entry)s;
