-- Starts a guest's conversation, or gives no row when another has done so meanwhile.
-- PostgreSQL 14 and later. Right: SELECT and INSERT on sessions. Cost: one probe of
-- idx_sessions_tenant_id_identifier_id, one row and its index entries. To be run in the transaction of a
-- find_conversation.sql that found none, and so holds the lock.
INSERT INTO sessions AS s (tenant_id, user_id, identifier_id, platform, context, last_message_at)
SELECT
    cast(:tenant_id AS uuid),
    cast(:user_id AS uuid),
    cast(:identifier_id AS uuid),
    cast(:platform AS text),
    cast(cast(:context AS text) AS jsonb),
    clock_timestamp()
WHERE NOT EXISTS (
    SELECT FROM sessions AS current
    WHERE current.tenant_id = cast(:tenant_id AS uuid) AND current.identifier_id = cast(:identifier_id AS uuid)
    AND current.state <> 'closed' AND current.deleted_at IS NULL
)
RETURNING
    s.identifier_id,
    s.user_id,
    s.id,
    s.version,
    s.state,
    cast(s.context AS text) AS context,
    s.created_at,
    s.last_message_at
