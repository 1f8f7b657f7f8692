-- what: make the statistics of statements visible in this database
-- since: 14
-- right: CREATE on the database; the extension is preloaded by the sandbox
-- cost: none
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
