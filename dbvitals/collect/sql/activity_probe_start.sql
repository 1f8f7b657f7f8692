-- what: what all looks over one connection need: the database's oid, and memory that the server process keeps
-- since: 14
-- right: none
-- cost: writes the memory once, a millisecond for 4 MB. A look takes about 1 MB for 400 sessions, and glibc gives it
--       back to the kernel after each; the faults of fetching it again were a third of the cost. Once a block as large
--       as this has been freed, glibc keeps up to twice as much (M_TRIM_THRESHOLD moves along). Else it does no harm.
SELECT d.oid AS database, length(repeat('x', %(memory)s)) AS memory
FROM pg_database AS d
WHERE d.datname = current_database();
