-- what: when this database was made: the time of its version file (none when it lies in another tablespace)
-- since: 14
-- right: EXECUTE on pg_stat_file, which pg_read_server_files does not bring; superusers have it
-- cost: one stat call
SELECT (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification AS at
FROM pg_database
WHERE datname = current_database();
