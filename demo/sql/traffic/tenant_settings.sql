-- what: a tenant's configuration
-- since: 14
-- right: SELECT on the table
-- cost: one row of a table of one page
SELECT name, timezone, settings
FROM tenants
WHERE id = %(tenant)s AND deleted_at IS NULL;
