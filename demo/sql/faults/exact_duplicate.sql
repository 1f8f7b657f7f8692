-- what: the same index again, under another name
-- since: 14
-- right: owner of the table
-- cost: reads the table once
CREATE INDEX audit_logs_tenant_time ON audit_logs (tenant_id, timestamp DESC);
