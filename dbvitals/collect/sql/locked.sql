-- what: relations that somebody has locked, or waits to lock, so that even a reader waits (ALTER TABLE and its kin)
-- since: 14
-- right: none
-- cost: one look at the lock table
SELECT DISTINCT relation AS oid
FROM pg_locks
WHERE locktype = 'relation'
  AND mode = 'AccessExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND pid IS DISTINCT FROM pg_backend_pid();
