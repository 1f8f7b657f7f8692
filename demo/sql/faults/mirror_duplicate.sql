-- what: an index that is another read backwards
-- since: 14
-- right: owner of the table
-- cost: reads the table once
CREATE INDEX idx_audit_logs_user_id_timestamp_asc ON audit_logs (user_id DESC, timestamp);
