-- what: rebuild an index by hand and forget its DESC
-- since: 14
-- right: owner of the table
-- cost: reads the table once
DROP INDEX idx_sessions_tenant_id_created_at;
CREATE INDEX idx_sessions_tenant_id_created_at ON sessions (tenant_id, created_at);
