-- what: how many events a tenant has: the first step of the guide's pagination
-- since: 14
-- right: SELECT on the table
-- cost: the tenant's part of an index
SELECT count(*)
FROM audit_logs
WHERE tenant_id = %(tenant)s AND timestamp >= %(now)s - interval '7 days';
