-- what: an index on the first column of another
-- since: 14
-- right: owner of the table
-- cost: reads the table once
CREATE INDEX idx_sessions_user_id ON sessions (user_id);
