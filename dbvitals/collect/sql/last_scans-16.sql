-- what: when each index was last scanned
-- since: 16
-- right: none
-- cost: counters in shared memory, one look an index
SELECT s.oid, s.at
FROM (
    SELECT i.indexrelid AS oid, pg_stat_get_lastscan(i.indexrelid) AS at
    FROM pg_index AS i
    JOIN unnest(%(tables)s::oid[]) AS chosen (oid) ON chosen.oid = i.indrelid
) AS s
WHERE s.at IS NOT NULL;
