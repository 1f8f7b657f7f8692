-- what: a page of a tenant's guests
-- since: 14
-- right: SELECT on the table
-- cost: 50 entries of idx_tenant_user_identifiers_tenant_id
SELECT user_id, platform, identifier_value
FROM tenant_user_identifiers
WHERE tenant_id = %(tenant)s AND deleted_at IS NULL
ORDER BY user_id
LIMIT 50;
