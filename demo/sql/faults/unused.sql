-- what: an index for a report that nobody runs any more
-- since: 14
-- right: owner of the table
-- cost: reads the table once
CREATE INDEX idx_audit_logs_resource ON audit_logs (resource);
