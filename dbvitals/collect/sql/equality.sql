-- what: which families can search by the given operators of foreign keys: by equality in a B-tree or hash index, by
--       whatever the operator is in GiST and GIN (btree_gist, btree_gin, keys with PERIOD)
-- since: 14
-- right: none
-- cost: index look-ups in pg_amop
SELECT o.amopfamily AS family_oid, o.amopopr AS operator_oid
FROM pg_amop AS o
JOIN pg_am AS a ON a.oid = o.amopmethod
WHERE o.amopopr = ANY(%(operators)s::oid[])
  AND o.amoppurpose = 's'
  AND (
      (a.amname = 'btree' AND o.amopstrategy = 3)
      OR (a.amname = 'hash' AND o.amopstrategy = 1)
      OR a.amname IN ('gist', 'gin')
  )
ORDER BY o.amopfamily, o.amopopr;
