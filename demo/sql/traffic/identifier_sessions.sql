-- what: the conversations over one identifier
-- since: 14
-- right: SELECT on the table
-- cost: a few entries of idx_sessions_tenant_id_identifier_id
SELECT id, state, created_at
FROM sessions
WHERE tenant_id = %(tenant)s AND identifier_id = %(identifier)s;
