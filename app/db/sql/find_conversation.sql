-- Who writes, and the open conversation to go on with: the newest, locked until the transaction ends, with all that
-- others have committed by then. No row when nobody at this tenant is known by the identifier, or the tenant is gone.
-- PostgreSQL 14 and later. Right: SELECT on all three tables, UPDATE on sessions. Cost: one probe each of
-- idx_tenant_user_identifiers_value_platform, tenants_pkey and idx_sessions_tenant_id_identifier_id.
-- Where there is no open conversation, whoever asks first is alone until its transaction ends: start_conversation.sql,
-- whose snapshot is taken after that, then sees what the others have started.
SELECT
    guest.id AS identifier_id,
    guest.user_id,
    tenant.settings ->> 'pms_hotel' AS pms_hotel,
    current.id,
    current.version,
    current.state,
    cast(current.context AS text) AS context,
    current.created_at,
    current.last_message_at,
    CASE
        WHEN current.id IS NULL
        THEN pg_advisory_xact_lock(hashtextextended(guest.tenant_id::text || guest.id::text, 0))
    END
FROM tenant_user_identifiers AS guest
JOIN tenants AS tenant ON tenant.id = guest.tenant_id AND tenant.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT s.id, s.version, s.state, s.context, s.created_at, s.last_message_at
    FROM sessions AS s
    WHERE s.tenant_id = guest.tenant_id AND s.identifier_id = guest.id
    AND s.state <> 'closed' AND s.deleted_at IS NULL
    ORDER BY s.created_at DESC, s.id DESC
    LIMIT 1
    FOR NO KEY UPDATE
) AS current ON true
WHERE guest.identifier_value = cast(:value AS text) AND guest.platform = cast(:platform AS text)
AND guest.tenant_id = cast(:tenant_id AS uuid) AND guest.deleted_at IS NULL
