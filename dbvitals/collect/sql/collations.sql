-- what: the collations in use
-- since: 14
-- right: none
-- cost: the few rows that are asked for
SELECT
    c.oid,
    CASE WHEN n.nspname = 'pg_catalog' THEN quote_ident(c.collname)
         ELSE quote_ident(n.nspname) || '.' || quote_ident(c.collname) END AS name,
    c.collisdeterministic AS deterministic
FROM pg_collation AS c
JOIN pg_namespace AS n ON n.oid = c.collnamespace
WHERE c.oid = ANY(%(collations)s::oid[]);
