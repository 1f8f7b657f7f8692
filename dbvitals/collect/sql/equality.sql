-- what: which B-tree and hash families can search by the given equality operators
-- since: 14
-- right: none
-- cost: index look-ups in pg_amop
SELECT o.amopfamily AS family_oid, o.amopopr AS operator_oid
FROM pg_amop AS o
JOIN pg_am AS a ON a.oid = o.amopmethod
WHERE o.amopopr = ANY(%(operators)s::oid[])
  AND ((a.amname = 'btree' AND o.amopstrategy = 3) OR (a.amname = 'hash' AND o.amopstrategy = 1))
ORDER BY o.amopfamily, o.amopopr;
