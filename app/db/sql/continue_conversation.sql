-- Notes a guest's message in the conversation, or gives no row when it is not as the writer knows it any more: changed
-- since, closed, the identifier taken from the guest, the tenant gone.
-- PostgreSQL 14 and later. Right: SELECT on all three tables, UPDATE on sessions. Cost: one probe of each primary key
-- and a heap-only update of one row, where its page has room.
UPDATE sessions AS s
SET state = 'active',
    version = s.version + 1,
    context = cast(cast(:context AS text) AS jsonb),
    last_message_at = clock_timestamp()
FROM tenants AS tenant, tenant_user_identifiers AS guest
WHERE s.tenant_id = cast(:tenant_id AS uuid) AND s.id = cast(:id AS uuid) AND s.version = cast(:version AS bigint)
AND s.state <> 'closed' AND s.deleted_at IS NULL
AND tenant.id = s.tenant_id AND tenant.deleted_at IS NULL
AND guest.tenant_id = s.tenant_id AND guest.id = s.identifier_id AND guest.deleted_at IS NULL
AND guest.identifier_value = cast(:value AS text) AND guest.platform = cast(:platform AS text)
RETURNING
    s.identifier_id,
    s.user_id,
    tenant.settings ->> 'pms_hotel' AS pms_hotel,
    s.id,
    s.version,
    s.state,
    cast(s.context AS text) AS context,
    s.created_at,
    s.last_message_at
