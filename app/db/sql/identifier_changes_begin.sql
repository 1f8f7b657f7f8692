-- The number that the next transaction gets: every change committed so far has a smaller one.
-- PostgreSQL 14 and later. Right: none. Cost: none to speak of.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint
