-- what: the tenant that a message belongs to, by who sent it
-- since: 14
-- right: SELECT on the table
-- cost: one probe of idx_tenant_user_identifiers_value_platform
SELECT tenant_id
FROM tenant_user_identifiers
WHERE identifier_value = %(value)s AND platform = %(platform)s AND deleted_at IS NULL;
