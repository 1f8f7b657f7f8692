-- what: build a unique index over rows that are not unique: it fails, and leaves its remains
-- since: 14
-- right: owner of the table
-- cost: reads the table twice
CREATE UNIQUE INDEX CONCURRENTLY idx_sessions_identifier_id ON sessions (identifier_id);
