-- Marks conversations as idle that have had no message for some time: at most `batch`.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on sessions, for all tenants. Cost: the entries of
-- idx_sessions_state (active conversations) and their rows. One that a message is being noted in is left alone.
WITH quiet AS MATERIALIZED (
    SELECT tenant_id, id
    FROM sessions
    WHERE state = 'active' AND deleted_at IS NULL
    AND last_message_at < statement_timestamp() - cast(:after AS interval)
    LIMIT cast(:batch AS integer)
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE sessions
SET state = 'idle', version = sessions.version + 1
FROM quiet
WHERE sessions.tenant_id = quiet.tenant_id AND sessions.id = quiet.id
