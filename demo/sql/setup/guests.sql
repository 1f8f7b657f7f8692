-- what: conversations whose guests hold a room: each tenant's oldest live one, then each tenant's next
-- since: 14
-- right: SELECT on sessions
-- cost: one pass over sessions
SELECT tenant_id, id
FROM (
    SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id ORDER BY created_at, id) AS place
    FROM sessions
    WHERE deleted_at IS NULL
) AS placed
ORDER BY place, tenant_id
LIMIT %(limit)s
