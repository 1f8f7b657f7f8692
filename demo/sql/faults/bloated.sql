-- what: a job that writes locks under names of their own and deletes them, instead of taking rows up again
-- since: 14
-- right: owner of the table, and its foreign keys' triggers switched off for the session
-- cost: 48,000 rows written and deleted, about a second
SET session_replication_role = replica;
INSERT INTO locks (tenant_id, resource, owner, acquired_at, expires_at, released_at)
SELECT t.id, format('night-audit:%s:%s:%s', repeat('ledger-', 8), t.id, n), 'night-audit', now(), now(), now()
FROM generate_series(1, 800) AS n CROSS JOIN tenants AS t;
DELETE FROM locks WHERE owner = 'night-audit';
RESET session_replication_role;
VACUUM (ANALYZE) locks;
