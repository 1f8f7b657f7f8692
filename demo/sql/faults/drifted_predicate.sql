-- what: rebuild a partial index by hand and forget its WHERE
-- since: 14
-- right: owner of the table
-- cost: reads the table once
DROP INDEX idx_audit_logs_severity_timestamp;
CREATE INDEX idx_audit_logs_severity_timestamp ON audit_logs (severity, timestamp DESC);
