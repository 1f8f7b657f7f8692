-- what: index scans of this node, for adding up the nodes of a cluster
-- since: 14
-- right: none
-- cost: counters in shared memory, one look an index
SELECT s.oid, s.scans
FROM (
    SELECT i.indexrelid AS oid, pg_stat_get_numscans(i.indexrelid) AS scans
    FROM pg_index AS i
) AS s
WHERE s.scans > 0;
