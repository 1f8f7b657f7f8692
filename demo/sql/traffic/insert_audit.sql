-- what: write an event of the audit trail
-- since: 14
-- right: INSERT on the table
-- cost: one row and five index entries
INSERT INTO audit_logs (tenant_id, id, timestamp, event_type, severity, user_id, resource, request_id)
VALUES (%(tenant)s, %(row)s, %(now)s, %(event)s, 'info', %(user)s, %(resource)s, %(request)s);
