-- The tenant of a normal identifier ($1) on a platform ($2), or null; and what this answer has seen: every transaction
-- numbered below `seen` had ended before, so that each of their changes is in it.
-- PostgreSQL 14 and later. Right: EXECUTE on resolve_tenant. Cost: that of resolve_tenant.
SELECT
    resolve_tenant($1, $2) AS tenant_id,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS seen
