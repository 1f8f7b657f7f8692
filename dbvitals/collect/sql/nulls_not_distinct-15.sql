-- what: unique indexes that take NULLs as equal
-- since: 15
-- right: none
-- cost: one pass over pg_index
SELECT indexrelid AS oid FROM pg_index WHERE indnullsnotdistinct;
