-- what: lose one of the guide's critical indexes
-- since: 14
-- right: owner of the table
-- cost: a moment under ACCESS EXCLUSIVE
DROP INDEX idx_audit_logs_event_type_timestamp;
