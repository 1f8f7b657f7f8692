-- what: foreign keys that the server does not enforce
-- since: 18
-- right: none
-- cost: one pass over pg_constraint
SELECT conrelid AS table_oid, conname::text AS name
FROM pg_constraint
WHERE contype = 'f' AND NOT conenforced;
