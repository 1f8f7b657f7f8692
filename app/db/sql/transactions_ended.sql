-- Whether every transaction that had a number before this one was given out has ended.
-- PostgreSQL 14 and later. Right: none. Cost: a snapshot. A prepared transaction counts as running.
SELECT pg_snapshot_xmin(pg_current_snapshot()) >= cast(cast(:transaction AS text) AS xid8)
