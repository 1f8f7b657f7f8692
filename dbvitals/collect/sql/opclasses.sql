-- what: the operator classes in use, and whether equal keys are bitwise equal (B-tree support function 4)
-- since: 14
-- right: none
-- cost: a few hundred rows
SELECT
    o.oid,
    CASE WHEN n.nspname = 'pg_catalog' THEN quote_ident(o.opcname)
         ELSE quote_ident(n.nspname) || '.' || quote_ident(o.opcname) END AS name,
    CASE WHEN fn.nspname = 'pg_catalog' THEN quote_ident(f.opfname)
         ELSE quote_ident(fn.nspname) || '.' || quote_ident(f.opfname) END AS family,
    o.opcfamily AS family_oid,
    o.opcdefault AS is_default,
    EXISTS (
        SELECT FROM pg_amproc AS p
        WHERE p.amprocfamily = o.opcfamily AND p.amproclefttype = o.opcintype
          AND p.amprocrighttype = o.opcintype AND p.amprocnum = 4
          AND a.amname = 'btree'
    ) AS equal_image
FROM pg_opclass AS o
JOIN pg_namespace AS n ON n.oid = o.opcnamespace
JOIN pg_opfamily AS f ON f.oid = o.opcfamily
JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace
JOIN pg_am AS a ON a.oid = o.opcmethod;
